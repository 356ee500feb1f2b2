import { readdir } from "node:fs/promises";
import path from "node:path";
import { ConfigError } from "../../base/errors.js";
import { reasonOf } from "../../base/text.js";
import type { Reporter } from "../../base/types.js";
import type { SplitSummary } from "../../evaluate/results/splitSummary.js";
import { splitFolder, splitsOf } from "../../train/checkpoint/runFolder.js";
import { runState } from "../../train/checkpoint/runState.js";
import { summarizeSplitsOf } from "../report/splitReport.js";
import { mergeSplits, PLAN_FILE, readLaunched } from "./plan.js";

/** Results of a run's splits, and the splits that have none. */
export interface MergedRun {
  readonly run: string;
  /** Splits with results. */
  readonly splits: readonly number[];
  readonly missing: readonly { readonly split: number; readonly reason: string }[];
  /** Statistics over the splits with results; null for none, and where they were evaluated in different ways. */
  readonly summary: SplitSummary | null;
}

/**
 * Merges the results that runs left in a folder: those of `<run>.launch.json`, and those that lie there besides.
 * @param reporter  told of runs whose splits were evaluated in different ways
 * @throws {ConfigError} where the folder cannot be read or holds no run
 * @throws {DataError}   where results cannot be read
 */
export async function mergeRuns(folder: string, reporter: Pick<Reporter, "note">): Promise<MergedRun[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw new ConfigError(`--runs ${folder}: cannot be read (${reasonOf(error)}); name the folder of runs`);
  });
  const found = await Promise.all(
    names.map(async (name) =>
      name.endsWith(PLAN_FILE)
        ? readLaunched(path.join(folder, name))
        : { [name]: await splitsOf(path.join(folder, name)) },
    ),
  );
  const runs = Object.entries(mergeSplits(found)).filter(([, splits]) => splits.length > 0);
  if (runs.length === 0) throw new ConfigError(`--runs ${folder}: holds no run; name the folder that has them in it`);
  runs.sort(([a], [b]) => (a < b ? -1 : 1));
  return Promise.all(runs.map(([run, splits]) => mergeRun(folder, run, splits, reporter)));
}

async function mergeRun(
  folder: string,
  run: string,
  launched: readonly number[],
  reporter: Pick<Reporter, "note">,
): Promise<MergedRun> {
  const runFolder = path.join(folder, run);
  const reasons = launched.map((split) => ({ split, reason: whyMissing(splitFolder(runFolder, split)) }));
  const missing = reasons.flatMap(({ split, reason }) => (reason === null ? [] : [{ split, reason }]));
  const splits = reasons.flatMap(({ split, reason }) => (reason === null ? [split] : []));
  return { run, splits, missing, summary: await summarizeSplitsOf(runFolder, splits, { folder: null, reporter }) };
}

/** Reason why a split has no results; null where it has. */
function whyMissing(folder: string): string | null {
  const state = runState(folder);
  if (state.kind === "new") return "has not begun";
  if (state.isFinished) return null;
  return state.isTrained ? "is trained, not tested" : state.hasCheckpoint ? "is unfinished" : "has no checkpoint yet";
}
