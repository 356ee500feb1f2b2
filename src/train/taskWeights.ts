import type { LossesConfig } from "../losses/config.js";
import type { Task, TaskValues } from "../losses/tasks.js";

/** Temperature of the dynamic weight average: higher makes the weights more even. MTAN's and LIQE's value. */
const TEMPERATURE = 2;

/** Mean losses so far: plain data, to be saved as it is and taken up again mid-epoch without a difference. */
export interface LossHistory {
  /** Of each finished epoch, the oldest first. */
  readonly epochMeans: readonly TaskValues[];
  /** Of the epoch under way. */
  readonly sums: TaskValues;
  readonly steps: number;
}

export const EMPTY_HISTORY: LossHistory = { epochMeans: [], sums: {}, steps: 0 };

/** The history with one more step, whose losses (without weights) are given. */
export function addStep(history: LossHistory, losses: TaskValues): LossHistory {
  const sums = mapTasks(losses, (loss, task) => (history.sums[task] ?? 0) + loss);
  return { ...history, sums, steps: history.steps + 1 };
}

/** The history with its epoch closed. @throws an internal error where the epoch had no step */
export function endEpoch({ epochMeans, sums, steps }: LossHistory): LossHistory {
  if (steps === 0) throw new Error("internal: endEpoch: the epoch has no step, and so no mean loss");
  return { epochMeans: [...epochMeans, mapTasks(sums, (sum) => sum / steps)], sums: {}, steps: 0 };
}

/**
 * Weights of the tasks for the epoch that comes after those of the history.
 *
 * `dwa`, dynamic weight average (S. Liu, E. Johns, A. Davison, End-to-End Multi-Task Learning with Attention, CVPR
 * 2019, arXiv 1803.10704): n·exp(w_i/T) / Σ_j exp(w_j/T) for n tasks, where w_i is the mean loss of the
 * last epoch over that of the one before; 1 for all in the first two epochs. A task whose loss was 0 or less in the
 * epoch before (without labels, or solved) counts as unchanged, w_i = 1, where the paper has no value. `equal`: 1 for
 * all. Either way times the task's own weight in the config.
 *
 * @param tasks  those of the prompt grid; each has a mean in every epoch of the history
 */
export function taskWeights(
  { weighting, weights }: Pick<LossesConfig, "weighting" | "weights">,
  tasks: readonly Task[],
  { epochMeans }: LossHistory,
): TaskValues {
  const factors = weighting === "equal" ? tasks.map(() => 1) : dynamicWeights(tasks, epochMeans);
  return Object.fromEntries(tasks.map((task, i) => [task, weights[task] * (factors[i] ?? NaN)]));
}

function dynamicWeights(tasks: readonly Task[], epochMeans: readonly TaskValues[]): number[] {
  const [before, last] = epochMeans.slice(-2);
  if (before === undefined || last === undefined) return tasks.map(() => 1);
  const ratios = tasks.map((task) => lossRatio(task, last, before));
  const largest = Math.max(...ratios);
  const shares = ratios.map((ratio) => Math.exp((ratio - largest) / TEMPERATURE)); // minus the largest: no overflow
  const sum = shares.reduce((total, share) => total + share, 0);
  return shares.map((share) => (tasks.length * share) / sum);
}

function lossRatio(task: Task, last: TaskValues, before: TaskValues): number {
  const [numerator, denominator] = [last[task], before[task]];
  if (numerator === undefined || denominator === undefined) {
    throw new Error(`internal: taskWeights: the history has no mean loss for the task "${task}"`);
  }
  return denominator > 0 ? numerator / denominator : 1;
}

function mapTasks(values: TaskValues, change: (value: number, task: Task) => number): TaskValues {
  const entries = Object.entries(values) as [Task, number][]; // the keys that TaskValues has
  return Object.fromEntries(entries.map(([task, value]) => [task, change(value, task)]));
}
