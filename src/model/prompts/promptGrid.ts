import { ConfigError } from "../../base/errors.js";
import { type LabelTables, PUBLISHED_LABELS } from "./labels.js";

/** Template of LIQE (CVPR 2023, section 3.1). */
export const PUBLISHED_TEMPLATE = "a photo of a {scene} with {distortion} artifacts, which is of {quality} quality";

/** Tasks of a model, each an axis of the prompt grid, slowest first: the order of prompts and of reshapes. */
export const TASKS = ["quality", "scene", "distortion"] as const;
export type Task = (typeof TASKS)[number];

/** One axis that the template has, with its class names in order. */
export type TaskAxis = { readonly axis: Task; readonly labels: readonly string[] };

/** Every combination of labels as a text; the template's placeholders decide the tasks. */
export interface PromptGrid {
  readonly template: string;
  readonly labels: LabelTables;
  /** Those of TASKS that the template has, in that order; `quality` always among them. */
  readonly axes: readonly TaskAxis[];
  /** All prompts; the last axis changes fastest. */
  readonly prompts: readonly string[];
}

/** @throws {ConfigError} where the template has no `{quality}`, an unknown placeholder, or a label table is empty */
export function promptGrid(template: string = PUBLISHED_TEMPLATE, labels: LabelTables = PUBLISHED_LABELS): PromptGrid {
  const tables: Record<Task, readonly string[]> = {
    quality: labels.qualities,
    scene: labels.scenes,
    distortion: Object.keys(labels.distortions),
  };
  const names = TASKS.filter((axis) => template.includes(`{${axis}}`));
  const axes = names.map((axis) => ({ axis, labels: tables[axis] }));
  const problems = [...templateProblems(template), ...axes.flatMap(tableProblems)];
  if (problems.length > 0) throw new ConfigError(`prompts: ${problems.join("; ")}`);
  const prompts = axes.reduce<string[]>(
    (texts, { axis, labels: table }) =>
      texts.flatMap((text) => table.map((label) => text.replaceAll(`{${axis}}`, () => label))),
    [template],
  );
  return { template, labels, axes, prompts };
}

/** Labels of one axis, or undefined where the template leaves that task out. */
export function axisLabels(grid: PromptGrid, axis: Task): readonly string[] | undefined {
  return grid.axes.find((candidate) => candidate.axis === axis)?.labels;
}

function templateProblems(template: string): string[] {
  const placeholders = [...template.matchAll(/\{([^}]*)\}/g)].map((match) => match[1] ?? "");
  const unknown = placeholders.filter((name) => !TASKS.some((axis) => axis === name));
  return [
    ...(template.includes("{quality}") ? [] : [`template has no {quality}, and so predicts nothing: "${template}"`]),
    ...unknown.map((name) => `template has an unknown placeholder {${name}}; there are {${TASKS.join("}, {")}}`),
  ];
}

function tableProblems({ axis, labels }: TaskAxis): string[] {
  const repeated = labels.filter((label, i) => labels.indexOf(label) !== i);
  return [
    ...(labels.length === 0 ? [`the table of ${axis} labels is empty`] : []),
    ...(axis === "quality" && labels.length === 1 ? ["quality needs at least two levels"] : []),
    ...repeated.map((label) => `the ${axis} label "${label}" stands twice`),
  ];
}

/** A number for each task that is trained; the others are absent. */
export type TaskValues = Readonly<Partial<Record<Task, number>>>;

/** A number for each of `tasks`. */
export function taskValues(tasks: readonly Task[], valueOf: (task: Task) => number): TaskValues {
  return Object.fromEntries(tasks.map((task) => [task, valueOf(task)]));
}

/** Number of a task that must have one. @throws an internal error that names `where` and the task */
export function taskValue(values: TaskValues, task: Task, where: string): number {
  const value = values[task];
  if (value === undefined) throw new Error(`internal: ${where} has none for the task "${task}"`);
  return value;
}
