import { outsideTape } from "../../engine/autodiff/checkpointed.js";
import * as tf from "../../engine/tf.js";
import { taskLoss } from "../../losses/multitaskLoss.js";
import type { BatchTargets } from "../../losses/targets.js";
import { isVision } from "../../model/parameters/parameters.js";
import type { TaskValues } from "../../model/prompts/promptGrid.js";
import { imageLogits } from "../../model/scorer.js";
import type { Features } from "./gradientGram.js";
import { gradientProducts } from "./gradientGram.js";
import type { TaskProducts } from "./taskProducts.js";
import type { StepWeights } from "./taskWeights.js";

/** The part of a step's trainer that its tasks' gradients depend on. */
export interface GradientOptions {
  readonly trained: readonly string[];
  readonly logitScale: number;
}

/** What a step's tasks are weighed by, and what was measured to find it. */
export interface WeighedTasks {
  readonly weights: TaskValues;
  /** How the tasks' gradients lie to each other; null where the weights were given as numbers. */
  readonly gradients: TaskProducts | null;
}

/** @param features  borrowed, of the whole batch; looked at where `weights` is a function */
export function weighTasks(
  options: GradientOptions,
  targets: BatchTargets,
  weights: StepWeights,
  features: Features,
): WeighedTasks {
  if (typeof weights !== "function") return { weights, gradients: null };
  const gradients = taskProducts(options, targets, features);
  return { weights: weights(gradients), gradients };
}

/**
 * Measures the gradients of a step's tasks, each of its loss without weight by the features whose tower is trained.
 * Aside from any gradient that is being recorded; reads the device once.
 */
function taskProducts({ trained, logitScale }: GradientOptions, targets: BatchTargets, features: Features) {
  const tasks = targets.axes.map(({ axis }) => axis);
  const losses = tasks.map((task) => ({ crops, text }: Features) => {
    return taskLoss(imageLogits(crops, text, targets.pairs.images, logitScale), targets, task);
  });
  const sides = [...new Set(trained.map((name): keyof Features => (isVision(name) ? "crops" : "text")))];
  const values = outsideTape(() => tf.tidy(() => gradientProducts(losses, features, sides).dataSync()));
  const rows = tasks.map((_, i) => Array.from(values.subarray(i * tasks.length, (i + 1) * tasks.length)));
  return { tasks, values: rows };
}
