import { NonFiniteLossError } from "../base/errors.js";
import { stopRecording } from "../engine/autodiff/checkpointed.js";
import * as tf from "../engine/tf.js";
import { multitaskLoss, taskLoss } from "../losses/multitaskLoss.js";
import type { BatchTargets } from "../losses/targets.js";
import { isVision } from "../model/parameters/parameters.js";
import { taskValues, type TaskValues } from "../model/prompts/promptGrid.js";
import { imageLogits } from "../model/scorer.js";
import type { PatchBatch } from "../model/vision/patches.js";
import { cachedGradients, globalNorm, type Gradients, type TrainedTowers } from "./gradientCache.js";
import { type AdamW, clipByGlobalNorm } from "./optimizer/adamw.js";
import { type Features, type GradientGram, gradientGram } from "./weighting/gradientGram.js";
import { cosineFactors, type StepWeights } from "./weighting/taskWeights.js";

/** Everything that stays the same from step to step: model, optimizer and how they are used. */
export interface StepContext extends TrainedTowers {
  readonly optimizer: AdamW;
  readonly logitScale: number;
  readonly clipNorm: number | null;
}

/** One step's images, their targets, and how much is to be learned from them. */
export interface StepInput {
  /** All crops, image by image, in micro-batches; borrowed. */
  readonly crops: readonly PatchBatch[];
  /** Borrowed. */
  readonly targets: BatchTargets;
  readonly taskWeights: StepWeights;
  readonly learningRate: number;
}

/** Measurements of one step, read from the device. */
export interface StepResult {
  /** The weighted sum. */
  readonly loss: number;
  /** Each task's loss without its weight. */
  readonly losses: TaskValues;
  readonly weights: TaskValues;
  /** Before clipping. */
  readonly gradientNorm: number;
  /** Products of the tasks' gradients; null where the weighting does not look at them. */
  readonly gradients: GradientGram | null;
}

/** A step that was not taken, with all that was measured of it. */
export class NonFiniteStepError extends NonFiniteLossError {
  constructor(
    readonly result: StepResult,
    readonly gradients: readonly GradientSummary[],
  ) {
    const parts = Object.entries(result.losses).map(([task, value]) => `${task} ${value}`);
    super(
      `trainStep: loss is ${result.loss} (${parts.join(", ")}), gradient norm ${result.gradientNorm}; ` +
        "the weights are as they were; try a lower train.learningRate or train.clipNorm",
    );
  }
}

/**
 * One optimizer step: gradients of the weighted losses over all crops, clipped, applied; one device read, before that.
 * @throws {NonFiniteStepError} where a loss or the gradient is not finite; the weights are as they were
 */
export function trainStep(context: StepContext, { crops, targets, taskWeights, learningRate }: StepInput): StepResult {
  const measured = tf.tidy(() => {
    const { gradients, ...tensors } = stepGradients(context, crops, targets, taskWeights);
    const values = readOnce(tensors);
    const [loss = NaN, norm = NaN] = values;
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
      throw new NonFiniteStepError(resultOf(values, targets, taskWeights), summarizeGradients(gradients));
    }
    context.optimizer.apply(clipByGlobalNorm(gradients, norm, context.clipNorm), learningRate);
    return values;
  });
  return resultOf(measured, targets, taskWeights);
}

/** Gradients of a step and what is measured of it, on the device. */
type StepGradients = {
  readonly gradients: Gradients;
  readonly norm: tf.Scalar;
  readonly total: tf.Tensor;
  /** [tasks] each */
  readonly losses: tf.Tensor1D;
  readonly weights: tf.Tensor1D;
  /** [tasks, tasks], or [0] where it is not measured. */
  readonly gram: tf.Tensor;
};

/** Gradients of the weighted losses by every trained parameter: a pure function of tensors. Runs in the caller's tidy. */
function stepGradients(
  context: StepContext,
  crops: readonly PatchBatch[],
  targets: BatchTargets,
  { values, gradients: use }: StepWeights,
): StepGradients {
  const tasks = targets.axes.map(({ axis }) => axis);
  const given = tf.tensor1d(tasks.map((task) => values[task] ?? NaN));
  const logits = (features: Features) =>
    imageLogits(features.crops, features.text, targets.pairs.targets.shape[0], context.logitScale);
  const taskLosses = tasks.map((task) => (features: Features) => taskLoss(logits(features), targets, task));
  const sides = trainedSides(context);
  const { value, aux, gradients } = cachedGradients(context, crops, (features) => {
    const gram = use === "ignored" ? tf.tensor1d([]) : stopRecording(() => gradientGram(taskLosses, features, sides));
    const weights = use === "cosine" ? tf.mul<tf.Tensor1D>(given, cosineFactors(tasks, gram as tf.Tensor2D)) : given;
    const { total, losses } = multitaskLoss(logits(features), targets, weights);
    return { value: total, aux: { losses, weights: tf.clone(weights), gram } };
  });
  return { gradients, norm: globalNorm(gradients), total: value, ...aux };
}

/** Features whose tower is trained. */
function trainedSides({ trained }: TrainedTowers): (keyof Features)[] {
  return [...new Set(trained.map((name): keyof Features => (isVision(name) ? "crops" : "text")))];
}

/** The step's one device read: [total, norm, losses.., weights.., products..]. */
function readOnce({ total, norm, losses, weights, gram }: Omit<StepGradients, "gradients">): number[] {
  const parts = [total, norm, losses, weights, gram].map((part) => tf.reshape(part, [-1]));
  return Array.from(tf.concat(parts).dataSync());
}

/** Weights that were given as numbers are reported as those, not rounded to float32. */
function resultOf(values: readonly number[], { axes }: BatchTargets, taskWeights: StepWeights): StepResult {
  const [n, tasks] = [axes.length, axes.map(({ axis }) => axis)];
  const [loss = NaN, gradientNorm = NaN, ...rest] = values;
  const row = (i: number) => rest.slice(i * n, (i + 1) * n);
  const byTask = (numbers: readonly number[]) => taskValues(tasks, (task) => numbers[tasks.indexOf(task)] ?? NaN);
  return {
    loss,
    losses: byTask(row(0)),
    weights: taskWeights.gradients === "cosine" ? byTask(row(1)) : taskWeights.values,
    gradientNorm,
    gradients: taskWeights.gradients === "ignored" ? null : { tasks, values: tasks.map((_, i) => row(2 + i)) },
  };
}

/** Summary of one parameter's gradient, for the diagnosis of a step that was not taken. */
export interface GradientSummary {
  readonly parameter: string;
  /** Euclidean norm of its finite entries, in float64: it does not overflow where float32 did. */
  readonly norm: number;
  /** Entries that are not finite. */
  readonly nonFinite: number;
  readonly entries: number;
}

/** Reads every gradient (by parameter name, borrowed), one after the other: slow. */
function summarizeGradients(gradients: ReadonlyMap<string, tf.Tensor>): GradientSummary[] {
  return [...gradients].map(([parameter, gradient]) => {
    let squares = 0;
    let nonFinite = 0;
    for (const value of gradient.dataSync()) {
      if (Number.isFinite(value)) squares += value * value;
      else nonFinite++;
    }
    return { parameter, norm: Math.sqrt(squares), nonFinite, entries: gradient.size };
  });
}
