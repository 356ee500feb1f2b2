import type { LossesConfig } from "../../losses/config.js";
import type { Task, TaskValues } from "../../model/prompts/promptGrid.js";
import { taskValue, taskValues } from "../../model/prompts/promptGrid.js";
import type { LossHistory } from "../progress.js";
import { dynamicWeightAverage } from "./dynamicWeightAverage.js";
import { gradNormFactors, learnGradNorm } from "./gradNorm.js";
import { gradientCosineWeights } from "./gradientCosine.js";
import { singleTaskFactors } from "./single.js";
import type { WeightingState } from "./state.js";
import type { TaskProducts } from "./taskProducts.js";
import { learnUncertainty, uncertaintyWeights } from "./uncertainty.js";

/** The part of the losses' config that the tasks' weights depend on. */
export type WeightingConfig = Pick<LossesConfig, "weighting" | "weights" | "weightingRate" | "gradnormAlpha">;

/**
 * What a step weighs its tasks by: numbers, or what makes numbers of the tasks' gradients in that very step. A
 * function makes the step measure the gradients, and report them; see `trainStep`.
 */
export type StepWeights = TaskValues | ((gradients: TaskProducts) => TaskValues);

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
export interface WeighedStep {
  /** Without weights. */
  readonly losses: TaskValues;
  /** Of the losses without weights; null where the step did not measure them. */
  readonly gradients: TaskProducts | null;
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
