import type { Task, TaskValues } from "../../model/prompts/promptGrid.js";
import { taskValues } from "../../model/prompts/promptGrid.js";
import type { TaskProducts } from "./taskProducts.js";
import { gradientCosine } from "./taskProducts.js";

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
export function gradientCosineWeights(tasks: readonly Task[], products: TaskProducts): TaskValues {
  return taskValues(tasks, (task) => (task === MAIN_TASK ? 1 : Math.max(0, gradientCosine(products, task, MAIN_TASK))));
}
