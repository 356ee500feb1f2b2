/** `liqe train`: which splits are to be trained, and what is done with each. */
import { basename, dirname, join, relative, resolve } from "node:path";
import { ConfigError } from "../../base/errors.js";
import { parseSplits } from "../../cli/arguments.js";
import type { EngineOptions } from "../../cli/options.js";
import type { Progress } from "../../cli/progress.js";
import { createProgress } from "../../cli/progress.js";
import { withAbsoluteRoot } from "../../data/config.js";
import { holdsCheckpoint, RUN_FILES, splitFolder, splitOf, splitsOf } from "../../train/checkpoint/runFolder.js";
import type { KnownRun } from "../../train/checkpoint/runState.js";
import { isSameConfig, runState } from "../../train/checkpoint/runState.js";
import type { RunConfig } from "../../train/runConfig.js";
import { checkConfig, loadConfig } from "../config.js";
import type { SplitJob } from "./trainSplit.js";

interface TrainCommandOptions extends EngineOptions {
  readonly config: string | undefined;
  readonly set: readonly string[];
  readonly split: string | undefined;
  readonly out: string | undefined;
  readonly resume: string | undefined;
  readonly dryRun: boolean;
}

/**
 * Keys that `--set` may change on a run that is taken up again: they change neither the network nor its data, or say how
 * to get past what stopped it.
 */
const CHANGEABLE_ON_RESUME = [
  "train.epochs",
  "train.maxSkippedSteps",
  "data.root",
  "data.onUnreadable",
  "data.onFindings",
  "data.stallSeconds",
  "data.pixelCacheDir",
  "data.pixelCacheGB",
];

/** What the command line asks for. */
interface Asked {
  readonly runFolder: string;
  /** All of them, finished or not. */
  readonly splits: readonly number[];
  /** Those that are to be trained. */
  readonly jobs: SplitJob[];
}

/** Does what the command line asks for; results go to standard output. */
export async function trainRuns(options: TrainCommandOptions): Promise<void> {
  const progress = createProgress();
  try {
    const asked = options.resume === undefined ? newJobs(options, progress) : await resumedJobs(options, progress);
    if (asked.jobs.length > 0) {
      const { trainSplits } = await import("./checkRun.js"); // half a second: not for a misspelt config
      await trainSplits(asked.jobs, options, progress);
    }
    if (asked.splits.length > 1 && !options.dryRun) {
      const { reportRun } = await import("../report/splitReport.js");
      await reportRun(asked.runFolder, asked.splits, progress);
    }
  } finally {
    progress.stop();
  }
}

/**
 * The splits that `--config` asks for and that are not finished.
 *
 * @throws {ConfigError} where a folder holds another run, or this one unfinished and one split was asked for
 */
function newJobs({ config: name, set, split, out }: TrainCommandOptions, progress: Progress): Asked {
  if (name === undefined) throw new ConfigError('liqe train: needs --config or --resume\nSee "liqe train --help".');
  const loaded = loadConfig(name, set).config;
  const config = withAbsolutePaths(loaded);
  const runFolder = resolve(out ?? join("checkpoints", config.run));
  const splits = parseSplits(split ?? "1");
  const jobs = splits.flatMap((number) => {
    const job = { folder: splitFolder(runFolder, number), split: number, config };
    const state = runState(job.folder);
    if (state.kind === "new") return [job];
    if (!isSameConfig(config, state.config)) throw new ConfigError(otherConfig(job.folder, state.configFile));
    if (state.isFinished) progress.note(finished(job.folder));
    else if (splits.length === 1) throw new ConfigError(unfinished(job.folder));
    return state.isFinished ? [] : [{ ...job, config: changedConfig(state, []) }]; // with what `auto` chose
  });
  return { runFolder, splits, jobs };
}

/** The unfinished splits of a run, by their own configs. @throws {ConfigError} where there is no run */
async function resumedJobs({ resume, set }: TrainCommandOptions, progress: Progress): Promise<Asked> {
  const run = resolve(resume ?? "");
  const one = splitOf(run);
  const splits = one === null ? await splitsOf(run) : [one];
  const runFolder = one === null ? run : dirname(run);
  const known = splits.flatMap((number) => {
    const folder = splitFolder(runFolder, number);
    const state = runState(folder);
    return state.kind === "known" ? [{ folder, split: number, state }] : [];
  });
  if (known.length === 0) throw new ConfigError(`--resume ${resume ?? ""}: ${noRun(run)}`);
  const jobs = known.flatMap(({ folder, split, state }) => {
    const config = changedConfig(state, set);
    if (state.isFinished && isSameConfig(config, state.config)) {
      progress.note(finished(folder));
      return [];
    }
    if (basename(state.configFile) !== RUN_FILES.config) {
      progress.note(
        `${folder}: has no ${RUN_FILES.config}; going by the copy in ${relative(folder, state.configFile)}`,
      );
    }
    if (!state.hasCheckpoint) progress.note(`${folder}: has no whole checkpoint yet; starting from its beginning`);
    return [{ folder, split, config }];
  });
  return { runFolder, splits: known.map(({ split }) => split), jobs };
}

/** Why there is nothing to resume, with what was probably meant. */
function noRun(folder: string): string {
  const isInSplit = splitOf(dirname(folder)) !== null;
  return isInSplit && holdsCheckpoint(folder)
    ? `is a checkpoint; name the split that it is part of, ${dirname(folder)}`
    : `is no run and no split of one: there is no ${RUN_FILES.config}`;
}

/** A run's own config with what `--set` may change. @throws {ConfigError} for any other key */
function changedConfig(
  { config, configFile }: Pick<KnownRun, "config" | "configFile">,
  set: readonly string[],
): RunConfig {
  const refused = set.filter((given) => !CHANGEABLE_ON_RESUME.some((key) => given.startsWith(`${key}=`)));
  if (refused.length > 0) {
    throw new ConfigError(
      `--set ${refused.join(", ")}: a run that is taken up again keeps its config, but for ${CHANGEABLE_ON_RESUME.join(", ")}`,
    );
  }
  return withAbsolutePaths(checkConfig(config, configFile, set));
}

/** What a run's config.yaml holds: paths that mean the same from every folder. */
function withAbsolutePaths(config: RunConfig): RunConfig {
  const { weights } = config.model;
  return {
    ...config,
    model: { ...config.model, weights: weights === "none" ? weights : resolve(weights) },
    data: withAbsoluteRoot(config.data, process.cwd()),
  };
}

function finished(folder: string): string {
  return `${folder}: is finished already; its table is in ${RUN_FILES.results}`;
}

function unfinished(folder: string): string {
  return `${folder}: holds this run, unfinished; go on with: liqe train --resume ${folder}`;
}

function otherConfig(folder: string, configFile: string): string {
  return (
    `${folder}: holds a run with another config (its ${relative(folder, configFile)}); nothing was touched. ` +
    "Give this run another name (run:) or folder (--out)"
  );
}
