/** What `liqe train` does with the splits that are to be trained: check all of them, then train one after the other. */
import { constants, existsSync, statSync } from "node:fs";
import { access, mkdtemp, rmdir, statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import { dirname, join } from "node:path";
import { ConfigError } from "../../base/errors.js";
import { isNoSpace } from "../../base/files.js";
import { STAGING_PREFIX } from "../../base/folders.js";
import { requireUnlocked } from "../../base/lock.js";
import { packageVersion } from "../../base/packageInfo.js";
import { reasonOf } from "../../base/text.js";
import type { EngineOptions } from "../../cli/options.js";
import type { Progress } from "../../cli/progress.js";
import { listenForStop } from "../../cli/signals.js";
import type { PlannedSplit } from "../../cli/trainPlan.js";
import { describePlan } from "../../cli/trainPlan.js";
import { checkBeforeTraining } from "../../data/audit/beforeTraining.js";
import type { Database } from "../../data/sample.js";
import { peakFlopsPerSecond } from "../../engine/backend/benchmark.js";
import { startEngine } from "../../engine/engine.js";
import type { Architecture } from "../../model/architecture/architecture.js";
import { inferArchitecture } from "../../model/architecture/inferArchitecture.js";
import { presetArchitecture } from "../../model/architecture/presets.js";
import { gridOf } from "../../model/config.js";
import { gridTree } from "../../model/liqe.js";
import { parameterShapes } from "../../model/parameters/shapes.js";
import { requireDeviations, missingLabels } from "../../train/checkLabels.js";
import { loadLast } from "../../train/checkpoint/checkpoint.js";
import { runState } from "../../train/checkpoint/runState.js";
import { chooseMemory } from "../../train/cost/memory.js";
import { probeTraining } from "../../train/cost/probe.js";
import { trainableParameters } from "../../train/optimizer/parameterGroups.js";
import type { RunPlan } from "../../train/plan.js";
import { cropsPerStep } from "../../train/plan.js";
import type { RunConfig } from "../../train/runConfig.js";
import { openWeights } from "../load.js";
import type { SplitJob } from "./trainSplit.js";
import { trainSplit } from "./trainSplit.js";

interface CheckedJob extends SplitJob {
  readonly databases: readonly Database[];
}

interface TrainOptions extends EngineOptions {
  readonly dryRun: boolean;
}

/**
 * Checks every split before the first one costs any time, then trains and evaluates them in turn. The exit code says
 * whether a signal stopped it.
 */
export async function trainSplits(jobs: readonly SplitJob[], options: TrainOptions, progress: Progress): Promise<void> {
  for (const { folder } of jobs) {
    await checkWritable(folder, options);
    if (!options.dryRun) await requireUnlocked(folder);
  }
  const checked = await checkJobs(jobs, progress);
  const [first, ...others] = checked;
  if (first === undefined) return;
  const threads = options.threads ?? first.config.engine.threads;
  const engine = await startEngine(options.engine, { threads });
  if (engine.notice) progress.note(engine.notice);
  progress.note(`computing with ${engine.description}`);
  const peak = peakFlopsPerSecond();
  if (options.dryRun) {
    process.stdout.write(await describeJobs([first, ...others], planOf(first, engine, peak, progress)));
    return;
  }
  const stop = listenForStop(progress.note);
  try {
    for (const job of checked.map((one) => withChosenThreads(one, engine))) {
      await trainSplit(job, planOf(job, engine, peak, progress), options, { progress, stop });
      if (stop.signal.aborted) break;
    }
    const exitCode = stop.exitCode();
    if (exitCode !== undefined) process.exitCode = exitCode;
  } finally {
    stop.dispose();
  }
}

/** @throws {DataError} {CheckpointError} {ConfigError} before anything is written */
async function checkJobs(jobs: readonly SplitJob[], progress: Progress): Promise<CheckedJob[]> {
  const checked: CheckedJob[] = [];
  for (const job of jobs) {
    const { data, prompts, model, losses } = job.config;
    const { labels, axes } = gridOf(prompts);
    const { note, report } = progress;
    const databases = await checkBeforeTraining(data, job.split, { tables: labels, note, report });
    requireDeviations(databases, losses);
    for (const line of missingLabels(databases, axes)) progress.note(line);
    const architecture = await readArchitecture(model, job.folder);
    trainableParameters(parameterShapes(architecture).keys(), job.config.train.freeze); // throws where a pattern does not fit
    checked.push({ ...job, databases, config: withChosenMemory(job.config, databases, architecture) });
  }
  return checked;
}

/**
 * The network that is to be trained. Weights are read whole: a run should not fail an hour later for what its first
 * second can tell. A run with a checkpoint needs its first weights no more.
 */
async function readArchitecture({ preset, weights }: RunConfig["model"], folder: string): Promise<Architecture> {
  const state = runState(folder);
  if (weights === "none" && preset !== undefined) return presetArchitecture(preset);
  const isBegun = state.kind === "known" && state.hasCheckpoint;
  const begun = isBegun ? await loadLast(folder, { withOptimizer: false }) : null;
  const opened = begun?.checkpoint ?? (await openWeights(weights, null, preset));
  return inferArchitecture(new Map([...opened.weights].map(([name, { shape }]) => [name, shape])), weights);
}

/** What `auto` chose, to be written into the run's config and kept. */
function withChosenMemory(config: RunConfig, databases: readonly Database[], architecture: Architecture): RunConfig {
  const crops = cropsPerStep({ databases, settings: config });
  const tree = gridTree(gridOf(config.prompts), architecture.text.contextLength);
  return {
    ...config,
    train: { ...config.train, ...chooseMemory(config.train, { architecture, tree, crops }, totalmem()) },
  };
}

/** The threads that `auto` came to, written into the run's config and kept: sums depend on them in their last bits. */
function withChosenThreads(job: CheckedJob, { backend, threads }: RunPlan["engine"]): CheckedJob {
  const { config } = job;
  if (config.engine.threads !== "auto" || backend !== "native") return job; // only the native engine has threads
  return { ...job, config: { ...config, engine: { ...config.engine, threads } } };
}

function planOf(
  { folder, split, config, databases }: CheckedJob,
  { backend, threads }: RunPlan["engine"],
  peakFlopsPerSecond: number,
  progress: Progress,
): RunPlan {
  return {
    folder,
    split,
    settings: config,
    config: { ...config },
    labels: gridOf(config.prompts).labels,
    databases,
    packageVersion: packageVersion(),
    engine: { backend, threads },
    peakFlopsPerSecond,
    reports: { training: progress.training, note: progress.note, progress: progress.report },
    now: () => Date.now(),
  };
}

/** What is planned for the jobs, and what it costs by a probe of the first. */
async function describeJobs(jobs: readonly [CheckedJob, ...CheckedJob[]], plan: RunPlan): Promise<string> {
  const probe = await probeTraining(plan);
  const [first, ...others] = jobs;
  const { bavail, bsize } = await statfs(nearestFolder(first.folder));
  const machine = {
    peakFlopsPerSecond: plan.peakFlopsPerSecond,
    memoryBytes: totalmem(),
    freeDiskBytes: bavail * bsize,
  };
  return describePlan([planned(first), ...others.map(planned)], probe, machine);
}

function planned(job: CheckedJob): PlannedSplit {
  const state = runState(job.folder);
  return { ...job, stepsDone: state.kind === "known" ? state.stepsDone : 0 };
}

/**
 * Makes a folder in the nearest one that is there and removes it again: permissions alone do not tell of file systems
 * that are read-only or take no folders. A dry run, which writes nothing, asks for the permissions.
 *
 * @throws {ConfigError} where the run's folder cannot be made or written to
 */
async function checkWritable(folder: string, { dryRun }: { readonly dryRun: boolean }): Promise<void> {
  const there = nearestFolder(folder);
  const problem = statSync(there).isDirectory() ? await refusalOf(there, dryRun) : "is a file";
  if (problem === null) return;
  throw new ConfigError(`${folder}: cannot be the run's folder: ${there} ${problem}; give another one (--out)`);
}

async function refusalOf(there: string, dryRun: boolean): Promise<string | null> {
  try {
    if (dryRun) await access(there, constants.W_OK);
    else await rmdir(await mkdtemp(join(there, STAGING_PREFIX)));
    return null;
  } catch (error) {
    if (isNoSpace(error)) throw error; // which has an exit code of its own
    return `must not be written to (${reasonOf(error)})`;
  }
}

/** The folder itself, or the first above it that is there. */
function nearestFolder(folder: string): string {
  return existsSync(folder) ? folder : nearestFolder(dirname(folder));
}
