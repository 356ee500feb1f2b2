import { stopRecording } from "../../engine/autodiff/checkpointed.js";
import * as tf from "../../engine/tf.js";
import type { LossesConfig } from "../../losses/config.js";
import { taskLoss } from "../../losses/multitaskLoss.js";
import type { BatchTargets } from "../../losses/targets.js";
import { isVision } from "../../model/parameters/parameters.js";
import type { Task, TaskValues } from "../../model/prompts/promptGrid.js";
import { taskValue, taskValues } from "../../model/prompts/promptGrid.js";
import { imageLogits } from "../../model/scorer.js";
import type { LossHistory } from "../progress.js";
import { dynamicWeightAverage } from "./dynamicWeightAverage.js";
import { gradNormFactors, learnGradNorm } from "./gradNorm.js";
import type { Features, GradientGram } from "./gradientGram.js";
import { gradientCosine, gradientGram } from "./gradientGram.js";
import type { WeightingState } from "./state.js";
import { learnUncertainty, uncertaintyWeights } from "./uncertainty.js";

/** The part of the losses' config that the tasks' weights depend on. */
type WeightingConfig = Pick<LossesConfig, "weighting" | "weights" | "weightingRate" | "gradnormAlpha">;

/**
 * What a step weighs its tasks by: numbers, or what makes numbers of the tasks' gradients in that very step. A
 * function makes the step measure the gradients, and report them; see `trainStep`.
 */
export type StepWeights = TaskValues | ((gradients: GradientGram) => TaskValues);

/** What the weightings look back on. */
export interface WeightingMemory {
  readonly history: LossHistory;
  /** Null before the first step, and with weightings that learn nothing. */
  readonly weighting: WeightingState | null;
}

/**
 * Weights of the tasks for the step that comes after those of the memory: what `weighting` says (`equal`: 1 for all),
 * times the task's own weight in the config. Each weighting has a file in `weighting/`.
 *
 * @param tasks  those of the prompt grid; each has a mean in every epoch of the history
 */
export function stepWeights(
  config: WeightingConfig,
  tasks: readonly Task[],
  { history, weighting }: WeightingMemory,
): StepWeights {
  const times = (factors: TaskValues) =>
    taskValues(tasks, (task) => config.weights[task] * taskValue(factors, task, "stepWeights: factors"));
  switch (config.weighting) {
    case "equal":
      return times(taskValues(tasks, () => 1));
    case "single":
      return times(singleTaskFactors(tasks, config.weights));
    case "dwa":
      return times(dynamicWeightAverage(tasks, history));
    case "uncertainty":
      return times(uncertaintyWeights(tasks, stateOf(weighting, "uncertainty")));
    case "gradnorm": {
      const weights = times(gradNormFactors(tasks, stateOf(weighting, "gradnorm")));
      return () => weights; // known already; but `learnWeighting` wants the gradients measured
    }
    case "gradient-cosine":
      return (gradients) => times(gradientCosineWeights(tasks, gradients));
  }
}

/** What a step tells the weightings that learn. */
interface WeighedStep {
  /** Without weights. */
  readonly losses: TaskValues;
  /** Of the losses without weights; null where the step did not measure them. */
  readonly gradients: GradientGram | null;
}

/** What the weighting knows after a step. Tasks that the config weighs by 0 take no part in `gradnorm`. */
export function learnWeighting(
  config: WeightingConfig,
  tasks: readonly Task[],
  before: WeightingState | null,
  { losses, gradients }: WeighedStep,
): WeightingState | null {
  const { weighting, weightingRate: rate, gradnormAlpha: alpha, weights } = config;
  if (weighting === "uncertainty") return learnUncertainty(tasks, stateOf(before, weighting), losses, rate);
  if (weighting !== "gradnorm") return null;
  if (gradients === null) throw new Error("internal: learnWeighting: gradnorm's step measured no gradients");
  const balanced = tasks.filter((task) => weights[task] > 0);
  return learnGradNorm(balanced, stateOf(before, weighting), { losses, products: gradients }, { alpha, rate });
}

/** The state, which is of the run's own weighting: a run's config does not change. */
function stateOf<W extends WeightingState["weighting"]>(
  state: WeightingState | null,
  weighting: W,
): Extract<WeightingState, { weighting: W }> | null {
  if (state === null) return null;
  if (!isOf(state, weighting))
    throw new Error(`internal: stateOf: ${state.weighting}'s, where ${weighting}'s is wanted`);
  return state;
}

function isOf<W extends WeightingState["weighting"]>(
  state: WeightingState,
  weighting: W,
): state is Extract<WeightingState, { weighting: W }> {
  return state.weighting === weighting;
}

/**
 * `single`: one task's loss alone, that of the one task whose `losses.weights` is above 0; the baseline that the
 * multitask papers compare with (`STL` of the released weight_methods.py, there for quality alone). The other tasks'
 * losses are still computed and logged, at weight 0. The config holds it to exactly one task, and to one that the
 * prompts ask about, which is what it adds to `equal` with two weights of 0.
 */
export function singleTaskFactors(tasks: readonly Task[], weights: LossesConfig["weights"]): TaskValues {
  return taskValues(tasks, (task) => (weights[task] > 0 ? 1 : 0));
}

/** What a model of this kind is for; the other tasks are there to help it. */
const MAIN_TASK: Task = "quality";

/**
 * `gradient-cosine` (Y. Du, W. Czarnecki, S. Jayakumar, M. Farajtabar, R. Pascanu, B. Lakshminarayanan, Adapting
 * Auxiliary Losses Using Gradient Similarity, arXiv 1812.02224), the weighted version: the main task, quality, counts
 * 1, every other one max(0, cos) of the angle between its gradient and the main one's in that very step. Nothing is
 * remembered from step to step. The released LIQE code has the paper's unweighted version: 1 where the cosine is
 * above 0, else 0.
 *
 * @param products  of the step's gradients by the features, where the paper takes all shared weights
 */
export function gradientCosineWeights(tasks: readonly Task[], products: GradientGram): TaskValues {
  return taskValues(tasks, (task) => (task === MAIN_TASK ? 1 : Math.max(0, gradientCosine(products, task, MAIN_TASK))));
}

/** The part of a step's trainer that its tasks' gradients depend on. */
interface GradientOptions {
  readonly trained: readonly string[];
  readonly logitScale: number;
}

/** What a step's tasks are weighed by, and what was measured to find it. */
export interface WeighedTasks {
  readonly weights: TaskValues;
  /** How the tasks' gradients lie to each other; null where the weights were given as numbers. */
  readonly gradients: GradientGram | null;
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
  const values = stopRecording(() => tf.tidy(() => gradientGram(losses, features, sides).dataSync()));
  const rows = tasks.map((_, i) => Array.from(values.subarray(i * tasks.length, (i + 1) * tasks.length)));
  return { tasks, values: rows };
}
