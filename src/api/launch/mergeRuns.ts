import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { ConfigError, DataError } from "../../base/errors.js";
import { jsonOf, reasonOf } from "../../base/text.js";
import { SILENT } from "../../base/types.js";
import { readResults, type SplitSummary } from "../../evaluate/results/splitSummary.js";
import { RUN_FILES, splitFolder, splitsOf } from "../../train/checkpoint/runFolder.js";
import { runState } from "../../train/checkpoint/runState.js";
import { summarizeResults, wayOf } from "../report/splitReport.js";
import { PLAN_FILE } from "./plan.js";

/** Results of a run's splits, and the splits that have none. */
export interface MergedRun {
  readonly run: string;
  /** Splits with results. */
  readonly splits: readonly number[];
  readonly missing: readonly { readonly split: number; readonly reason: string }[];
  /** Statistics over the splits with results; null for none, and where they were evaluated in different ways. */
  readonly summary: SplitSummary | null;
}

const Plan = z.object({ runs: z.array(z.string()), splits: z.array(z.number()) });

/**
 * Merges the results that runs left in a folder: those of `<run>.launch.json`, and those that lie there besides.
 * @throws {ConfigError} where the folder cannot be read or holds no run
 * @throws {DataError}   where results cannot be read
 */
export async function mergeRuns(folder: string): Promise<MergedRun[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw new ConfigError(`--runs ${folder}: cannot be read (${reasonOf(error)}); name the folder of runs`);
  });
  const expected = new Map<string, Set<number>>();
  const expect = (run: string, splits: readonly number[]) => {
    const known = expected.get(run) ?? new Set();
    for (const split of splits) known.add(split);
    if (known.size > 0) expected.set(run, known);
  };
  for (const name of names.sort()) {
    if (!name.endsWith(PLAN_FILE)) expect(name, await splitsOf(path.join(folder, name)));
    else for (const run of (await readPlan(path.join(folder, name))).runs) expect(run.name, run.splits);
  }
  if (expected.size === 0) throw new ConfigError(`--runs ${folder}: holds no run; name the folder that has them in it`);
  const sorted = [...expected].sort(([a], [b]) => (a < b ? -1 : 1));
  return Promise.all(
    sorted.map(([run, splits]) =>
      mergeRun(
        folder,
        run,
        [...splits].sort((a, b) => a - b),
      ),
    ),
  );
}

async function readPlan(file: string) {
  const plan = Plan.safeParse(jsonOf(await readFile(file, "utf8"))).data;
  if (plan === undefined) throw new DataError(`${file}: is no list of launched runs; remove it, or launch again`);
  return { runs: plan.runs.map((name) => ({ name, splits: plan.splits })) };
}

async function mergeRun(folder: string, run: string, splits: readonly number[]): Promise<MergedRun> {
  const runFolder = path.join(folder, run);
  const reasons = splits.map((split) => ({ split, reason: whyMissing(splitFolder(runFolder, split)) }));
  const missing = reasons.flatMap(({ split, reason }) => (reason === null ? [] : [{ split, reason }]));
  const there = reasons.flatMap(({ split, reason }) => (reason === null ? [split] : []));
  const results = await Promise.all(
    there.map((split) => readResults(path.join(splitFolder(runFolder, split), RUN_FILES.results))),
  );
  const [first] = results;
  const isOneWay = new Set(results.map(wayOf)).size === 1;
  const databases = results.flatMap((one, i) => one.databases.filter(({ split }) => split === there[i]));
  const place = { checkpoint: runFolder, folder: null };
  const summary =
    first !== undefined && isOneWay ? await summarizeResults({ ...first, databases }, place, SILENT) : null;
  return { run, splits: there, missing, summary };
}

/** Reason why a split has no results; null where it has. */
function whyMissing(folder: string): string | null {
  const state = runState(folder);
  if (state.kind === "new") return "has not begun";
  if (state.isFinished) return null;
  return state.isTrained ? "is trained, not tested" : state.hasCheckpoint ? "is unfinished" : "has no checkpoint yet";
}
