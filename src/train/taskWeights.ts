import type { LossesConfig } from "../losses/config.js";
import type { Task, TaskValues } from "../losses/tasks.js";
import { taskValue, taskValues } from "../losses/tasks.js";
import type { LossHistory } from "./lossHistory.js";
import { dynamicWeightAverage } from "./weighting/dynamicWeightAverage.js";

/**
 * Weights of the tasks for the epoch that comes after those of the history: what `weighting` says (`equal`: 1 for
 * all), times the task's own weight in the config.
 *
 * @param tasks  those of the prompt grid; each has a mean in every epoch of the history
 */
export function taskWeights(
  { weighting, weights }: Pick<LossesConfig, "weighting" | "weights">,
  tasks: readonly Task[],
  history: LossHistory,
): TaskValues {
  const factors = weighting === "equal" ? taskValues(tasks, () => 1) : dynamicWeightAverage(tasks, history);
  return taskValues(tasks, (task) => weights[task] * taskValue(factors, task, "taskWeights: factors"));
}
