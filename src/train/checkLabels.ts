import { DataError } from "../base/errors.js";
import type { Database, Sample } from "../data/sample.js";
import { deviationRemedies, type PairRules } from "../losses/pairs.js";
import type { Task, TaskAxis } from "../model/prompts/promptGrid.js";

/**
 * Looks for training images without a deviation of their MOS, where the losses need all of them.
 *
 * @throws {DataError} counting them by database, each with the first one's line
 */
export function requireDeviations(databases: readonly Database[], rules: PairRules): void {
  const remedies = deviationRemedies(rules);
  if (remedies.length === 0) return;
  const problems = databases.flatMap(({ name, train }) => {
    const without = train.filter(({ mosStd }) => mosStd === null);
    const [first] = without;
    return first === undefined
      ? []
      : [`${counted(without, train, name)} no deviation of the MOS, the first ${lineOf(first)}`];
  });
  if (problems.length === 0) return;
  throw new DataError(
    `losses: ${problems.join("; ")}. Give them in splits2/<name>_all.txt (path, mos, deviation) or as mos_std in CSV ` +
      `lists, or set ${remedies.join(", ")}`,
  );
}

/** A line for each database some of whose training images leave a task out, having no label for it. */
export function missingLabels(databases: readonly Database[], axes: readonly TaskAxis[]): string[] {
  const tasks = axes.map(({ axis }) => axis);
  return databases.flatMap(({ name, train }) =>
    tasks.flatMap((task) => {
      const without = train.filter((sample) => !hasLabel(sample, task));
      return without.length === 0 ? [] : [`${counted(without, train, name)} no ${task} label and leave that task out`];
    }),
  );
}

function hasLabel({ scenes, distortion }: Sample, task: Task): boolean {
  if (task === "scene") return scenes.length > 0;
  return task === "distortion" ? distortion !== null : true; // every line has a MOS
}

function counted(some: readonly Sample[], all: readonly Sample[], database: string): string {
  return `${database}: ${some.length} of ${all.length} training images have`;
}

function lineOf({ list, line, image }: Sample): string {
  return `${list}:${line} (${image})`;
}
