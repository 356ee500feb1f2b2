import { isMissing } from "../../base/files.js";
import { plural, problemsError } from "../../base/text.js";
import { parseTabRows, readListText } from "./columns.js";
import { normalizePath } from "./readList.js";

/** What a database's makers published of an image, on its own scale, higher is better. */
export interface PublishedScore {
  readonly mos: number;
  readonly deviation: number;
}

/**
 * The opinion scores and their deviations by normalized path, from a database's `<name>_all.txt` as published
 * (tab-separated: path, MOS, deviation). Empty where there is no such file.
 *
 * @throws {DataError} listing every line that is not so
 */
export async function readPublishedScores(file: string): Promise<ReadonlyMap<string, PublishedScore>> {
  const scores = new Map<string, PublishedScore>();
  const problems: string[] = [];
  for (const { line, cells } of await parseTabRows(await textOrNothing(file), file)) {
    const [image, mos, deviation] = cells;
    const value = deviation === undefined || deviation === "" ? NaN : Number(deviation);
    if (image === undefined || cells.length !== 3 || !(value >= 0 && value < Infinity)) {
      problems.push(`${file}:${line}: expected path, mos and its deviation, got ${JSON.stringify(cells.join("\t"))}`);
    } else scores.set(normalizePath(image), { mos: Number(mos), deviation: value });
  }
  if (problems.length === 0) return scores;
  throw problemsError(`${file}: ${plural(problems.length, "problem")}; correct them, or remove the file`, problems);
}

/** The deviations alone. @throws {DataError} as above */
export async function readDeviations(file: string): Promise<ReadonlyMap<string, number>> {
  return deviationsOf(await readPublishedScores(file));
}

export function deviationsOf(scores: ReadonlyMap<string, PublishedScore>): ReadonlyMap<string, number> {
  return new Map([...scores].map(([image, { deviation }]) => [image, deviation]));
}

async function textOrNothing(file: string): Promise<string> {
  try {
    return await readListText(file);
  } catch (error) {
    if (error instanceof Error && isMissing(error.cause)) return "";
    throw error;
  }
}
