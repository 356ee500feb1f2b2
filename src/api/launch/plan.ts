/** Many runs of one config: their names, their jobs, and how to call the one with a number. */
import path from "node:path";
import { ConfigError } from "../../base/errors.js";
import { writeFileAtomic } from "../../base/files.js";
import { makeFolders } from "../../base/folders.js";
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
  return parts.map((value) => `${name}=${value}`);
}

function combinations(lists: readonly (readonly string[])[]): string[][] {
  return lists.reduce<string[][]>((found, list) => found.flatMap((one) => list.map((item) => [...one, item])), [[]]);
}

/** End of the name of the file that says which runs were launched. */
export const PLAN_FILE = ".launch.json";

/** Writes down what was launched, so that what is missing can be named: `<folder>/<run>.launch.json`. */
export async function recordPlan({ base, runs, splits, folder }: LaunchPlan): Promise<void> {
  await makeFolders(folder);
  const contents = { run: base, runs: runs.map(({ name }) => name), splits };
  await writeFileAtomic(path.join(folder, `${base}${PLAN_FILE}`), `${JSON.stringify(contents, null, 2)}\n`);
}
