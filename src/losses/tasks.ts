/** What a model can be asked about an image, in the order of the prompt grid's axes. */
export const TASKS = ["quality", "scene", "distortion"] as const;
export type Task = (typeof TASKS)[number];

/** A number for each task that is trained; the others are absent. */
export type TaskValues = Readonly<Partial<Record<Task, number>>>;

/** One axis of the prompt grid: the task whose classes it lists. The last axis of a grid changes fastest. */
export interface TaskAxis {
  readonly axis: Task;
  readonly labels: readonly string[];
}
