import { basename, dirname, join, relative, resolve } from "node:path";
import { ConfigError } from "../../base/errors.js";
import type { Reporter } from "../../base/types.js";
import type { DataConfig } from "../../data/config.js";
import type { ClusterOptions } from "../../engine/cluster/collective.js";
import { holdsCheckpoint, RUN_FILES, splitFolder, splitOf, splitsOf } from "../../train/checkpoint/runFolder.js";
import { runState } from "../../train/checkpoint/runState.js";
import type { MetricsLine } from "../../train/logs/metricsLog.js";
import { RunConfig } from "../../train/runConfig.js";
import { boxByName } from "../box.js";
import { checkConfig, loadConfig } from "../config.js";
import type { WorkOptions } from "../work.js";

/** Config (a path, a name from configs/, or its contents), or a run or one split of it to resume. */
export type TrainSource = string | Readonly<Record<string, unknown>> | { readonly resume: string };

/** Options of `train` and `planTraining`. */
export interface TrainOptions extends WorkOptions {
  /** Changes of the config, `path=value` each. */
  readonly set?: readonly string[];
  /** Numbers of the splits to train, one after the other; 1 by default. */
  readonly split?: number | readonly number[] | undefined;
  /** Folder of the run; `checkpoints/<run>` by default. */
  readonly out?: string | undefined;
  /** True takes an unfinished split of the same config up again, as several splits do; false refuses it. */
  readonly takeUp?: boolean;
  /** Listener to each line of `metrics.jsonl` after it is written, for other trackers; what it throws ends training. */
  readonly onMetrics?: ((line: MetricsLine) => void) | undefined;
  /** Processes that train together, and which of them this one is; each of them calls `train`. */
  readonly cluster?: ClusterOptions | undefined;
  /** Aborted: the step is finished, `last` is saved, and training ends. */
  readonly signal?: AbortSignal;
}

/** One split to train; its folder holds either nothing or this same run. */
export type SplitJob = { readonly folder: string; readonly split: number; readonly config: RunConfig };

/** Splits that were asked for. */
export interface Asked {
  /** The run's folder, absolute. */
  readonly folder: string;
  /** All of them, finished or not. */
  readonly splits: readonly number[];
  /** Those that are to be trained. */
  readonly jobs: readonly SplitJob[];
}

/** Keys that may change on resume: they change neither the network nor its data, or get past what stopped the run. */
const CHANGEABLE_ON_RESUME = [
  "train.epochs",
  "train.maxSkippedSteps",
  "train.microBatch",
  "train.recompute",
  "train.memoryBudgetGB",
  "train.zero",
  "engine.threads",
  "engine.compile",
  "engine.xla",
  "data.cacheMB",
  "data.root",
  "data.onUnreadable",
  "data.onFindings",
  "data.stallSeconds",
  "data.pixelCacheDir",
  "data.pixelCacheGB",
  "logging",
  "mlflow.trackingUri",
  "mlflow.experiment",
];

/** Those of them that change the order of sums; `engine.threads` is noted where the engine is. */
const REORDERING = ["train.microBatch", "train.memoryBudgetGB", "engine.compile", "engine.xla"];

/** Finds the splits to train. @throws {ConfigError} where a folder holds another run, or there is none to resume */
export async function findJobs(
  source: TrainSource,
  options: TrainOptions,
  reporter: Pick<Reporter, "note">,
): Promise<Asked> {
  return isResume(source) ? resumedJobs(source.resume, options, reporter) : newJobs(source, options, reporter);
}

export function isResume(source: TrainSource): source is { readonly resume: string } {
  return typeof source === "object" && typeof source["resume"] === "string";
}

/** Finds the unfinished splits of a config. */
function newJobs(
  source: TrainSource,
  { set = [], split = 1, out, takeUp }: TrainOptions,
  reporter: Pick<Reporter, "note">,
): Asked {
  const loaded = typeof source === "string" ? loadConfig(source, set).config : checkConfig(source, "the config", set);
  const config = withAbsolutePaths(loaded);
  const runFolder = resolve(out ?? join("checkpoints", config.run));
  const splits = [split].flat();
  const jobs = splits.flatMap((number) => {
    const job = { folder: splitFolder(runFolder, number), split: number, config };
    const state = runState(job.folder);
    if (state.kind === "new") return [job];
    if (!isSameConfig(config, state.config)) throw new ConfigError(otherConfig(job.folder, state.configFile));
    if (state.isFinished) reporter.note(finished(job.folder));
    else if (splits.length === 1 && takeUp !== true) throw new ConfigError(unfinished(job.folder));
    return state.isFinished ? [] : [{ ...job, config: changedConfig(state, []) }]; // with what `auto` chose
  });
  return { folder: runFolder, splits, jobs };
}

/** Finds the unfinished splits of a run, with their own configs. @throws {ConfigError} where there is no run */
async function resumedJobs(name: string, { set = [] }: TrainOptions, reporter: Pick<Reporter, "note">): Promise<Asked> {
  const run = resolve(name);
  const one = splitOf(run);
  const splits = one === null ? await splitsOf(run) : [one];
  const runFolder = one === null ? run : dirname(run);
  const known = splits.flatMap((number) => {
    const folder = splitFolder(runFolder, number);
    const state = runState(folder);
    return state.kind === "known" ? [{ folder, split: number, state }] : [];
  });
  if (known.length === 0) throw new ConfigError(`--resume ${name}: ${noRun(run)}`);
  const jobs = known.flatMap(({ folder, split, state }) => {
    const config = changedConfig(state, set);
    if (state.isFinished && isSameConfig(config, state.config)) {
      reporter.note(finished(folder));
      return [];
    }
    if (basename(state.configFile) !== RUN_FILES.config) {
      reporter.note(
        `${folder}: has no ${RUN_FILES.config}; going by the copy in ${relative(folder, state.configFile)}`,
      );
    }
    if (!state.hasCheckpoint) reporter.note(`${folder}: has no whole checkpoint yet; starting from its beginning`);
    else if (set.some((given) => REORDERING.some((key) => given.startsWith(`${key}=`)))) {
      reporter.note(
        `${folder}: ${set.join(", ")}: sums are formed in another order from here on; last bits may differ`,
      );
    }
    return [{ folder, split, config }];
  });
  return { folder: runFolder, splits: known.map(({ split }) => split), jobs };
}

/** Reason why there is nothing to resume, with the folder that was probably meant. */
function noRun(folder: string): string {
  const isInSplit = splitOf(dirname(folder)) !== null;
  return isInSplit && holdsCheckpoint(folder)
    ? `is a checkpoint; name the split that it is part of, ${dirname(folder)}`
    : `is no run and no split of one: there is no ${RUN_FILES.config}`;
}

/** Config of a run with the changes that are allowed. @throws {ConfigError} for any other key */
function changedConfig(
  { config, configFile }: { readonly config: unknown; readonly configFile: string },
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

/** Config with absolute paths, as a run's config.yaml holds it. */
export function withAbsolutePaths(config: RunConfig): RunConfig {
  const { weights } = config.model;
  const { teacher } = config.train;
  return {
    ...config,
    train: { ...config.train, teacher: teacher === null ? null : resolve(boxByName(teacher)) },
    model: { ...config.model, weights: weights === "none" ? weights : resolve(boxByName(weights)) },
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

/**
 * Makes the config's root, sources and photographs absolute, as a run's own `config.yaml` keeps it. Folders stay relative
 * to the root and lists to their folder, so that a moved root (`--set data.root=...`) moves them along.
 */
export function withAbsoluteRoot(config: DataConfig, currentFolder: string): DataConfig {
  const { root, pixelCacheDir, databases } = config;
  return {
    ...config,
    root: resolve(currentFolder, root),
    databases: databases.map((database) => {
      const { source, photos } = database;
      return {
        ...database,
        ...(source === undefined ? {} : { source: resolve(currentFolder, source) }),
        ...(photos === undefined ? {} : { photos: resolve(currentFolder, photos) }),
      };
    }),
    pixelCacheDir: pixelCacheDir === null ? null : resolve(currentFolder, pixelCacheDir),
  };
}

/** Compares by value: `auto` equals whatever the run chose for it, and a key that is newer than the run its default. */
export function isSameConfig(config: RunConfig, saved: unknown): boolean {
  const { data } = RunConfig.safeParse(saved);
  return canonical(config) === canonical(autoWhere(config, data ?? saved));
}

/** `saved` with `auto` where `config` has it. */
export function autoWhere(config: unknown, saved: unknown): unknown {
  if (config === "auto") return config;
  if (!isRecord(config) || !isRecord(saved)) return saved;
  return Object.fromEntries(Object.entries(saved).map(([key, value]) => [key, autoWhere(config[key], value)]));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
