import * as tf from "../../engine/tf.js";
import type { LossesConfig } from "../../losses/config.js";
import { type Task, taskValue, taskValues, type TaskValues } from "../../model/prompts/promptGrid.js";
import type { LossHistory } from "../progress.js";
import { dynamicWeightAverage } from "./dynamicWeightAverage.js";
import { gradNormFactors, learnGradNorm } from "./gradNorm.js";
import type { GradientGram } from "./gradientGram.js";
import type { WeightingState } from "./state.js";
import { learnUncertainty, uncertaintyWeights } from "./uncertainty.js";

/** The part of the losses' config that the tasks' weights depend on. */
type WeightingConfig = Pick<LossesConfig, "weighting" | "weights" | "weightingRate" | "gradnormAlpha">;

/** Weights of a step's tasks, and the use that the step makes of the tasks' gradients. */
export interface StepWeights {
  readonly values: TaskValues;
  /** `measured`: their products are reported (`StepResult`). `cosine`: besides, weights are times `cosineFactors`. */
  readonly gradients: "ignored" | "measured" | "cosine";
}

/** History that the weightings look back on. */
export interface WeightingMemory {
  readonly history: LossHistory;
  /** Null before the first step, and with weightings that learn nothing. */
  readonly weighting: WeightingState | null;
}

/**
 * Weights of the tasks for the step that comes after those of the memory: what `weighting` says (`equal`: 1 for all),
 * times the task's own weight in the config. Each weighting has a file in `weighting/`.
 * @param tasks  those of the prompt grid; each has a mean in every epoch of the history
 */
export function stepWeights(
  config: WeightingConfig,
  tasks: readonly Task[],
  { history, weighting }: WeightingMemory,
): StepWeights {
  const times = (factors: TaskValues) =>
    taskValues(tasks, (task) => config.weights[task] * taskValue(factors, task, "stepWeights: factors"));
  const ones = taskValues(tasks, () => 1);
  switch (config.weighting) {
    case "equal":
      return { values: times(ones), gradients: "ignored" };
    case "single":
      return { values: times(singleTaskFactors(tasks, config.weights)), gradients: "ignored" };
    case "dwa":
      return { values: times(dynamicWeightAverage(tasks, history)), gradients: "ignored" };
    case "uncertainty":
      return { values: times(uncertaintyWeights(tasks, stateOf(weighting, "uncertainty"))), gradients: "ignored" };
    case "gradnorm":
      return { values: times(gradNormFactors(tasks, stateOf(weighting, "gradnorm"))), gradients: "measured" };
    case "gradient-cosine":
      return { values: times(ones), gradients: "cosine" };
  }
}

/** Measurements of a step that weightings learn from. */
interface WeighedStep {
  /** Without weights. */
  readonly losses: TaskValues;
  /** Of the losses without weights; null where the step did not measure them. */
  readonly gradients: GradientGram | null;
}

/** State of the weighting after a step. Tasks that the config weighs by 0 take no part in `gradnorm`. */
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

/** Main task, which the others are there to help. */
const MAIN_TASK: Task = "quality";

/**
 * Factors of `gradient-cosine` (Y. Du, W. Czarnecki, S. Jayakumar, M. Farajtabar, R. Pascanu, B. Lakshminarayanan,
 * Adapting Auxiliary Losses Using Gradient Similarity, arXiv 1812.02224), the weighted version: the main task, quality,
 * counts 1, every other one max(0, cos) of the angle between its gradient and the main one's in that step; 0 where a
 * gradient is 0. The released LIQE code has the paper's unweighted version: 1 where the cosine is above 0, else 0.
 * @param gram  [tasks, tasks], borrowed: see `gradientGram`; by the features, where the paper takes all shared weights
 * @returns     [tasks], given
 */
export function cosineFactors(tasks: readonly Task[], gram: tf.Tensor2D): tf.Tensor1D {
  const [n, main] = [tasks.length, tasks.indexOf(MAIN_TASK)];
  return tf.tidy(() => {
    const lengths = tf.sqrt(tf.sum<tf.Tensor1D>(tf.mul(gram, tf.eye(n)), 1)); // [tasks]
    const products = tf.reshape<tf.Rank.R1>(tf.slice(gram, [0, main], [n, 1]), [n]); // with the main task
    const cosines = tf.divNoNan(products, tf.mul(lengths, tf.slice(lengths, [main], [1])));
    const isMain = tf.equal(tf.range(0, n), main);
    return tf.where(isMain, tf.onesLike(cosines), tf.clipByValue(cosines, 0, 1)) as tf.Tensor1D; // float32 rounds past 1
  });
}
