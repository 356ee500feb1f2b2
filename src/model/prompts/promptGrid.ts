import { ConfigError } from "../../base/errors.js";
import { type LabelTables, PUBLISHED_LABELS } from "./labels.js";

/** Template of LIQE (CVPR 2023, section 3.1). */
export const PUBLISHED_TEMPLATE = "a photo of a {scene} with {distortion} artifacts, which is of {quality} quality";

/** Axes of the prompt grid, slowest first. Prompt order and reshape order both follow it. */
export const PROMPT_AXES = ["quality", "scene", "distortion"] as const;
export type PromptAxis = (typeof PROMPT_AXES)[number];

/** One axis that the template has, with its class names in order. */
export interface GridAxis {
  readonly axis: PromptAxis;
  readonly labels: readonly string[];
}

/** Every combination of labels as a text; the template's placeholders decide the tasks. */
export interface PromptGrid {
  readonly template: string;
  readonly labels: LabelTables;
  /** Those of PROMPT_AXES that the template has, in that order; `quality` always among them. */
  readonly axes: readonly GridAxis[];
  /** All prompts; the last axis changes fastest. */
  readonly prompts: readonly string[];
}

/** @throws {ConfigError} where the template has no `{quality}`, an unknown placeholder, or a label table is empty */
export function promptGrid(template: string = PUBLISHED_TEMPLATE, labels: LabelTables = PUBLISHED_LABELS): PromptGrid {
  const tables: Record<PromptAxis, readonly string[]> = {
    quality: labels.qualities,
    scene: labels.scenes,
    distortion: Object.keys(labels.distortions),
  };
  const names = PROMPT_AXES.filter((axis) => template.includes(`{${axis}}`));
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
export function axisLabels(grid: PromptGrid, axis: PromptAxis): readonly string[] | undefined {
  return grid.axes.find((candidate) => candidate.axis === axis)?.labels;
}

function templateProblems(template: string): string[] {
  const placeholders = [...template.matchAll(/\{([^}]*)\}/g)].map((match) => match[1] ?? "");
  const unknown = placeholders.filter((name) => !PROMPT_AXES.some((axis) => axis === name));
  return [
    ...(template.includes("{quality}") ? [] : [`template has no {quality}, and so predicts nothing: "${template}"`]),
    ...unknown.map((name) => `template has an unknown placeholder {${name}}; there are {${PROMPT_AXES.join("}, {")}}`),
  ];
}

function tableProblems({ axis, labels }: GridAxis): string[] {
  const repeated = labels.filter((label, i) => labels.indexOf(label) !== i);
  return [
    ...(labels.length === 0 ? [`the table of ${axis} labels is empty`] : []),
    ...(axis === "quality" && labels.length === 1 ? ["quality needs at least two levels"] : []),
    ...repeated.map((label) => `the ${axis} label "${label}" stands twice`),
  ];
}

/** Tasks of a model, in the order of the grid's axes: each axis is one. */
export const TASKS = PROMPT_AXES;
export type Task = PromptAxis;
export type TaskAxis = GridAxis;

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
