import path from "node:path";
import { ConfigError } from "../../base/errors.js";
import type { Reporter } from "../../base/types.js";
import type { Collective } from "../../engine/cluster/collective.js";
import type { Results } from "../../evaluate/results/results.js";
import type { SplitSummary } from "../../evaluate/results/splitSummary.js";
import { RUN_FILES, splitFolder } from "../../train/checkpoint/runFolder.js";
import { holdsLast, runState } from "../../train/checkpoint/runState.js";
import type { RunPlan } from "../../train/plan.js";
import { summarizeRun } from "../report/splitReport.js";
import { reporterOf, type WorkEvent } from "../work.js";
import { type Asked, findJobs, type TrainOptions, type TrainSource } from "./jobs.js";
import { jobsAlong, ownEngine } from "./jobsAlong.js";
import type { ScoringBy } from "./testTogether.js";
import { logged } from "./trainLog.js";

/** Run that was trained, to its end or until it was stopped. */
export interface TrainedRun {
  /** Absolute path of the run. */
  readonly folder: string;
  readonly state: "finished" | "stopped";
  /** Folder of the first split's best checkpoint, for `load`. */
  readonly best: string;
  /** Splits that were asked for; those finished earlier have no results here. */
  readonly splits: readonly TrainedSplit[];
  /** Statistics over several splits; null for one split, and until all are finished. */
  readonly summary: SplitSummary | null;
}

/** Split of a trained run. */
export interface TrainedSplit {
  /** Number from 1. */
  readonly split: number;
  /** Absolute path of the split. */
  readonly folder: string;
  readonly state: "finished" | "stopped";
  /** Results of the best checkpoint on the test lists. */
  readonly results: Results | null;
}

/**
 * Trains the splits of a run: checks all of them first, trains each, and evaluates its best checkpoint on its test lists.
 * Everything is written into the run's folder; a finished split is not trained again.
 * @param source  a config, or a run to resume; of several processes (`cluster`) only the first one needs it
 * @throws {@link ConfigError}, {@link DataError}, {@link CheckpointError}, {@link EngineError} before anything is written
 * @throws {@link NonFiniteLossError}, {@link NoSpaceError}, {@link DiskError}, {@link StalledReadError} with the last checkpoint whole
 * @example
 * ```ts
 * import { load, train } from "liqe-train";
 *
 * const run = await train("kadid.yaml", { split: 1, set: ["train.epochs=1"] });
 * console.log(run.state, run.splits[0]?.results?.mean.srcc.value); // no results where the run was finished before
 * const model = await load(run.best);
 * console.log(await model.score("photo.jpg"));
 * model.dispose();
 * ```
 */
export async function train(source: TrainSource | undefined, options: TrainOptions = {}): Promise<TrainedRun> {
  const { signal = new AbortController().signal, onProgress } = options;
  const early: string[] = [];
  const onEarly = (event: WorkEvent) => {
    if (event.kind === "note") early.push(event.line);
    onProgress?.(event);
  };
  const reporter = reporterOf({ onProgress: onEarly });
  const { group, asked } = await findTogether(source, options, reporter);
  const { folder, splits, jobs } = asked;
  const { checkRun } = await import("./checkRun.js"); // these take half a second: not for a misspelt config
  const { together } = await import("./cluster.js");
  const { RankShare } = await import("../../train/rankShare.js");
  const { trainSplit } = await import("../../train/run.js");
  const { validateRun } = await import("../../train/validate.js");
  const { testTogether } = await import("./testTogether.js");
  const share = group === null ? null : new RankShare(group, signal);
  const trained = new Map<number, TrainedSplit>();
  for (const checked of jobs.length === 0
    ? []
    : await checkRun(jobs, { ...options, onProgress: onEarly, isDry: false, share })) {
    onProgress?.({ kind: "phase", phase: "training" });
    const logs = { next: onProgress, before: early, rank: group?.rank ?? null };
    const logging = { ...options, onProgress: await together(group, () => logged(checked.folder, logs)) };
    const reporter = reporterOf(logging);
    const plan = { ...checked, reporter, onMetrics: options.onMetrics };
    reporter.note(`${holdsLast(plan.folder) ? "going on with" : "training"} ${plan.folder}`);
    const { finished } = await trainSplit(plan, {
      validate: (model, features) => validateRun(model, plan, { signal, features }),
      signal,
    });
    const test = (scoring?: ScoringBy) => tested(plan, { ...logging, signal, scoring }, finished);
    const first =
      share === null ? await test() : await testTogether(share, { ...plan, onProgress: logging.onProgress }, test);
    trained.set(plan.split, first ?? trainedAlong(plan, finished));
    if (share !== null) await share.agreeToStop();
    if (share?.isStopping ?? signal.aborted) break;
  }
  await group?.leave();
  const isFirst = group === null || group.rank === 0;
  const all = splits.map((split) => trained.get(split) ?? untrained(asked, split, isFirst));
  return {
    folder,
    state: all.every(({ state }) => state === "finished") ? "finished" : "stopped",
    best: path.join(all[0]?.folder ?? folder, RUN_FILES.best),
    splits: all,
    summary: splits.length > 1 && isFirst ? await summarizeRun(folder, splits, reporter) : null,
  };
}

/** Splits to train and, where several processes train them together, those processes; the first one decides. */
async function findTogether(
  source: TrainSource | undefined,
  options: TrainOptions,
  reporter: Reporter,
): Promise<{ readonly group: Collective | null; readonly asked: Asked }> {
  const { cluster } = options;
  const find = () => {
    if (source === undefined) throw new ConfigError("train: needs a config, or a run to resume");
    return findJobs(source, options, reporter);
  };
  if (cluster === undefined || cluster.addresses.length < 2) return { group: null, asked: await find() };
  const [{ joinCluster, together }, { openEngine }] = await Promise.all([import("./cluster.js"), import("../work.js")]);
  const look = async () => {
    if (cluster.rank > 0) return { own: null, engine: ownEngine(source, options) };
    const asked = await find();
    return { own: asked, engine: asked.jobs[0]?.config.engine };
  };
  const [looked] = await Promise.allSettled([look()]); // what is wrong is said once all are there: the others wait
  await openEngine(options, looked.status === "fulfilled" ? looked.value.engine : undefined);
  const group = await joinCluster(cluster);
  const { own } = await together(group, () => {
    if (looked.status === "rejected") throw looked.reason;
    return looked.value;
  });
  const [first] = await group.gatherJson(own);
  if (first === undefined || first === null) throw new Error("internal: train: rank 0 has not said what to train");
  return { group, asked: await together(group, () => own ?? jobsAlong(first, source, options)) };
}

/** Split that a process other than the first one has trained along. */
function trainedAlong({ split, folder }: RunPlan, isFinished: boolean): TrainedSplit {
  return { split, folder, state: isFinished ? "finished" : "stopped", results: null };
}

interface TestOptions extends TrainOptions {
  readonly signal: AbortSignal;
  /** Way of scoring where several processes test together; this one alone by default. */
  readonly scoring?: ScoringBy | undefined;
}

/** Trained split, evaluated where it is finished and nobody asked to stop; says how to go on where not. */
async function tested(plan: RunPlan, options: TestOptions, isFinished: boolean): Promise<TrainedSplit> {
  const { split, folder, reporter } = plan;
  const goOn = `with: liqe train --resume ${folder}`;
  if (!isFinished) reporter.note(`stopped and saved; go on ${goOn}`);
  else if (options.signal.aborted) reporter.note(`trained and saved; test it ${goOn}`);
  const results = isFinished && !options.signal.aborted ? await testSplit(plan, options) : null;
  return { split, folder, state: results === null ? "stopped" : "finished", results };
}

/** Evaluates the best checkpoint on the test lists, which nothing has read before, by the run's present config. */
async function testSplit({ folder, engine }: RunPlan, options: TestOptions): Promise<Results> {
  options.onProgress?.({ kind: "phase", phase: "evaluating" });
  const config = path.join(folder, RUN_FILES.config); // databases may have moved since the best checkpoint was saved
  const { evaluateCheckpoint } = await import("../evaluate/evaluate.js");
  const { diskFault } = await import("../../train/run.js");
  const asTrained = { set: [], split: undefined, config, threads: engine.threads, save: true, seen: "drop" } as const;
  try {
    return (await evaluateCheckpoint(folder, { ...options, ...asTrained })).results;
  } catch (error) {
    throw diskFault(folder, error) ?? error;
  }
}

/** Split that this call did not train. Of a process that trains along, rank 0 has the folder: what is no job is finished. */
function untrained({ folder: runFolder, jobs }: Asked, split: number, isFirst: boolean): TrainedSplit {
  const folder = splitFolder(runFolder, split);
  const state = runState(folder);
  const isFinished = isFirst ? state.kind === "known" && state.isFinished : jobs.every((job) => job.split !== split);
  return { split, folder, state: isFinished ? "finished" : "stopped", results: null };
}
