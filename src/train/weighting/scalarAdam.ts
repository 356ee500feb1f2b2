import type { Task, TaskValues } from "../../model/prompts/promptGrid.js";
import { taskValue, taskValues } from "../../model/prompts/promptGrid.js";
import type { AdamMoments } from "./state.js";

/** Adam's own defaults, section 2 of its paper. */
const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

export const NO_MOMENTS: AdamMoments = { step: 0, first: {}, second: {} };

/**
 * One step of Adam (D. Kingma, J. Ba, ICLR 2015, arXiv 1412.6980) on a number a task, in float64 on the host. Its
 * first step moves each number by the rate, against the gradient's sign.
 *
 * @param gradients  one for each of `tasks`, finite
 */
export function adamStep(
  tasks: readonly Task[],
  values: TaskValues,
  gradients: TaskValues,
  before: AdamMoments,
  rate: number,
): { readonly values: TaskValues; readonly moments: AdamMoments } {
  const step = before.step + 1;
  const gradient = (task: Task) => taskValue(gradients, task, "adamStep: gradients");
  const first = taskValues(tasks, (task) => BETA1 * (before.first[task] ?? 0) + (1 - BETA1) * gradient(task));
  const second = taskValues(tasks, (task) => BETA2 * (before.second[task] ?? 0) + (1 - BETA2) * gradient(task) ** 2);
  const moved = taskValues(tasks, (task) => {
    const mean = taskValue(first, task, "adamStep") / (1 - BETA1 ** step);
    const square = taskValue(second, task, "adamStep") / (1 - BETA2 ** step);
    return taskValue(values, task, "adamStep: values") - (rate * mean) / (Math.sqrt(square) + EPSILON);
  });
  return { values: moved, moments: { step, first, second } };
}
