import { appendFileSync } from "node:fs";
import path from "node:path";
import { makeFolders } from "../../base/folders.js";
import { epochOf, trainingDetails } from "../../base/text.js";
import { RUN_FILES } from "../../train/checkpoint/runFolder.js";
import { benchmarkTable } from "../../evaluate/tables/benchmarkTable.js";
import type { WorkEvent } from "../work.js";

/** Least time between two lines on steps, as on a terminal that shows no bars. */
const SECONDS_BETWEEN_STEPS = 15;

/** Options of `logged`. */
interface LogOptions {
  readonly next: ((event: WorkEvent) => void) | undefined;
  /** Lines that were told already, before the run's folder was known. */
  readonly before?: readonly string[];
  /** Of a process that trains together with others, each of which has a log of its own; null (default) of one alone. */
  readonly rank?: number | null;
}

/**
 * Listener that appends what a person is told of a run to its `train.log`, each line with its time, and passes
 * everything on. A run that is taken up again goes on in the same file.
 * @throws the file system's own error, from the listener too
 */
export async function logged(
  folder: string,
  { next, before = [], rank = null }: LogOptions,
): Promise<(event: WorkEvent) => void> {
  await makeFolders(folder);
  const file = path.join(folder, rank === null ? RUN_FILES.log : `rank-${rank}.log`);
  let saidAtMs = -Infinity;
  const write = (text: string) => {
    const time = `${new Date().toISOString().slice(0, 19)}Z`;
    const lines = text.trimEnd().split("\n");
    appendFileSync(file, lines.map((line) => `${time}  ${line}\n`).join(""));
  };
  before.forEach(write);
  return (event) => {
    if (event.kind === "note") write(event.line);
    else if (event.kind === "results") write(benchmarkTable(event.results));
    else if (event.kind === "step") {
      const isLast = event.step === event.stepsPerEpoch;
      if (isLast || Date.now() - saidAtMs >= 1000 * SECONDS_BETWEEN_STEPS) {
        saidAtMs = Date.now();
        write(`${epochOf(event)}  ${trainingDetails(event)}`);
      }
    }
    next?.(event);
  };
}
