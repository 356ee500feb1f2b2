import path from "node:path";
import { writeFileAtomic } from "../../base/files.js";
import type { Reporter } from "../../base/types.js";
import {
  readResults,
  type SavedResults,
  type SplitSummary,
  summarizeSplits,
} from "../../evaluate/results/splitSummary.js";
import { RUN_FILES, splitFolder } from "../../train/checkpoint/runFolder.js";
import { runState } from "../../train/checkpoint/runState.js";

/** Statistics over splits that were evaluated in one way, written as `splits.json` where `folder` is not null. */
export async function summarizeResults(
  { databases, protocol, protocolVersion, crops }: SavedResults,
  { checkpoint, folder }: { readonly checkpoint: string; readonly folder: string | null },
  { note }: Pick<Reporter, "note">,
): Promise<SplitSummary> {
  const summary = summarizeSplits(
    databases.flatMap(({ split, ...database }) => (split === null ? [] : [{ ...database, split }])),
  );
  if (folder === null) return summary;
  const file = path.join(folder, RUN_FILES.splits);
  const contents = { protocol, protocolVersion, checkpoint, crops, ...summary };
  await writeFileAtomic(file, `${JSON.stringify(contents, null, 2)}\n`);
  note(`${file} written`);
  return summary;
}

/**
 * Statistics over the splits of a run; null while one is not finished, or where they were evaluated in different ways.
 * @throws {DataError} where one of the results cannot be read
 */
export async function summarizeRun(
  runFolder: string,
  splits: readonly number[],
  reporter: Pick<Reporter, "note">,
): Promise<SplitSummary | null> {
  const folders = splits.map((split) => splitFolder(runFolder, split));
  const areFinished = folders
    .map((folder) => runState(folder))
    .every((state) => state.kind === "known" && state.isFinished);
  if (!areFinished) return null;
  return summarizeSplitsOf(runFolder, splits, { folder: runFolder, reporter });
}

/**
 * Statistics over splits of a run that have results, written where `folder` is not null; null for none, and where they
 * were evaluated in different ways, which is noted.
 * @throws {DataError} where one of the results cannot be read
 */
export async function summarizeSplitsOf(
  runFolder: string,
  splits: readonly number[],
  { folder, reporter }: { readonly folder: string | null; readonly reporter: Pick<Reporter, "note"> },
): Promise<SplitSummary | null> {
  const files = splits.map((split) => path.join(splitFolder(runFolder, split), RUN_FILES.results));
  const results = await Promise.all(files.map(readResults));
  const [first] = results;
  if (first === undefined) return null;
  const ways = new Set(results.map(wayOf));
  if (ways.size > 1) {
    reporter.note(
      `${runFolder}: its splits were evaluated in different ways (${[...ways].join("; ")}), so no table over them`,
    );
    return null;
  }
  const databases = results.flatMap((one, i) => one.databases.filter(({ split }) => split === splits[i]));
  return summarizeResults({ ...first, databases }, { checkpoint: runFolder, folder }, reporter);
}

/** Way of measuring in words; values of different ways have no common mean. */
function wayOf({ protocol, protocolVersion, crops, databases }: SavedResults): string {
  const names = databases.map(({ name }) => name).join(", ");
  return `${names} by protocol ${protocol} version ${protocolVersion}, ${crops ?? "unknown"} crops`;
}
