import { NonFiniteLossError } from "../base/errors.js";
import * as tf from "../engine/tf.js";
import { multitaskLoss } from "../losses/multitaskLoss.js";
import type { BatchTargets } from "../losses/targets.js";
import type { LiqeModel } from "../model/liqe.js";
import type { Task, TaskValues } from "../model/prompts/promptGrid.js";
import { imageLogits } from "../model/scorer.js";
import type { FeatureLoss, MicroBatch, Recompute } from "./gradientCache.js";
import { cachedGradients } from "./gradientCache.js";
import type { AdamW } from "./optimizer/adamw.js";
import type { GradientSummary } from "./optimizer/gradientNorm.js";
import { clipByGlobalNorm, summarizeGradients, globalNorm } from "./optimizer/gradientNorm.js";
import type { StepWeights, WeighedTasks } from "./weighting/taskWeights.js";
import { weighTasks } from "./weighting/taskWeights.js";

/** What a step changes, and how. */
export interface StepContext {
  readonly model: LiqeModel;
  readonly optimizer: AdamW;
  /** Names of the parameters that are trained. */
  readonly trained: readonly string[];
  readonly logitScale: number;
  readonly clipNorm: number | null;
  /** Crops encoded at once. */
  readonly microBatch: number;
  /** Towers that trade time for memory; none by default. */
  readonly recompute?: Recompute;
  /**
   * [images·crops, 224, 224, 3], where each step's patches are laid out anew, which is quicker than in new memory
   * (docs/performance.md, Reading images). By default they get their own.
   */
  readonly patchMemory?: Float32Array;
}

/** One step's images and what is known of them. */
export interface StepInput {
  /** [images·crops, 224, 224, 3], RGB, borrowed. */
  readonly pixels: Uint8Array;
  readonly targets: BatchTargets;
  readonly weights: StepWeights;
  readonly learningRate: number;
}

export interface StepResult extends WeighedTasks {
  /** The weighted sum. */
  readonly loss: number;
  /** Each task's loss without its weight. */
  readonly losses: TaskValues;
  /** Before clipping. */
  readonly gradientNorm: number;
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
 * One optimizer step. Its one device read, the losses with the gradient's norm, comes before any weight is touched.
 * Where `weights` asks for the tasks' gradients, they are a second one.
 *
 * @throws {NonFiniteStepError} where a loss or the gradient is not finite; the weights are as they were
 */
export function trainStep(trainer: StepContext, { pixels, targets, weights, learningRate }: StepInput): StepResult {
  let weighed: WeighedTasks = { weights: {}, gradients: null }; // until the features are there
  const measures = tf.tidy(() => {
    const measured: tf.Scalar[] = []; // the total, then each task's loss; written inside the tape
    const tasks = targets.axes.map(({ axis }) => axis);
    const loss: FeatureLoss = (crops, text) => {
      const logits = imageLogits(crops, text, targets.pairs.images, trainer.logitScale);
      weighed = weighTasks(trainer, targets, weights, { crops, text });
      const { losses, total } = multitaskLoss(logits, targets, weighed.weights);
      measured.push(tf.keep(total), ...tasks.map((task) => tf.keep(lossOf(losses, task))));
      return tf.clone(total);
    };
    const batch = microBatches(trainer, pixels);
    const gradients = cachedGradients(trainer.model, batch, trainer.trained, loss, trainer.recompute);
    const byName = new Map(Object.entries(gradients));
    const result = readResult(measured, globalNorm(byName), tasks);
    tf.dispose(measured);
    if (!isFiniteStep(result)) throw new NonFiniteStepError({ ...result, ...weighed }, summarizeGradients(byName));
    trainer.optimizer.apply(clipByGlobalNorm(byName, result.gradientNorm, trainer.clipNorm), learningRate);
    return result;
  });
  return { ...measures, ...weighed };
}

/** The crops of a step in pieces of at most `microBatch`. Runs inside the step's tidy. */
function microBatches({ model, microBatch, patchMemory }: StepContext, pixels: Uint8Array): MicroBatch[] {
  const { cropSize } = model;
  const pieces = Math.ceil(pixels.length / cropSize / microBatch);
  return Array.from({ length: pieces }, (_, i) => {
    const piece = pixels.subarray(i * microBatch * cropSize, (i + 1) * microBatch * cropSize);
    const start = piece.byteOffset - pixels.byteOffset;
    const memory = patchMemory?.subarray(start, start + piece.length);
    return { patches: model.patches(piece, memory), crops: piece.length / cropSize };
  });
}

function readResult(measured: readonly tf.Scalar[], norm: tf.Scalar, tasks: readonly Task[]) {
  const [loss = NaN, ...rest] = tf.stack([...measured, norm]).dataSync();
  return {
    loss,
    losses: Object.fromEntries(tasks.map((task, i) => [task, rest[i] ?? NaN])),
    gradientNorm: rest[tasks.length] ?? NaN,
  };
}

function isFiniteStep({ loss, gradientNorm }: Pick<StepResult, "loss" | "gradientNorm">): boolean {
  return Number.isFinite(loss) && Number.isFinite(gradientNorm);
}

function lossOf(losses: Partial<Record<Task, tf.Scalar>>, task: Task): tf.Scalar {
  const loss = losses[task];
  if (loss === undefined) throw new Error(`internal: trainStep: no loss for the task "${task}"`);
  return loss;
}
