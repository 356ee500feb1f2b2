import type { Task, TaskValues } from "../losses/tasks.js";
import type { LossesConfig } from "../losses/config.js";
import type { TrainConfig } from "./config.js";
import { learningRate } from "./schedule.js";
import type { LossHistory } from "./taskWeights.js";
import { addStep, EMPTY_HISTORY, endEpoch, taskWeights } from "./taskWeights.js";
import type { StepResult } from "./trainStep.js";

/** The step to do next; both count from 0, `step` inside the epoch. */
export interface Position {
  readonly epoch: number;
  readonly step: number;
}

/** What a validation said, as far as the loop looks at it. */
export interface Validation {
  /** Mean SRCC over the databases; null where no database has one. */
  readonly srcc: number | null;
  /** Mean of SRCC, scene and distortion accuracy, of those that there are. */
  readonly average: number | null;
}

/** Where a run stands, apart from weights and moments. Plain data: saved with each checkpoint. */
export interface FitProgress<V extends Validation = Validation> {
  readonly position: Position;
  readonly history: LossHistory;
  /** Highest mean SRCC and average so far. */
  readonly best: number | null;
  readonly bestAverage: number | null;
  /** Validated epochs since `best` rose. */
  readonly epochsWithoutRise: number;
  /** The newest validation. */
  readonly validation: V | null;
  readonly finished: boolean;
}

export const FIT_START: FitProgress<never> = {
  position: { epoch: 0, step: 0 },
  history: EMPTY_HISTORY,
  best: null,
  bestAverage: null,
  epochsWithoutRise: 0,
  validation: null,
  finished: false,
};

/** What one step is to be done with. */
export interface StepPlan {
  readonly position: Position;
  readonly weights: TaskValues;
  readonly learningRate: number;
}

/** The checkpoints that a position may be worth: the names of their folders. */
export type CheckpointKind = "last" | "best" | "best-average";

/** What a run needs from outside; `fit` itself knows no files, no clock and no terminal. */
export interface FitPorts<V extends Validation> {
  readonly step: (plan: StepPlan) => Promise<StepResult>;
  readonly validate: (epoch: number) => Promise<V>;
  /** Called when an epoch is over, before its checkpoint. */
  readonly epochDone: (plan: StepPlan, progress: FitProgress<V>, validation: V | null) => Promise<void>;
  readonly save: (kind: CheckpointKind, progress: FitProgress<V>) => Promise<void>;
  /** Whether to save and stop; asked after each step and after each epoch. */
  readonly stopRequested: () => boolean;
}

export interface FitConfig {
  readonly train: TrainConfig;
  readonly losses: LossesConfig;
  readonly tasks: readonly Task[];
}

/**
 * Trains from `start` to the end of the last epoch, or until validation has not risen for `patienceEpochs`, or until it
 * is asked to stop. The new `last` is saved every
 * `saveEverySteps` steps, at each epoch's end, and on stopping; `best` and `best-average` when a validation raises
 * them.
 *
 * @returns where the run stands; `finished` is false where it was stopped
 */
export async function fit<V extends Validation>(
  config: FitConfig,
  start: FitProgress<V>,
  ports: FitPorts<V>,
): Promise<FitProgress<V>> {
  let progress = start;
  while (!progress.finished) {
    const { reached, isStopped } = await finishEpochSteps(config, progress, ports);
    if (isStopped) return reached;
    progress = await closeEpoch(config, reached, ports);
    if (ports.stopRequested()) return progress;
  }
  return progress;
}

async function finishEpochSteps<V extends Validation>(
  config: FitConfig,
  start: FitProgress<V>,
  ports: FitPorts<V>,
): Promise<{ reached: FitProgress<V>; isStopped: boolean }> {
  const { stepsPerEpoch, saveEverySteps } = config.train;
  let reached = start;
  while (reached.position.step < stepsPerEpoch) {
    const { losses } = await ports.step(planOf(config, reached));
    const { epoch, step } = reached.position;
    reached = { ...reached, position: { epoch, step: step + 1 }, history: addStep(reached.history, losses) };
    const isStopped = ports.stopRequested();
    const isEpochsEnd = step + 1 === stepsPerEpoch; // whose checkpoint comes after its validation
    const isDue = (epoch * stepsPerEpoch + step + 1) % saveEverySteps === 0 && !isEpochsEnd;
    if (isStopped || isDue) await ports.save("last", reached);
    if (isStopped) return { reached, isStopped };
  }
  return { reached, isStopped: false };
}

async function closeEpoch<V extends Validation>(
  config: FitConfig,
  before: FitProgress<V>,
  ports: FitPorts<V>,
): Promise<FitProgress<V>> {
  const { epochs, stepsPerEpoch, validateEveryEpochs } = config.train;
  const { epoch } = before.position;
  const isValidated = epoch + 1 === epochs || (epoch + 1) % validateEveryEpochs === 0;
  const validation = isValidated ? await ports.validate(epoch) : null;
  const isBest = raises(validation?.srcc, before.best);
  const isBestAverage = raises(validation?.average, before.bestAverage);
  const reached = {
    position: { epoch: epoch + 1, step: 0 },
    history: endEpoch(before.history),
    best: isBest ? (validation?.srcc ?? null) : before.best,
    bestAverage: isBestAverage ? (validation?.average ?? null) : before.bestAverage,
    epochsWithoutRise: isBest ? 0 : before.epochsWithoutRise + (isValidated ? 1 : 0),
    validation: validation ?? before.validation,
  };
  const progress: FitProgress<V> = { ...reached, finished: isFinished(config.train, reached) };
  const lastPlan = planOf(config, { ...before, position: { epoch, step: stepsPerEpoch - 1 } });
  await ports.epochDone(lastPlan, progress, validation);
  if (isBest) await ports.save("best", progress);
  if (isBestAverage) await ports.save("best-average", progress);
  await ports.save("last", progress);
  return progress;
}

/** Whether nothing is left to do: all epochs are over, or patience is. */
export function isFinished(
  { epochs, patienceEpochs }: Pick<TrainConfig, "epochs" | "patienceEpochs">,
  { position, epochsWithoutRise }: Pick<FitProgress, "position" | "epochsWithoutRise">,
): boolean {
  return position.epoch >= epochs || (patienceEpochs !== null && epochsWithoutRise >= patienceEpochs);
}

function raises(value: number | null | undefined, best: number | null): boolean {
  return value !== null && value !== undefined && (best === null || value > best);
}

function planOf(config: FitConfig, { position, history }: FitProgress): StepPlan {
  return {
    position,
    weights: taskWeights(config.losses, config.tasks, history),
    learningRate: learningRate(config.train, position.epoch, position.step),
  };
}
