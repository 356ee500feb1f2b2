import { mean } from "../../evaluate/metrics/vectors.js";
import { type Task, taskValue, taskValues, type TaskValues } from "../../model/prompts/promptGrid.js";
import { type GradientGram, gradientLength } from "./gradientGram.js";
import { adamStep, type WeightingState, NO_MOMENTS } from "./state.js";

type State = Extract<WeightingState, { weighting: "gradnorm" }>;

/** Lower limit of a factor before all are brought to their sum: below 0 a task would learn to be wrong. */
export const SMALLEST_FACTOR = 0.01;

/** `gradnorm`: the factors learned so far, 1 at first; they sum to the number of tasks. See `learnGradNorm`. */
export function gradNormFactors(tasks: readonly Task[], state: State | null): TaskValues {
  return taskValues(tasks, (task) => state?.factors[task] ?? 1);
}

/**
 * GradNorm (Z. Chen, V. Badrinarayanan, C.-Y. Lee, A. Rabinovich, Gradient Normalization for Adaptive Loss Balancing
 * in Deep Multitask Networks, ICML 2018, arXiv 1711.02257), algorithm 1: factors w_i that bring the lengths
 * G_i = w_i·|g_i| of the tasks' gradients to Ḡ·r_i^α, where Ḡ is their mean and r_i the task's loss over its first
 * one, over the mean of that: slow tasks get long gradients. One step of Adam on Σ|G_i − Ḡ·r_i^α| with the targets held,
 * whose gradient is sign(G_i − Ḡ·r_i^α)·|g_i|; then all factors are scaled to sum to the number of tasks.
 * g_i is taken by the features, the last layer that the tasks share (the paper: weights of that layer). A task whose
 * first loss was 0 or less counts as unchanged, one whose loss is below 0 now as solved, where the paper has no value.
 * @param tasks     two or more make a difference; those that the config weighs by 0 are not among them
 * @param losses    of the step, without weights
 * @param products  of the step's gradients, of the losses without weights
 */
export function learnGradNorm(
  tasks: readonly Task[],
  state: State | null,
  { losses, products }: { readonly losses: TaskValues; readonly products: GradientGram },
  { alpha, rate }: { readonly alpha: number; readonly rate: number },
): State {
  const loss = (task: Task) => taskValue(losses, task, "learnGradNorm: losses");
  const firstLosses = state?.firstLosses ?? taskValues(tasks, loss);
  const before = gradNormFactors(tasks, state);
  const length = (task: Task) => taskValue(before, task, "learnGradNorm") * gradientLength(products, task);
  const ratio = (task: Task) => lossRatio(loss(task), taskValue(firstLosses, task, "learnGradNorm: firstLosses"));
  const [meanLength, meanRatio] = [mean(tasks.map(length)), mean(tasks.map(ratio))];
  const gradients = taskValues(tasks, (task) => {
    const relativeRatio = meanRatio === 0 ? 1 : ratio(task) / meanRatio; // all solved: none is slow
    return Math.sign(length(task) - meanLength * relativeRatio ** alpha) * gradientLength(products, task);
  });
  const { values, moments } = adamStep(tasks, before, gradients, state?.adam ?? NO_MOMENTS, rate);
  return { weighting: "gradnorm", factors: normalized(tasks, values), firstLosses, adam: moments };
}

function lossRatio(loss: number, first: number): number {
  return first > 0 ? Math.max(0, loss) / first : 1;
}

function normalized(tasks: readonly Task[], values: TaskValues): TaskValues {
  const held = (task: Task) => Math.max(taskValue(values, task, "learnGradNorm: factors"), SMALLEST_FACTOR);
  const sum = tasks.reduce((total, task) => total + held(task), 0);
  return taskValues(tasks, (task) => (tasks.length * held(task)) / sum);
}
