/** Many runs of one config: their names, their jobs, and how to call the one with a number. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { ConfigError, DataError } from "../../base/errors.js";
import { isCode, writeFileAtomic } from "../../base/files.js";
import { makeFolders } from "../../base/folders.js";
import { jsonOf } from "../../base/text.js";
import { loadConfig } from "../config.js";

/** Options that decide what is trained. */
export interface LaunchOptions {
  /** Config of all runs: a path or a name from configs/. */
  readonly config: string;
  /** Changes of the config for all runs, `path=value` each. */
  readonly set?: readonly string[];
  /** Numbers of the splits. */
  readonly split: readonly number[];
  /** Values that runs differ by, `path=a,b` each; with several, every combination is a run. */
  readonly sweep?: readonly string[];
  /** Folder of the runs; `checkpoints` by default. */
  readonly runs?: string | undefined;
}

/** Run of a plan. */
interface PlannedRun {
  /** `<run>`, or `<run>-<path>=<value>` for each swept path. */
  readonly name: string;
  /** Changes of the config, its name among them. */
  readonly set: readonly string[];
}

/** Runs, and the splits of each. */
export interface LaunchPlan {
  /** Name of the config's run. */
  readonly base: string;
  readonly config: string;
  readonly runs: readonly PlannedRun[];
  readonly splits: readonly number[];
  /** Folder of the runs. */
  readonly folder: string;
}

/** One split of one run; jobs are numbered from 0, splits of a run one after the other. */
export interface LaunchJob {
  readonly run: PlannedRun;
  readonly split: number;
  /** Folder of the run. */
  readonly folder: string;
}

/** Plans the runs, and reads the config of each. @throws {ConfigError} where one is wrong, or two have one name */
export function planLaunch({ config, set = [], split, sweep = [], runs = "checkpoints" }: LaunchOptions): LaunchPlan {
  const changes = combinations(sweep.map(parseSweep));
  const base = loadConfig(config, [...set, ...(changes[0] ?? [])]).config.run;
  const planned = changes.map((changed) => {
    const name = [base, ...changed].join("-").replaceAll(/[^A-Za-z0-9._=-]/g, "_");
    return { name, set: [...set, ...changed, `run=${name}`] };
  });
  const twice = planned.find(({ name }, i) => planned.findIndex((other) => other.name === name) < i);
  if (twice !== undefined) throw new ConfigError(`--sweep: two runs would be named ${twice.name}; leave one value out`);
  for (const run of planned) loadConfig(config, run.set);
  return { base, config, runs: planned, splits: split, folder: runs };
}

export function jobsOf({ runs, splits, folder }: LaunchPlan): LaunchJob[] {
  return runs.flatMap((run) => splits.map((split) => ({ run, split, folder: path.join(folder, run.name) })));
}

/** `path=a,b` → `path=a` and `path=b`; a comma inside brackets or braces separates nothing. */
function parseSweep(given: string): string[] {
  const [, name, values] = /^([A-Za-z][\w.[\]]*)=(.+)$/.exec(given) ?? [];
  if (name === undefined || values === undefined) {
    throw new ConfigError(`--sweep ${given}: must be path=a,b, such as train.learningRate=1e-5,5e-6`);
  }
  const parts = values.match(/(?:\[[^\]]*\]|\{[^}]*\}|[^,[{])+/g) ?? [];
  if (parts.join(",") !== values)
    throw new ConfigError(
      `--sweep ${given}: has an empty value, or a bracket that is not closed; leave it out, or close it`,
    );
  return parts.map((value) => `${name}=${value}`);
}

function combinations(lists: readonly (readonly string[])[]): string[][] {
  return lists.reduce<string[][]>((found, list) => found.flatMap((one) => list.map((item) => [...one, item])), [[]]);
}

/** Resources of one job. */
export interface Resources {
  readonly cpus: number;
  /** Megabytes. */
  readonly memory: number;
  readonly gpus: number;
  /** Jobs at once; all that there is room for where undefined. */
  readonly atOnce?: number | undefined;
}

/** Environment variables by which schedulers number the jobs of an array. */
const INDEX_VARIABLES = ["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"];

/** Number of a job by `--index`: itself, or `env` for what the scheduler says. @throws {ConfigError} where it is none */
export function jobIndex(given: string, jobs: number, env: Readonly<Record<string, string | undefined>>): number {
  const named = INDEX_VARIABLES.find((name) => env[name] !== undefined);
  const text = given === "env" ? (named === undefined ? undefined : env[named]) : given;
  if (text === undefined)
    throw new ConfigError(`--index env: neither ${INDEX_VARIABLES.join(" nor ")} is set; give a number`);
  if (/^\d{1,9}$/.test(text) && Number(text) < jobs) return Number(text);
  throw new ConfigError(`--index: must be from 0 to ${jobs - 1}, one of ${jobs} jobs, got "${text}"`);
}

/** End of the name of the file that says which runs were launched. */
export const PLAN_FILE = ".launch.json";

const Launched = z.object({ runs: z.record(z.string(), z.array(z.int())) });

/** Splits that were launched of each run. */
type LaunchedSplits = Readonly<Record<string, readonly number[]>>;

/** Splits of runs, as a `.launch.json` has them. @throws {DataError} where it is none */
export async function readLaunched(file: string): Promise<LaunchedSplits> {
  const launched = Launched.safeParse(jsonOf(await readFile(file, "utf8"))).data;
  if (launched === undefined) throw new DataError(`${file}: is no list of launched runs; remove it, and launch again`);
  return launched.runs;
}

/**
 * Adds what is launched to what was, so that what is missing can be named: `<folder>/<run>.launch.json`.
 * @throws {DataError} where that file is something else
 */
export async function recordPlan({ base, runs, splits, folder }: LaunchPlan): Promise<void> {
  await makeFolders(folder);
  const file = path.join(folder, `${base}${PLAN_FILE}`);
  const before = await readLaunched(file).catch((error: unknown): LaunchedSplits => {
    if (isCode(error, "ENOENT")) return {};
    throw error;
  });
  const launched = mergeSplits([before, Object.fromEntries(runs.map(({ name }) => [name, splits]))]);
  const isKnown = runs.every(({ name }) => splits.every((split) => before[name]?.includes(split) === true));
  if (!isKnown) await writeFileAtomic(file, `${JSON.stringify({ runs: launched }, null, 2)}\n`);
}

/** Splits of each run that any of the records has, ascending. */
export function mergeSplits(records: readonly LaunchedSplits[]): LaunchedSplits {
  const merged = new Map<string, readonly number[]>();
  for (const [run, splits] of records.flatMap((record) => Object.entries(record))) {
    merged.set(
      run,
      [...new Set([...(merged.get(run) ?? []), ...splits])].sort((a, b) => a - b),
    );
  }
  return Object.fromEntries(merged);
}
