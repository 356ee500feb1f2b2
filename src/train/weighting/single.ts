import type { LossesConfig } from "../../losses/config.js";
import type { Task, TaskValues } from "../../model/prompts/promptGrid.js";
import { taskValues } from "../../model/prompts/promptGrid.js";

/**
 * `single`: one task's loss alone, that of the one task whose `losses.weights` is above 0; the baseline that the
 * multitask papers compare with (`STL` of the released weight_methods.py, there for quality alone). The other tasks'
 * losses are still computed and logged, at weight 0. The config holds it to exactly one task, and to one that the
 * prompts ask about, which is what it adds to `equal` with two weights of 0.
 */
export function singleTaskFactors(tasks: readonly Task[], weights: LossesConfig["weights"]): TaskValues {
  return taskValues(tasks, (task) => (weights[task] > 0 ? 1 : 0));
}
