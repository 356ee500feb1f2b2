import { type Task, taskValue, taskValues, type TaskValues } from "../../model/prompts/promptGrid.js";
import { adamStep, NO_MOMENTS, type WeightingState } from "./state.js";

type State = Extract<WeightingState, { weighting: "uncertainty" }>;

/**
 * Lower limit of a loss where its variance is learned. Fidelity losses reach 0 and fall a little below it (their ε
 * counts there); the variance would follow them without end. With this, no weight tends to more than 500.
 */
export const SMALLEST_LOSS = 1e-3;

/**
 * `uncertainty` (A. Kendall, Y. Gal, R. Cipolla, Multi-Task Learning Using Uncertainty to Weigh Losses for Scene
 * Geometry and Semantics, CVPR 2018, arXiv 1705.07115): what is minimized is Σ exp(−s_i)·L_i + s_i/2, with
 * s_i = log σ_i² learned beside the network; the weights are exp(−s_i), 1 at first, and tend to 1/(2·L_i).
 * This is the paper's form for classification, which all our tasks are; its form for regression, ½·exp(−s)·L + s/2,
 * tends to the same weights from ½. The loss that a run logs is Σ exp(−s_i)·L_i, the part that the network follows.
 */
export function uncertaintyWeights(tasks: readonly Task[], state: State | null): TaskValues {
  return taskValues(tasks, (task) => Math.exp(-(state?.logVariances[task] ?? 0)));
}

/**
 * The log-variances after a step: one of Adam on the gradient ½ − exp(−s_i)·L_i, exact and on the host. Without decay
 * and at a rate of their own: at the network's they would take longer than a run to arrive.
 * @param losses  of that step, without weights
 */
export function learnUncertainty(tasks: readonly Task[], state: State | null, losses: TaskValues, rate: number): State {
  const before = taskValues(tasks, (task) => state?.logVariances[task] ?? 0);
  const weights = uncertaintyWeights(tasks, state);
  const gradients = taskValues(tasks, (task) => {
    const loss = Math.max(taskValue(losses, task, "learnUncertainty: losses"), SMALLEST_LOSS);
    return 0.5 - taskValue(weights, task, "learnUncertainty: weights") * loss;
  });
  const { values, moments } = adamStep(tasks, before, gradients, state?.adam ?? NO_MOMENTS, rate);
  return { weighting: "uncertainty", logVariances: values, adam: moments };
}
