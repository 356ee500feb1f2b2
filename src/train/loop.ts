import type { LossesConfig } from "../losses/config.js";
import type { Task, TaskValues } from "../model/prompts/promptGrid.js";
import type { TrainConfig } from "./config.js";
import type { LossHistory } from "./progress.js";
import { addStep, EMPTY_HISTORY, endEpoch } from "./progress.js";
import { learningRate } from "./schedule.js";
import type { StepResult } from "./step.js";
import type { WeightingState } from "./weighting/state.js";
import type { StepWeights } from "./weighting/taskWeights.js";
import { learnWeighting, stepWeights } from "./weighting/taskWeights.js";

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
export interface RunProgress<V extends Validation = Validation> {
  readonly position: Position;
  readonly history: LossHistory;
  /** The tasks' weights in the newest step; none before the first. */
  readonly weights: TaskValues;
  /** What the weighting of the tasks has learned; null where it learns nothing. */
  readonly weighting: WeightingState | null;
  /** Highest mean SRCC and average so far. */
  readonly best: number | null;
  readonly bestAverage: number | null;
  /** Validated epochs since `best` rose. */
  readonly epochsWithoutRise: number;
  /** The newest validation. */
  readonly validation: V | null;
  /** Steps of the run that were left out because their loss or gradient was not finite. */
  readonly skippedSteps: number;
  readonly finished: boolean;
}

export const RUN_START: RunProgress<never> = {
  position: { epoch: 0, step: 0 },
  history: EMPTY_HISTORY,
  weights: {},
  weighting: null,
  best: null,
  bestAverage: null,
  epochsWithoutRise: 0,
  validation: null,
  skippedSteps: 0,
  finished: false,
};

/** What one step is to be done with. */
export interface StepOptions {
  readonly position: Position;
  readonly weights: StepWeights;
  readonly learningRate: number;
  /** Whether the step may be left out if its loss or gradient is not finite. */
  readonly maySkip: boolean;
}

/** What one step was done with. */
export interface StepRecord {
  readonly position: Position;
  readonly weights: TaskValues;
  readonly learningRate: number;
}

/** The checkpoints that a position may be worth: the names of their folders. */
export type CheckpointKind = "last" | "best" | "best-average" | KeptStep;

/** The folder of a checkpoint that is kept for good: the steps of the run before it. */
type KeptStep = `step-${number}`;

/** What a run needs from outside; `fit` itself knows no files, no clock and no terminal. */
export interface FitPorts<V extends Validation> {
  /** Null for a step that was left out; `plan.maySkip` says whether it may be. */
  readonly step: (plan: StepOptions) => Promise<StepResult | null>;
  /** Null where it was given up because of a request to stop: it is done when the run is taken up again. */
  readonly validate: (epoch: number) => Promise<V | null>;
  /** Called with an epoch's last step when the epoch is over, before its checkpoint. */
  readonly epochDone: (last: StepRecord, progress: RunProgress<V>, validation: V | null) => Promise<void>;
  readonly save: (kind: CheckpointKind, progress: RunProgress<V>) => Promise<void>;
  /** Whether to save and stop; asked after each step and after each epoch. */
  readonly stopRequested: () => boolean;
}

export interface LoopConfig {
  readonly train: TrainConfig;
  readonly losses: LossesConfig;
  readonly tasks: readonly Task[];
}

/**
 * Trains from `start` to the end of the last epoch, or until validation has not risen for `patienceEpochs`, or until it
 * is asked to stop. The new `last` is saved every
 * `saveEverySteps` steps, at each epoch's end, and on stopping; `best` and `best-average` when a validation raises
 * them, and `step-<n>` every `keepEverySteps` steps, before the `last` of the same position: a run that is killed between
 * the two comes by again.
 *
 * @returns where the run stands; `finished` is false where it was stopped
 */
export async function trainLoop<V extends Validation>(
  config: LoopConfig,
  start: RunProgress<V>,
  ports: FitPorts<V>,
): Promise<RunProgress<V>> {
  let progress = start;
  while (!progress.finished) {
    const { reached, isStopped } = await finishEpochSteps(config, progress, ports);
    if (isStopped) return reached;
    const closed = await closeEpoch(config, reached, ports);
    if (closed === null) return reached;
    progress = closed;
    if (ports.stopRequested()) return progress;
  }
  return progress;
}

async function finishEpochSteps<V extends Validation>(
  config: LoopConfig,
  start: RunProgress<V>,
  ports: FitPorts<V>,
): Promise<{ reached: RunProgress<V>; isStopped: boolean }> {
  const { stepsPerEpoch, saveEverySteps } = config.train;
  let reached = start;
  while (reached.position.step < stepsPerEpoch) {
    const { epoch, step } = reached.position;
    reached = advanced(config, reached, await ports.step(planOf(config, reached)));
    const isStopped = ports.stopRequested();
    const isEpochsEnd = step + 1 === stepsPerEpoch; // whose checkpoint comes after its validation
    const isDue = (epoch * stepsPerEpoch + step + 1) % saveEverySteps === 0 && !isEpochsEnd;
    const kept = keptAt(config.train, epoch * stepsPerEpoch + step + 1);
    if (kept !== null && !isEpochsEnd) await ports.save(kept, reached);
    if (isStopped || isDue) await ports.save("last", reached);
    if (isStopped) return { reached, isStopped };
  }
  return { reached, isStopped: false };
}

/** @returns null where validation was given up; `last` is then of the position before it */
async function closeEpoch<V extends Validation>(
  config: LoopConfig,
  before: RunProgress<V>,
  ports: FitPorts<V>,
): Promise<RunProgress<V> | null> {
  const { epochs, stepsPerEpoch, validateEveryEpochs } = config.train;
  const { epoch } = before.position;
  const isValidated = epoch + 1 === epochs || (epoch + 1) % validateEveryEpochs === 0;
  const validation = isValidated ? await ports.validate(epoch) : null;
  if (isValidated && validation === null) {
    await ports.save("last", before);
    return null;
  }
  const isBest = raises(validation?.srcc, before.best);
  const isBestAverage = raises(validation?.average, before.bestAverage);
  const reached = {
    position: { epoch: epoch + 1, step: 0 },
    history: endEpoch(before.history),
    weights: before.weights,
    weighting: before.weighting,
    best: isBest ? (validation?.srcc ?? null) : before.best,
    bestAverage: isBestAverage ? (validation?.average ?? null) : before.bestAverage,
    epochsWithoutRise: isBest ? 0 : before.epochsWithoutRise + (isValidated ? 1 : 0),
    validation: validation ?? before.validation,
    skippedSteps: before.skippedSteps,
  };
  const progress: RunProgress<V> = { ...reached, finished: isFinished(config.train, reached) };
  const lastPlan = planOf(config, { ...before, position: { epoch, step: stepsPerEpoch - 1 } });
  await ports.epochDone({ ...lastPlan, weights: before.weights }, progress, validation);
  if (isBest) await ports.save("best", progress);
  if (isBestAverage) await ports.save("best-average", progress);
  const kept = keptAt(config.train, (epoch + 1) * stepsPerEpoch);
  if (kept !== null) await ports.save(kept, progress);
  await ports.save("last", progress);
  return progress;
}

/** Whether nothing is left to do: all epochs are over, or patience is. */
export function isFinished(
  { epochs, patienceEpochs }: Pick<TrainConfig, "epochs" | "patienceEpochs">,
  { position, epochsWithoutRise }: Pick<RunProgress, "position" | "epochsWithoutRise">,
): boolean {
  return position.epoch >= epochs || (patienceEpochs !== null && epochsWithoutRise >= patienceEpochs);
}

/** Where the run stands after a step; a skipped one leaves nothing in the mean losses, and teaches the weighting nothing. */
function advanced<V extends Validation>(
  config: LoopConfig,
  before: RunProgress<V>,
  result: StepResult | null,
): RunProgress<V> {
  const { epoch, step } = before.position;
  const position = { epoch, step: step + 1 };
  if (result === null) return { ...before, position, skippedSteps: before.skippedSteps + 1 };
  return {
    ...before,
    position,
    history: addStep(before.history, result.losses),
    weights: result.weights,
    weighting: learnWeighting(config.losses, config.tasks, before.weighting, result),
  };
}

/** The name under which the checkpoint after this many steps is kept; null where it is not. */
function keptAt({ keepEverySteps }: TrainConfig, steps: number): KeptStep | null {
  return keepEverySteps !== null && steps % keepEverySteps === 0 ? `step-${steps}` : null;
}

function raises(value: number | null | undefined, best: number | null): boolean {
  return value !== null && value !== undefined && (best === null || value > best);
}

function planOf(config: LoopConfig, progress: RunProgress): StepOptions {
  const { epoch, step } = progress.position;
  return {
    position: progress.position,
    weights: stepWeights(config.losses, config.tasks, progress),
    learningRate: learningRate(config.train, epoch, step),
    maySkip: progress.skippedSteps < config.train.maxSkippedSteps,
  };
}
