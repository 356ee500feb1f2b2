import { ConfigError } from "../../base/errors.js";
import type { LabelTables } from "./labels.js";
import { PUBLISHED_LABELS } from "./labels.js";

/** The template of LIQE (CVPR 2023, section 3.1). */
export const PUBLISHED_TEMPLATE = "a photo of a {scene} with {distortion} artifacts, which is of {quality} quality";

/** Axes of the prompt grid, slowest first. Prompt order and reshape order both come from here. */
export const PROMPT_AXES = ["quality", "scene", "distortion"] as const;
export type PromptAxis = (typeof PROMPT_AXES)[number];

/** One axis that the template has, with its class names in order. */
export interface GridAxis {
  readonly axis: PromptAxis;
  readonly labels: readonly string[];
}

/** Every combination of labels, written out; the template's placeholders decide which tasks there are. */
export interface PromptGrid {
  readonly template: string;
  readonly labels: LabelTables;
  /** Those of PROMPT_AXES that the template has, in that order; `quality` always among them. */
  readonly axes: readonly GridAxis[];
  /** The last axis changes fastest. */
  readonly prompts: readonly string[];
}

/** @throws {ConfigError} where the template has no `{quality}`, an unknown placeholder, or a label table is empty */
export function promptGrid(template: string = PUBLISHED_TEMPLATE, labels: LabelTables = PUBLISHED_LABELS): PromptGrid {
  const problems = templateProblems(template);
  const names: Record<PromptAxis, readonly string[]> = {
    quality: labels.qualities,
    scene: labels.scenes,
    distortion: Object.keys(labels.distortions),
  };
  const axes = PROMPT_AXES.filter((axis) => template.includes(`{${axis}}`)).map((axis) => ({
    axis,
    labels: names[axis],
  }));
  for (const { axis, labels: table } of axes) problems.push(...tableProblems(axis, table));
  if (problems.length > 0) throw new ConfigError(`prompts: ${problems.join("; ")}`);
  const prompts = axes.reduce<string[]>(
    (texts, { axis, labels: table }) =>
      texts.flatMap((text) => table.map((label) => text.replaceAll(`{${axis}}`, () => label))),
    [template],
  );
  return { template, labels, axes, prompts };
}

/** The labels of one axis, or undefined where the template leaves that task out. */
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

function tableProblems(axis: PromptAxis, labels: readonly string[]): string[] {
  const twice = labels.filter((label, i) => labels.indexOf(label) !== i);
  return [
    ...(labels.length === 0 ? [`the table of ${axis} labels is empty`] : []),
    ...(axis === "quality" && labels.length === 1 ? ["quality needs at least two levels"] : []),
    ...twice.map((label) => `the ${axis} label "${label}" stands twice`),
  ];
}

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
