import { z } from "zod";
import { type Task, TASKS, taskValue, taskValues, type TaskValues } from "../../model/prompts/promptGrid.js";

/** A number for each task that is trained, as state.json has it. */
export const SavedTaskValues = z.partialRecord(z.enum(TASKS), z.number());

const AdamMoments = z.strictObject({
  /** Steps taken. */
  step: z.int().nonnegative(),
  first: SavedTaskValues,
  second: SavedTaskValues,
});
/** Adam's memory of a number a task. */
type AdamMoments = Readonly<z.output<typeof AdamMoments>>;

/** State of a weighting that learns: plain data in float64, which JSON keeps bit for bit, saved with the progress. */
export const WeightingState = z.discriminatedUnion("weighting", [
  z.strictObject({ weighting: z.literal("uncertainty"), logVariances: SavedTaskValues, adam: AdamMoments }),
  z.strictObject({
    weighting: z.literal("gradnorm"),
    factors: SavedTaskValues,
    /** Of the run's first step. */
    firstLosses: SavedTaskValues,
    adam: AdamMoments,
  }),
]);
export type WeightingState = Readonly<z.output<typeof WeightingState>>;

/** Adam's own defaults, section 2 of its paper. */
const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

export const NO_MOMENTS: AdamMoments = { step: 0, first: {}, second: {} };

/**
 * One step of Adam (D. Kingma, J. Ba, ICLR 2015, arXiv 1412.6980) on a number a task, in float64 on the host. Its
 * first step moves each number by the rate, against the gradient's sign.
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
