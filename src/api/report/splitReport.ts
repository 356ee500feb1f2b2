/** What several splits came to together: a table on standard output, and `splits.json` beside their folders. */
import path from "node:path";
import { writeFileAtomic } from "../../base/files.js";
import type { Progress } from "../../cli/progress.js";
import type { SavedResults } from "../../evaluate/results/splitSummary.js";
import { readResults, summarizeSplits } from "../../evaluate/results/splitSummary.js";
import { splitTable } from "../../evaluate/tables/splitTable.js";
import { RUN_FILES, splitFolder } from "../../train/checkpoint/runFolder.js";
import { runState } from "../../train/checkpoint/runState.js";

/**
 * Prints the table and writes the file.
 *
 * @param results  of one or more splits, evaluated in one way
 * @param folder   null: nothing is written
 */
export async function reportSplits(
  { databases, protocol, protocolVersion, crops }: SavedResults,
  { checkpoint, folder }: { readonly checkpoint: string; readonly folder: string | null },
  progress: Progress,
): Promise<void> {
  const summary = summarizeSplits(
    databases.flatMap(({ split, ...database }) => (split === null ? [] : [{ ...database, split }])),
  );
  progress.stop();
  process.stdout.write(splitTable(summary));
  if (folder === null) return;
  const file = path.join(folder, RUN_FILES.splits);
  const contents = { protocol, protocolVersion, checkpoint, crops, ...summary };
  await writeFileAtomic(file, `${JSON.stringify(contents, null, 2)}\n`);
  progress.note(`${file} written`);
}

/**
 * The same for the splits of a run, from the results that each has; nothing while one of them is not finished.
 *
 * @throws {DataError} where one of the results cannot be read
 */
export async function reportRun(runFolder: string, splits: readonly number[], progress: Progress): Promise<void> {
  const folders = splits.map((split) => splitFolder(runFolder, split));
  const areFinished = folders
    .map((folder) => runState(folder))
    .every((state) => state.kind === "known" && state.isFinished);
  if (!areFinished) return;
  const results = await Promise.all(folders.map((folder) => readResults(path.join(folder, RUN_FILES.results))));
  const ways = new Set(results.map(wayOf));
  const [first] = results;
  if (first === undefined || ways.size > 1) {
    progress.note(
      `${runFolder}: its splits were evaluated in different ways (${[...ways].join("; ")}), so no table over them`,
    );
    return;
  }
  const databases = results.flatMap((one, i) => one.databases.filter(({ split }) => split === splits[i]));
  await reportSplits({ ...first, databases }, { checkpoint: runFolder, folder: runFolder }, progress);
}

/** How it was measured: values of different ways have no common mean. */
function wayOf({ protocol, protocolVersion, crops, databases }: SavedResults): string {
  const names = databases.map(({ name }) => name).join(", ");
  return `${names} by protocol ${protocol} version ${protocolVersion}, ${crops} crops`;
}
