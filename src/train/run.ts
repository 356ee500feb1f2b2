import path from "node:path";
import { openWeights } from "../api/load.js";
import { StalledReadError } from "../base/errors.js";
import { presetArchitecture } from "../model/architecture/presets.js";
import { gridOf } from "../model/config.js";
import type { LiqeModel } from "../model/liqe.js";
import { initialParameters } from "../model/parameters/initialize.js";
import type { NamedArrays } from "../model/parameters/parameters.js";
import type { Checkpoint } from "./checkpoint/checkpoint.js";
import { loadLast, saveCheckpoint, saveLast, setAsideDamaged, sweepStaging } from "./checkpoint/checkpoint.js";
import type { RunProgress, Validation } from "./loop.js";
import { trainLoop, RUN_START, isFinished } from "./loop.js";
import type { RunPlan } from "./plan.js";
import { Trainer } from "./trainer.js";

/** What is outside of a plan: how to validate a model, and whether someone asked to stop. */
interface RunPorts {
  /** Null where it was given up because someone asked to stop. */
  readonly validate: (model: LiqeModel) => Promise<Validation | null>;
  readonly stopRequested: () => boolean;
}

/**
 * Trains one split from where its folder stands to its end, or until it is asked to stop.
 *
 * @returns where the run stands; `finished` is false where it was stopped, after `last` was saved
 * @throws {CheckpointError}    where weights or checkpoints are refused
 * @throws {DataError}          where an image cannot be read
 * @throws {NonFiniteLossError} where the loss is not finite; `last` is as it was
 * @throws {StalledReadError}   where an image does not come; `last` is as it was, and the session is not waited for:
 *                              threads may hang, and the process should end
 */
export async function trainFromCheckpoint(plan: RunPlan, ports: RunPorts): Promise<RunProgress> {
  await sweepStaging(plan.folder);
  const resumed = await loadLast(plan.folder);
  if (resumed?.notice) {
    plan.reports.note(resumed.notice);
    await setAsideDamaged(plan.folder);
  }
  const checkpoint = resumed?.checkpoint ?? null;
  if (checkpoint) noteEngine(plan, checkpoint.state.engine);
  const weights = checkpoint?.weights ?? (await startingWeights(plan));
  const session = await Trainer.open(plan, gridOf(plan.settings.prompts), weights, checkpoint);
  const start = checkpoint ? progressOf(checkpoint, plan) : RUN_START;
  let isStalled = false;
  try {
    const training = trainLoop({ ...plan.settings, tasks: session.tasks }, start, {
      step: (step) => session.step(step),
      validate: () => session.averaged(() => ports.validate(session.model)),
      epochDone: (step, progress, validation) => session.epochDone(step, progress, validation),
      save: async (kind, progress) => {
        const current = await session.checkpoint(progress);
        const folder = path.join(plan.folder, kind);
        if (kind === "last") await saveLast(plan.folder, current);
        else if (kind === "best" || kind === "best-average") {
          await saveCheckpoint(folder, { ...current, raw: null, optimizer: null });
        } else await saveCheckpoint(folder, current);
      },
      stopRequested: ports.stopRequested,
    });
    const reached = await Promise.race([training, session.stalled]);
    noteEarlyEnd(plan, reached);
    return reached;
  } catch (error) {
    isStalled = error instanceof StalledReadError;
    throw error;
  } finally {
    const closed = session.close();
    if (isStalled)
      closed.catch(() => undefined); // it may wait for the same threads
    else await closed;
  }
}

/** One line where patience ended the run before its last epoch did. */
function noteEarlyEnd(
  { settings, reports }: RunPlan,
  { finished, position, best, epochsWithoutRise }: RunProgress,
): void {
  if (!finished || position.epoch >= settings.train.epochs) return;
  const highest = best === null ? "it has no value" : `its highest is ${best.toFixed(3)}`;
  reports.note(
    `ended early, after epoch ${position.epoch} of ${settings.train.epochs}: mean validation SRCC has not risen in ` +
      `${epochsWithoutRise} validated epochs (train.patienceEpochs); ${highest}`,
  );
}

/** Where the checkpoint's run stands; a run whose epochs were raised is not finished any more, but for its patience. */
function progressOf({ state }: Checkpoint, { settings }: RunPlan): RunProgress {
  const progress = state.progress as RunProgress; // as `save` wrote it
  return { ...progress, finished: isFinished(settings.train, progress) };
}

/** The weights a new run begins with: random ones, or those of the file or checkpoint that the config names. */
export async function startingWeights({ settings: { model, seed } }: RunPlan): Promise<NamedArrays> {
  if (model.weights !== "none") return (await openWeights(model.weights, null, model.preset)).weights;
  if (model.preset === undefined) throw new Error("internal: trainFromCheckpoint: the config passed without a preset");
  return initialParameters(presetArchitecture(model.preset), seed);
}

/** Sums are formed in another order by other threads and engines. */
function noteEngine({ engine, reports }: RunPlan, before: RunPlan["engine"]): void {
  if (engine.backend === before.backend && engine.threads === before.threads) return;
  const describe = ({ backend, threads }: RunPlan["engine"]) => `${backend} with ${threads} thread(s)`;
  reports.note(`the run was computed by ${describe(before)}, now by ${describe(engine)}: last bits may differ`);
}
