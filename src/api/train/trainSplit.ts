/** What `liqe train` does with one split: train it from where its folder stands, then score its test images. */
import { join } from "node:path";
import path from "node:path";
import { NoSpaceError } from "../../base/errors.js";
import { isNoSpace, writeFileAtomic } from "../../base/files.js";
import { makeFolders } from "../../base/folders.js";
import { withLock } from "../../base/lock.js";
import type { EngineOptions } from "../../cli/options.js";
import type { Progress } from "../../cli/progress.js";
import type { StopRequest } from "../../cli/signals.js";
import { recordRandomSplits } from "../../data/openDatabases.js";
import type { ScoreOptions } from "../../evaluate/scoring/scoreImages.js";
import { EVALUATION_BATCH } from "../../evaluate/scoring/scoreImages.js";
import { holdsCheckpoint, RUN_FILES } from "../../train/checkpoint/runFolder.js";
import { runState } from "../../train/checkpoint/runState.js";
import type { RunPlan } from "../../train/plan.js";
import { trainFromCheckpoint } from "../../train/run.js";
import type { RunConfig } from "../../train/runConfig.js";
import type { RunValidation } from "../../train/validate.js";
import { validate } from "../../train/validate.js";
import { formatConfig } from "../config.js";
import { evaluateRun } from "../evaluate.js";

/** Whom a split tells how it is doing, and who may ask it to stop. */
interface Watchers {
  readonly progress: Progress;
  readonly stop: StopRequest;
}

/**
 * Trains to the end, or until it is asked to stop, and evaluates what it came to.
 *
 * @throws {NoSpaceError} {ConfigError} where the disk is full, or another process works on the folder; and what
 *                        `trainFromCheckpoint` throws
 */
export async function trainSplit(job: SplitJob, plan: RunPlan, options: EngineOptions, watchers: Watchers) {
  const { folder } = job;
  const { progress, stop } = watchers;
  await namingFullDisk(folder, async () => {
    await makeFolders(folder);
    await withLock(folder, async () => {
      const isTrained = await train(job, plan, watchers);
      if (!isTrained) progress.note(`stopped and saved; go on with: liqe train --resume ${folder}`);
      else if (stop.signal.aborted) progress.note(`trained and saved; test it with: liqe train --resume ${folder}`);
      else await stop.endingAtOnce(() => evaluateBest(job, { ...options, threads: plan.engine.threads }, progress));
    });
  });
}

/** @returns whether training reached its end; a signal may have stopped it */
async function train(
  { folder, config }: SplitJob,
  plan: RunPlan,
  { progress, stop: { signal } }: Watchers,
): Promise<boolean> {
  const state = runState(folder);
  await recordRandomSplits(config.data, plan.databases, plan.split);
  await writeFileAtomic(join(folder, RUN_FILES.config), formatConfig(config));
  progress.note(`${state.kind === "known" && state.hasCheckpoint ? "going on with" : "training"} ${folder}`);
  const { labels, databases } = plan;
  const names = { scenes: labels.scenes, distortions: Object.keys(labels.distortions) };
  const crops = config.evaluate.validationCrops;
  const options: ScoreOptions = { crops, microBatch: EVALUATION_BATCH, order: "name", images: config.data, signal };
  const reached = await trainFromCheckpoint(plan, {
    validate: async (model) => {
      try {
        const result = await validate(model, databases, names, options, progress.report);
        progress.note(describeValidation(result));
        return result;
      } catch (error) {
        if (signal.aborted && error === signal.reason) return null;
        throw error;
      }
    },
    stopRequested: () => signal.aborted,
  });
  return reached.finished;
}

/** The best checkpoint on the test lists, which nothing has looked at before. */
async function evaluateBest({ folder }: SplitJob, { engine, threads }: EngineOptions, progress: Progress) {
  progress.stop();
  const unset = { split: undefined, list: undefined, images: undefined, protocol: undefined };
  const own = { ...unset, crops: undefined, small: undefined, out: undefined, set: [] };
  // By the run's config as it is now: databases may have moved since the best checkpoint was saved
  await evaluateRun({ ...own, checkpoint: folder, config: join(folder, RUN_FILES.config), engine, threads });
}

function describeValidation({ srcc, databases }: RunValidation): string {
  const figure = (value: number | null) => (value === null ? "none" : value.toFixed(3));
  const parts = databases.map(
    ({ name, srcc: own, sceneAccuracy, distortionAccuracy }) =>
      `${name}: SRCC ${figure(own)}, scene ${figure(sceneAccuracy)}, distortion ${figure(distortionAccuracy)}`,
  );
  return parts.length === 0 ? "no validation lists" : `validation: mean SRCC ${figure(srcc)}  (${parts.join("; ")})`;
}

/** One split to train, its folder and its config; the folder holds either nothing or this same run. */
export interface SplitJob {
  readonly folder: string;
  readonly split: number;
  readonly config: RunConfig;
}

/**
 * Does the work; where it meets a full disk, says so with what is left of the run in the split's folder.
 *
 * @throws {NoSpaceError} in place of the file system's error; any other error as it is
 */
async function namingFullDisk<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    const whole = [RUN_FILES.last, RUN_FILES.previous].map((name) => path.join(folder, name)).find(holdsCheckpoint);
    const left = whole === undefined ? "no checkpoint was saved yet" : `${whole} is whole`;
    throw new NoSpaceError(
      `${folder}: stopped, no room for what was to be written (${error.message}); ${left}. ` +
        `Make room and go on with: liqe train --resume ${folder}`,
      { cause: error },
    );
  }
}
