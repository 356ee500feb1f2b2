import { extentOf } from "../../base/collections.js";
import { type Task, taskValue, type TaskValues } from "../../model/prompts/promptGrid.js";
import type { LossHistory } from "../progress.js";

/** Temperature of the dynamic weight average: higher makes the weights more even. MTAN's and LIQE's value. */
const TEMPERATURE = 2;

/**
 * `dwa`, dynamic weight average (S. Liu, E. Johns, A. Davison, End-to-End Multi-Task Learning with Attention, CVPR
 * 2019, arXiv 1803.10704): n·exp(w_i/T) / Σ_j exp(w_j/T) for n tasks, where w_i is the mean loss of the
 * last epoch over that of the one before; 1 for all in the first two epochs. A task whose loss was 0 or less in the
 * epoch before (without labels, or solved) counts as unchanged, w_i = 1, where the paper has no value.
 * @param tasks  those of the prompt grid; each has a mean in every epoch of the history
 */
export function dynamicWeightAverage(tasks: readonly Task[], { epochMeans }: LossHistory): TaskValues {
  const factors = dynamicWeights(tasks, epochMeans);
  return Object.fromEntries(tasks.map((task, i) => [task, factors[i] ?? NaN]));
}

function dynamicWeights(tasks: readonly Task[], epochMeans: readonly TaskValues[]): number[] {
  const [before, last] = epochMeans.slice(-2);
  if (before === undefined || last === undefined) return tasks.map(() => 1);
  const ratios = tasks.map((task) => lossRatio(task, last, before));
  const { most: largest } = extentOf(ratios);
  const shares = ratios.map((ratio) => Math.exp((ratio - largest) / TEMPERATURE)); // minus the largest: no overflow
  const sum = shares.reduce((total, share) => total + share, 0);
  return shares.map((share) => (tasks.length * share) / sum);
}

function lossRatio(task: Task, last: TaskValues, before: TaskValues): number {
  const where = "dynamicWeightAverage: the history";
  const denominator = taskValue(before, task, where);
  return denominator > 0 ? taskValue(last, task, where) / denominator : 1;
}
