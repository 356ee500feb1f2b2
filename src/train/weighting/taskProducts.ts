import type { Task } from "../../model/prompts/promptGrid.js";

/**
 * Scalar products of the tasks' gradients with each other: all that weightings want to know of them, namely how long
 * each is and how far two point the same way. Plain data.
 */
export interface TaskProducts {
  readonly tasks: readonly Task[];
  /** [tasks, tasks]: ⟨g_i, g_j⟩, in the order of `tasks`. */
  readonly values: readonly (readonly number[])[];
}

/** ⟨g_a, g_b⟩. @throws an internal error for a task that was not measured */
export function product({ tasks, values }: TaskProducts, a: Task, b: Task): number {
  const value = values[tasks.indexOf(a)]?.[tasks.indexOf(b)];
  if (value === undefined) throw new Error(`internal: product: the gradients of "${a}" and "${b}" were not measured`);
  return value;
}

/** |g|, Euclidean. */
export function gradientLength(products: TaskProducts, task: Task): number {
  return Math.sqrt(product(products, task, task));
}

/** Of the angle between two tasks' gradients, −1 to 1; 0 where one of them is 0. */
export function gradientCosine(products: TaskProducts, a: Task, b: Task): number {
  const lengths = gradientLength(products, a) * gradientLength(products, b);
  return lengths === 0 ? 0 : Math.min(1, Math.max(-1, product(products, a, b) / lengths)); // float32 rounds past 1
}
