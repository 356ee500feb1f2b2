import { chosenBy } from "../evaluate/chosenBy.js";
import type { LossesConfig } from "../losses/config.js";
import type { Task, TaskValues } from "../model/prompts/promptGrid.js";
import type { TrainConfig } from "./config.js";
import { isFinished, type LossHistory, type Position, type RunProgress, type Validation } from "./progress.js";
import { learningRate } from "./schedule.js";
import type { StepResult } from "./step.js";
import { learnWeighting, stepWeights, type StepWeights } from "./weighting/taskWeights.js";

/** Settings of one step. */
export interface StepOptions {
  readonly position: Position;
  readonly weights: StepWeights;
  readonly learningRate: number;
  /** True where the step may be left out if its loss or gradient is not finite. */
  readonly maySkip: boolean;
}

/** Settings that a step was taken with. */
export interface StepRecord extends Pick<StepOptions, "position" | "learningRate"> {
  readonly weights: TaskValues;
}

/** Name of a checkpoint's folder; one that is kept for good has the number of steps before it. */
export type CheckpointKind = "last" | "best" | "best-average" | `step-${number}`;

/** Training as the loop sees it. `Trainer` implements it over model, optimizer, loader and files; tests have a fake. */
export interface Trainable<V extends Validation> {
  /** Takes one step. @returns null where it was left out, as `options.maySkip` allows */
  step(options: StepOptions): Promise<StepResult | null>;
  /** Scores the validation lists. @returns null where a request to stop ended it: it is done when the run is resumed */
  validate(): Promise<V | null>;
  /** Records the end of an epoch, before its checkpoint. */
  endEpoch(last: StepRecord, progress: RunProgress<V>, validation: V | null): Promise<void>;
  save(kind: CheckpointKind, progress: RunProgress<V>): Promise<void>;
}

/** Sections of the config that the loop reads. */
export interface LoopConfig {
  readonly train: TrainConfig;
  readonly losses: LossesConfig;
  readonly tasks: readonly Task[];
}

/** Request to stop, an `AbortSignal` usually: looked at after each step and each epoch. */
export type StopSignal = Pick<AbortSignal, "aborted">;

/**
 * Trains to the end of the last epoch, until validation has not risen for `patienceEpochs`, or until `signal` is
 * aborted. `last` is saved every `saveEverySteps` steps, at each epoch's end, and on stopping; `best` and
 * `best-average` when a validation raises them; `step-<n>` every `keepEverySteps` steps, before the `last` of the same
 * position: a run killed between the two writes both again on resume.
 * @returns state of the run; `finished` is false where it was stopped
 */
export async function trainLoop<V extends Validation>(
  trainer: Trainable<V>,
  config: LoopConfig,
  { start, signal }: { readonly start: RunProgress<V>; readonly signal: StopSignal },
): Promise<RunProgress<V>> {
  const { stepsPerEpoch } = config.train;
  let progress = start;
  while (!progress.finished) {
    while (progress.position.step < stepsPerEpoch) {
      const result = await trainer.step(optionsOf(config, progress));
      progress = advanced(config, progress, result);
      const isStopped = signal.aborted;
      await saveInsideEpoch(trainer, config, { progress, isStopped });
      if (isStopped) return progress;
    }
    const closed = await closeEpoch(trainer, config, progress);
    if (closed === null) return progress;
    progress = closed;
    if (signal.aborted) return progress;
  }
  return progress;
}

/** Saves what a position inside an epoch is worth; an epoch's last step is saved after its validation. */
async function saveInsideEpoch<V extends Validation>(
  trainer: Trainable<V>,
  { train: { stepsPerEpoch, saveEverySteps, keepEverySteps } }: LoopConfig,
  { progress, isStopped }: { readonly progress: RunProgress<V>; readonly isStopped: boolean },
): Promise<void> {
  const { epoch, step } = progress.position;
  const steps = epoch * stepsPerEpoch + step;
  const isEpochsEnd = step === stepsPerEpoch;
  const kept = keptAt(keepEverySteps, steps);
  if (kept !== null && !isEpochsEnd) await trainer.save(kept, progress);
  if (isStopped || (steps % saveEverySteps === 0 && !isEpochsEnd)) await trainer.save("last", progress);
}

/** @returns null where validation was given up; `last` is then of the position before it */
async function closeEpoch<V extends Validation>(
  trainer: Trainable<V>,
  config: LoopConfig,
  before: RunProgress<V>,
): Promise<RunProgress<V> | null> {
  const { epochs, stepsPerEpoch, validateEveryEpochs, keepEverySteps } = config.train;
  const { epoch } = before.position;
  const isValidated = epoch + 1 === epochs || (epoch + 1) % validateEveryEpochs === 0;
  const validation = isValidated ? await trainer.validate() : null;
  if (isValidated && validation === null) {
    await trainer.save("last", before);
    return null;
  }
  const value = validation === null ? null : chosenBy(validation).value;
  const isBest = raises(value, before.best);
  const isBestAverage = raises(validation?.average, before.bestAverage);
  const reached = {
    position: { epoch: epoch + 1, step: 0 },
    history: endEpoch(before.history),
    weights: before.weights,
    weighting: before.weighting,
    best: isBest ? value : before.best,
    bestAverage: isBestAverage ? (validation?.average ?? null) : before.bestAverage,
    epochsWithoutRise: isBest ? 0 : before.epochsWithoutRise + (isValidated ? 1 : 0),
    validation: validation ?? before.validation,
    skippedSteps: before.skippedSteps,
  };
  const progress: RunProgress<V> = { ...reached, finished: isFinished(config.train, reached) };
  const last = optionsOf(config, { ...before, position: { epoch, step: stepsPerEpoch - 1 } });
  await trainer.endEpoch({ ...last, weights: before.weights }, progress, validation);
  if (isBest) await trainer.save("best", progress);
  if (isBestAverage) await trainer.save("best-average", progress);
  const kept = keptAt(keepEverySteps, (epoch + 1) * stepsPerEpoch);
  if (kept !== null) await trainer.save(kept, progress);
  await trainer.save("last", progress);
  return progress;
}

/** State after a step; a skipped one leaves nothing in the mean losses, and teaches the weighting nothing. */
function advanced<V extends Validation>(
  { losses, tasks }: LoopConfig,
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
    weighting: learnWeighting(losses, tasks, before.weighting, result),
  };
}

/** Name of the checkpoint that is kept after this many steps; null where none is. */
function keptAt(keepEverySteps: number | null, steps: number): CheckpointKind | null {
  return keepEverySteps !== null && steps % keepEverySteps === 0 ? `step-${steps}` : null;
}

function raises(value: number | null | undefined, best: number | null): boolean {
  return value !== null && value !== undefined && (best === null || value > best);
}

function optionsOf({ train, losses, tasks }: LoopConfig, progress: RunProgress): StepOptions {
  const { epoch, step } = progress.position;
  return {
    position: progress.position,
    weights: stepWeights(losses, tasks, progress),
    learningRate: learningRate(train, epoch, step),
    maySkip: progress.skippedSteps < train.maxSkippedSteps,
  };
}

/** The history with one more step, whose losses (without weights) are given. */
export function addStep(history: LossHistory, losses: TaskValues): LossHistory {
  const sums = mapTasks(losses, (loss, task) => (history.sums[task] ?? 0) + loss);
  return { ...history, sums, steps: history.steps + 1 };
}

/** The history with its epoch closed. @throws an internal error where the epoch had no step */
export function endEpoch({ epochMeans, sums, steps }: LossHistory): LossHistory {
  if (steps === 0) throw new Error("internal: endEpoch: the epoch has no step, and so no mean loss");
  return { epochMeans: [...epochMeans, mapTasks(sums, (sum) => sum / steps)], sums: {}, steps: 0 };
}

function mapTasks(values: TaskValues, change: (value: number, task: Task) => number): TaskValues {
  const entries = Object.entries(values) as [Task, number][]; // the keys that TaskValues has
  return Object.fromEntries(entries.map(([task, value]) => [task, change(value, task)]));
}
