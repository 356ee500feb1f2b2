/** What a model can be asked about an image, in the order of the prompt grid's axes. */
export const TASKS = ["quality", "scene", "distortion"] as const;
export type Task = (typeof TASKS)[number];

/** A number for each task that is trained; the others are absent. */
export type TaskValues = Readonly<Partial<Record<Task, number>>>;

/** A number for each of `tasks`. */
export function taskValues(tasks: readonly Task[], valueOf: (task: Task) => number): TaskValues {
  return Object.fromEntries(tasks.map((task) => [task, valueOf(task)]));
}

/** The number of a task that must have one. @throws an internal error that says where, and of what it is missing */
export function taskValue(values: TaskValues, task: Task, where: string): number {
  const value = values[task];
  if (value === undefined) throw new Error(`internal: ${where} has none for the task "${task}"`);
  return value;
}

/** One axis of the prompt grid: the task whose classes it lists. The last axis of a grid changes fastest. */
export interface TaskAxis {
  readonly axis: Task;
  readonly labels: readonly string[];
}
