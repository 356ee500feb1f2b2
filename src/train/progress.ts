import type { Task, TaskValues } from "../model/prompts/promptGrid.js";

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

function mapTasks(values: TaskValues, change: (value: number, task: Task) => number): TaskValues {
  const entries = Object.entries(values) as [Task, number][]; // the keys that TaskValues has
  return Object.fromEntries(entries.map(([task, value]) => [task, change(value, task)]));
}
