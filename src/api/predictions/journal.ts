import { existsSync } from "node:fs";
import { type FileHandle, open, readFile } from "node:fs/promises";
import path from "node:path";
import { ConfigError } from "../../base/errors.js";
import { writeFileAtomic } from "../../base/files.js";
import { jsonOf } from "../../base/text.js";
import type { Prediction } from "../predict.js";

/** First line of a journal: the work that it is about, and its outcome once the work's file is written. */
interface Head {
  readonly work: string;
  readonly finished?: { readonly images: number; readonly failed: number };
}

/** File beside `out` that keeps what was scored so far; data engines leave out files whose names begin with a dot. */
export function journalFile(out: string): string {
  return path.join(path.dirname(out), `.${path.basename(out)}.progress`);
}

/** Journal of predictions for one file, by which a killed job goes on where it was. */
export class Journal {
  #failed: number;

  private constructor(
    private readonly file: string,
    private readonly work: string,
    private readonly handle: FileHandle,
    /** Predictions of earlier processes, in their order. */
    readonly earlier: readonly Prediction[],
  ) {
    this.#failed = earlier.filter((one) => "error" in one).length;
  }

  /**
   * Opens the journal of `out`, whose folder is there, or makes one.
   * @param work  text that differs where files, model or settings do
   * @returns the outcome, where the same work is finished and its file is there
   * @throws {ConfigError} where the journal is of other work, which is not finished
   */
  static async open(out: string, work: string): Promise<Journal | NonNullable<Head["finished"]>> {
    const file = journalFile(out);
    const text = await readFile(file, "utf8").catch(() => "");
    const [first = "", ...lines] = text
      .slice(0, text.lastIndexOf("\n") + 1)
      .trimEnd()
      .split("\n"); // a line may be half written
    const head = (jsonOf(first) ?? { work }) as Head; // our own file, or none
    if (head.work === work && head.finished !== undefined && existsSync(out)) return head.finished;
    if (head.work !== work && head.finished === undefined) throw otherWork(out, file);
    const isSame = head.work === work && head.finished === undefined && first !== "";
    const earlier = isSame ? lines.map((line) => JSON.parse(line) as Prediction) : []; // our own file
    const kept = isSame ? [first, ...lines] : [JSON.stringify({ work })];
    await writeFileAtomic(file, kept.map((line) => `${line}\n`).join(""));
    return new Journal(file, work, await open(file, "a"), earlier);
  }

  async add(prediction: Prediction): Promise<void> {
    if ("error" in prediction) this.#failed++;
    await this.handle.appendFile(`${JSON.stringify(prediction)}\n`);
  }

  /** Marks the work as finished: its file is written, and its predictions are kept here no longer. */
  async finish(images: number): Promise<void> {
    await this.close();
    const head: Head = { work: this.work, finished: { images, failed: this.#failed } };
    await writeFileAtomic(this.file, `${JSON.stringify(head)}\n`);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

function otherWork(out: string, file: string): ConfigError {
  return new ConfigError(
    `${out}: ${file} has the progress of other images, another model or other options; ` +
      "name another --out, or remove it to begin anew",
  );
}
