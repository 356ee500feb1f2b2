import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { CheckpointError } from "../../base/errors.js";
import { sha256OfFile } from "../../base/files.js";
import { plural, problemsError } from "../../base/text.js";
import type { Reporter } from "../../base/types.js";
import { placeOf } from "../../data/audit/findings.js";
import { requireScores } from "../../data/audit/sampleChecks.js";
import { unpacked } from "../../data/lists/packSamples.js";
import type { Database, ListedImage, SoftLabels } from "../../data/sample.js";
import { type PredictedRow, readPredictions, rowsOf } from "../../evaluate/scoring/predictionFile.js";
import { EVALUATION_BATCH, scoreImages } from "../../evaluate/scoring/scoreImages.js";
import { taughtNeeds } from "../../losses/multitaskLoss.js";
import { gridOf } from "../../model/config.js";
import type { Posterior } from "../../model/posterior.js";
import { promptGrid, type TaskAxis, TASKS } from "../../model/prompts/promptGrid.js";
import type { SeenRecord } from "../../train/checkpoint/seen.js";
import type { RunConfig } from "../../train/runConfig.js";
import {
  type TaughtDatabases,
  type TaughtScore,
  type Teacher,
  teachDatabases,
  type TeachOptions,
} from "../../train/teacher.js";
import { choiceOf, openModel, openSeen, openWeights, type OpenedModel } from "../openModel.js";

/** Endings of files of scores; weights in shards have an index that ends in .json as well. */
const SCORES = /(?<!\.index)\.(csv|tsv|txt|json|jsonl|ndjson)$/i;

/** True where a teacher is a file of scores, of any model. */
function isScoreFile(teacher: string): boolean {
  return SCORES.test(teacher) && statSync(teacher, { throwIfNoEntry: false })?.isDirectory() !== true;
}

/**
 * Checks a run's teacher as far as that takes no scoring: its weights and prompts, or its scores of all photographs.
 * @throws {CheckpointError} where weights are refused, or their prompts have other levels than the run's
 * @throws {DataError} naming the photographs that a file has no score of, or what the losses lack
 */
async function checkTeacher(
  teacher: string,
  config: RunConfig,
  { databases, reporter }: { readonly databases: readonly Database[]; readonly reporter: Reporter },
): Promise<void> {
  if (!isScoreFile(teacher)) {
    const { template, labels } = (await openWeights(teacher)).prompts ?? choiceOf(config.prompts);
    sharedAxes(teacher, promptGrid(template, labels).axes, config, reporter);
    return;
  }
  const rows = await readPredictions(teacher);
  const scored = databases.flatMap(({ photos, ...database }) => {
    if (photos === undefined) return [];
    const scores = new Map(scoresOf(photos, teacher, rows).map(({ file, score }) => [file, score]));
    const train = photos.map((image) => {
      const { quality = NaN, deviation = null } = scores.get(image.file) ?? {};
      return { ...unpacked(image), mos: quality, mosStd: deviation };
    });
    return [{ ...database, train }];
  });
  requireScores(scored, taughtNeeds(config.losses));
}

/**
 * Check of the teachers of several splits, see `checkTeacher`: those of one config have the same photographs and teacher,
 * which is opened once for all of them.
 */
export function teacherCheck(reporter: Reporter) {
  const checked = new Set<string>();
  return async (config: RunConfig, databases: readonly Database[]): Promise<void> => {
    const { teacher } = config.train;
    const key = JSON.stringify([teacher, config.prompts, config.losses, config.data]);
    if (teacher === null || checked.has(key)) return;
    await checkTeacher(teacher, config, { databases, reporter });
    checked.add(key);
  };
}

/** Teaching of a run by the teacher that its config names. */
export function teacherOf(config: RunConfig, reporter: Reporter) {
  return (databases: readonly Database[], how: Pick<TeachOptions, "folder" | "isBegun">): Promise<TaughtDatabases> => {
    const { labels } = gridOf(config.prompts);
    const open = () => openTeacher(config, reporter);
    const { stallSeconds } = config.data;
    const needs = taughtNeeds(config.losses);
    return teachDatabases(databases, { ...how, open, levels: labels.qualities.length, needs, stallSeconds, reporter });
  };
}

/** Record of the images that a teacher has learned from, which its student inherits; null where it is not known. */
export async function teacherSeen({ train: { teacher } }: RunConfig, reporter: Reporter): Promise<SeenRecord | null> {
  if (teacher === null) return null;
  const seen = isScoreFile(teacher) ? null : await openSeen(teacher);
  if (seen === null)
    reporter.note(
      `${teacher}: no record tells what the teacher has learned from; test on images that it cannot have seen`,
    );
  return seen;
}

async function openTeacher(config: RunConfig, reporter: Reporter): Promise<Teacher> {
  const { teacher } = config.train;
  if (teacher === null) throw new Error("internal: openTeacher: the config passed without a teacher");
  return isScoreFile(teacher) ? scoreFileTeacher(teacher) : modelTeacher(teacher, config, reporter);
}

/** Teacher by a file of scores of any model. */
async function scoreFileTeacher(file: string): Promise<Teacher> {
  const rows = await readPredictions(file);
  return {
    key: await sha256OfFile(file),
    isOfLevels: false,
    score: async function* (images) {
      yield* await Promise.resolve(scoresOf(images, file, rows));
    },
    close: () => undefined,
  };
}

/** Scores of images in a file; see `rowsOf`. @throws {DataError} naming the images without a score */
function scoresOf(
  images: readonly ListedImage[],
  file: string,
  rows: readonly PredictedRow[],
): { readonly file: string; readonly score: TaughtScore }[] {
  const found = rowsOf(images, rows, file);
  const problems = images
    .filter((image) => !found.has(image))
    .map((image) => `${placeOf(image)} has no score in ${file}`);
  if (problems.length > 0)
    throw problemsError(`train.teacher: ${file}: ${plural(problems.length, "photograph")} without a score`, problems);
  return [...found].map(([image, { quality, mosStd }]) => {
    return { file: image.file, score: { quality, deviation: mosStd, probabilities: null } };
  });
}

/** Teacher by a model: its expected levels, their deviations, and the probabilities of labels that the run has too. */
async function modelTeacher(name: string, config: RunConfig, reporter: Reporter): Promise<Teacher> {
  const { prompts, evaluate, data } = config;
  const opened = await openModel(name, { usual: choiceOf(prompts), note: reporter.note });
  const { scorer } = opened;
  const axes = sharedAxes(name, scorer.axes, config, { note: () => undefined }); // told when it was checked
  const images = { ...data, window: scorer.window };
  const scoring = { crops: evaluate.crops, microBatch: EVALUATION_BATCH, order: "name", images } as const;
  return {
    key: keyOf(opened, evaluate.crops),
    isOfLevels: true,
    score: async function* (photos) {
      const files = photos.map(({ file }) => file);
      const problems: string[] = [];
      for await (const scored of scoreImages(files, scorer, scoring, reporter.progress)) {
        if (scored.ok) yield { file: scored.file, score: scoreOf(scored.posterior, axes) };
        else problems.push(scored.error);
      }
      if (problems.length > 0)
        throw problemsError(`train.teacher: ${plural(problems.length, "photograph")} without a score`, problems);
    },
    close: () => {
      opened.dispose();
    },
  };
}

/** SHA-256 of all that a model's scores depend on. */
function keyOf({ weights, tokenizer, model: { grid, architecture } }: OpenedModel, crops: number): string {
  const hash = createHash("sha256").update(JSON.stringify([grid.prompts, architecture, crops]));
  for (const [name, bytes] of tokenizer?.files ?? []) hash.update(name).update(bytes);
  for (const [name, { values }] of weights) {
    hash.update(name).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest("hex");
}

/**
 * Axes of the teacher's prompts that the run's prompts have too, with the same labels.
 * @throws {CheckpointError} where the teacher has no levels, or others than the run
 */
function sharedAxes(
  name: string,
  all: readonly TaskAxis[],
  { prompts }: RunConfig,
  { note }: Pick<Reporter, "note">,
): TaskAxis[] {
  const { axes } = gridOf(prompts);
  const shared = all.filter(({ axis, labels }) => {
    const own = axes.find((one) => one.axis === axis);
    return own !== undefined && JSON.stringify(own.labels) === JSON.stringify(labels);
  });
  const told = shared.map(({ axis }) => axis);
  if (!told.includes("quality"))
    throw new CheckpointError(`train.teacher: ${name}: its prompts have other quality levels than the run's, or none`);
  const untold = axes.filter(({ axis }) => !told.includes(axis)).map(({ axis }) => axis);
  if (untold.length > 0) note(`${name}: does not tell ${untold.join(" and ")} by the run's labels; they are left out`);
  return shared;
}

function scoreOf({ quality, probabilities }: Posterior, axes: readonly TaskAxis[]): TaughtScore {
  const levels = probabilities.quality;
  const variance = levels.reduce((sum, p, k) => sum + p * (k + 1 - quality) ** 2, 0);
  const told = Object.fromEntries(
    TASKS.map((task) => [task, axes.some(({ axis }) => axis === task) ? [...probabilities[task]] : []]),
  ) as unknown as SoftLabels; // a key for each task
  return { quality, deviation: Math.sqrt(variance), probabilities: told };
}

/** Both records together; null where neither is known. */
export function joinedSeen(first: SeenRecord | null, second: SeenRecord | null): SeenRecord | null {
  if (first === null || second === null) return first ?? second;
  return {
    format: 1,
    training: [...first.training, ...second.training],
    validation: [...first.validation, ...second.validation],
  };
}
