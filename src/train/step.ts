import { getOrThrow } from "../base/collections.js";
import { NonFiniteLossError } from "../base/errors.js";
import { stopRecording } from "../engine/autodiff/checkpointed.js";
import * as tf from "../engine/tf.js";
import { multitaskLoss, taskLoss } from "../losses/multitaskLoss.js";
import { type BatchTargets, targetTensors, withTensors } from "../losses/targets.js";
import { isVision } from "../model/parameters/parameters.js";
import { taskValues, type TaskValues } from "../model/prompts/promptGrid.js";
import { imageLogits } from "../model/scorer.js";
import type { PatchBatch } from "../model/vision/patches.js";
import { cachedGradients, type LossHead, type StepDropout, type TrainedTowers } from "./gradientCache.js";
import { type AdamW, clipFactor } from "./optimizer/adamw.js";
import type { OptimizerShards } from "./optimizer/shards.js";
import { type Features, type GradientGram, gradientGram } from "./weighting/gradientGram.js";
import { cosineFactors, type StepWeights } from "./weighting/taskWeights.js";

/** Everything that stays the same from step to step: model, optimizer and how they are used. */
export interface StepContext extends TrainedTowers {
  readonly optimizer: AdamW;
  /** Shares of its state among processes; absent or null where each keeps all of it. */
  readonly shards?: OptimizerShards | null;
  readonly logitScale: number;
  readonly clipNorm: number | null;
}

/** One step's images, their targets, and how much is to be learned from them. */
export interface StepInput {
  /** All crops, image by image, in micro-batches, or their features, [crops, embedding]; borrowed. */
  readonly crops: readonly PatchBatch[] | tf.Tensor2D;
  /** Borrowed. */
  readonly targets: BatchTargets;
  readonly taskWeights: StepWeights;
  readonly learningRate: number;
  /** Null (default) for none. */
  readonly dropout?: StepDropout | null;
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
 * With a compiling runner the gradients are computed on another thread.
 * @throws {NonFiniteStepError} where a loss or the gradient is not finite; the weights are as they were
 */
export async function trainStep(
  context: StepContext,
  { crops, targets, taskWeights, learningRate, dropout = null }: StepInput,
): Promise<StepResult> {
  const weights = tf.tensor1d(targets.axes.map(({ axis }) => taskWeights.values[axis] ?? NaN));
  const head = lossHead(context, targets, taskWeights, weights);
  const { measured, gradients } = await cachedGradients({ ...context, dropout }, crops, head);
  try {
    const [norm = NaN, ...measures] = Array.from(measured.dataSync()).reverse();
    const result = resultOf([norm, ...measures.reverse()], targets, taskWeights);
    if (!Number.isFinite(result.loss) || !Number.isFinite(norm)) {
      throw new NonFiniteStepError(result, summarizeGradients(gradients));
    }
    const { optimizer, shards = null } = context;
    optimizer.apply(shards?.own(gradients) ?? gradients, learningRate, clipFactor(norm, context.clipNorm));
    await shards?.exchange(storeOf(context));
    return result;
  } finally {
    tf.dispose([weights, measured, ...gradients.values()]);
  }
}

/** Weights where the optimizer changes them. */
function storeOf({ weights, model }: StepContext) {
  if (weights) {
    return {
      read: (name: string) => weights.read(name),
      assign: (name: string, value: tf.Tensor) => {
        weights.assign(name, value);
      },
    };
  }
  const variable = (name: string) => getOrThrow(model.parameters.variables, name, "trainStep: weights");
  return {
    read: (name: string) => tf.clone(variable(name)),
    assign: (name: string, value: tf.Tensor) => {
      variable(name).assign(value);
    },
  };
}

/** Weighted losses of the batch as a pure function of tensors; measured: [total, losses.., weights.., products..]. */
export function lossHead(
  context: TrainedTowers & Pick<StepContext, "logitScale">,
  targets: BatchTargets,
  { gradients: use }: StepWeights,
  taskWeights: tf.Tensor1D,
): LossHead {
  const tasks = targets.axes.map(({ axis }) => axis);
  const images = targets.pairs.targets.shape[0];
  const sides = trainedSides(context);
  return {
    name: JSON.stringify([use, targets.config, tasks]),
    inputs: [taskWeights, ...targetTensors(targets)],
    loss: (features, [given, ...tensors]) => {
      const own = withTensors(targets, tensors);
      const logits = ({ crops, text }: Features) => imageLogits(crops, text, images, context.logitScale);
      const taskLosses = tasks.map((task) => (varied: Features) => taskLoss(logits(varied), own, task));
      const gram = use === "ignored" ? tf.tensor1d([]) : stopRecording(() => gradientGram(taskLosses, features, sides));
      const factors = given as tf.Tensor1D; // the first of `inputs`
      const weights =
        use === "cosine" ? tf.mul<tf.Tensor1D>(factors, cosineFactors(tasks, gram as tf.Tensor2D)) : factors;
      const { total, losses } = multitaskLoss(logits(features), own, weights);
      const parts: tf.Tensor[] = [total, losses, weights, gram];
      // Measured only: none of it leads to a gradient
      return {
        value: total,
        aux: stopRecording(() => tf.concat1d(parts.map((part) => tf.reshape<tf.Rank.R1>(part, [-1])))),
      };
    },
  };
}

/** Features whose tower is trained. */
function trainedSides({ trained }: TrainedTowers): (keyof Features)[] {
  return [...new Set(trained.map((name): keyof Features => (isVision(name) ? "crops" : "text")))];
}

/** @param values  [norm, total, losses.., weights.., products..]. Weights that were given as numbers are reported as those. */
function resultOf(values: readonly number[], { axes }: BatchTargets, taskWeights: StepWeights): StepResult {
  const [n, tasks] = [axes.length, axes.map(({ axis }) => axis)];
  const [gradientNorm = NaN, loss = NaN, ...rest] = values;
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
