import { extentOf } from "../../base/collections.js";
import { DataError } from "../../base/errors.js";
import { plural } from "../../base/text.js";
import type { Task, TaskAxis } from "../../model/prompts/promptGrid.js";
import { knownDatabase } from "../databases/registry.js";
import { distortionClasses, type ListContext, normalizePath } from "../lists/entries.js";
import { type Database, eachOnce, isUnscored, type ListedImage, type Sample, trainingImages } from "../sample.js";
import { type Finding, findingAt, findingOf } from "./findings.js";

/** Checks a database's images by their lists alone. */
export function checkSamples(images: readonly Sample[], context: ListContext): Finding[] {
  const { database } = context;
  return [
    ...findContradictions(images, context),
    ...checkCount(database, images),
    ...checkRange(database, images),
    ...checkDeviations(database, images),
    ...checkDeviationScale(database, images),
    ...checkLabels(database, images),
    ...compareWithPublished(images, context),
  ];
}

function findContradictions(images: readonly Sample[], { database, tables }: ListContext): Finding[] {
  const classOf = distortionClasses(tables);
  const classes = Object.keys(tables.distortions);
  const typeOfPath = knownDatabase(database)?.typeOfPath;
  if (typeOfPath === undefined) return [];
  return images.flatMap((sample) => {
    const type = typeOfPath(sample.image);
    const told = type === null ? null : classOf(type);
    if (type === null || told === null || sample.distortion === null || told === sample.distortion) return [];
    const [label = "", path = ""] = [classes[sample.distortion], classes[told]];
    const what = `is labeled ${label}, its path says ${type} (${path}); relabel it, or know that you train on it`;
    return [findingAt(sample, "contradiction", "warning", what)];
  });
}

function checkCount(database: string, images: readonly Sample[]): Finding[] {
  const known = knownDatabase(database);
  if (known === undefined || images.length === 0 || known.images === images.length) return [];
  const what = `its lists name ${plural(images.length, "image")}, the database has ${known.images}; are they whole?`;
  return [findingOf(database, "count", "warning", what)];
}

function checkRange(database: string, images: readonly Sample[]): Finding[] {
  const [low, high] = knownDatabase(database)?.mosRange ?? [-Infinity, Infinity];
  const outside = images
    .filter(({ mos }) => mos < low || mos > high)
    .map((sample) => {
      const what = `its score ${sample.mos} is outside ${low} to ${high}; is the list of this database's scale?`;
      return findingAt(sample, "range", "warning", what);
    });
  const isConstant = images.length > 1 && images.every(({ mos }) => mos === images[0]?.mos);
  const same = `all ${images.length} scores are ${images[0]?.mos ?? NaN}; nothing can be ranked by them`;
  return isConstant ? [...outside, findingOf(database, "range", "error", same)] : outside;
}

function checkDeviations(database: string, images: readonly Sample[]): Finding[] {
  const unknown = images.filter(({ mosStd }) => mosStd === null).length;
  const zero = images.filter(({ mosStd }) => mosStd === 0).length;
  if (unknown === images.length || unknown + zero === 0) return [];
  const what = `of ${plural(images.length, "score")}, ${zero} have the deviation 0 and ${unknown} none; both are floored`;
  return [findingOf(database, "deviation", "note", what)];
}

/** Bounds of the mean deviation over the range of the scores: published databases have .022 to .22. */
const DEVIATION_SHARE = { least: 0.012, most: 0.5 };
/** Images from which the mean deviation tells a scale. */
const ENOUGH_DEVIATIONS = 50;
/** Share of a database's known range that its scores fill at least; those that fill less are on another scale. */
const FILLED_SHARE = 0.25;
/** Factor between the two usual scales, 1 to 5 and 0 to 100. */
const USUAL_FACTOR = 25;

/** Looks for deviations of another scale than the scores: Thurstone targets and weights of pairs would go wrong unseen. */
function checkDeviationScale(database: string, images: readonly Sample[]): Finding[] {
  const deviations = images.flatMap(({ mosStd }) => (mosStd === null ? [] : [mosStd]));
  if (deviations.length < ENOUGH_DEVIATIONS) return [];
  const mean = deviations.reduce((sum, deviation) => sum + deviation, 0) / deviations.length;
  const range = rangeOf(database, images);
  const factor = deviationFactor(mean, range);
  if (factor === null) return [];
  const [scores, own] = factor < 1 ? ["1 to 5", "0 to 100"] : ["0 to 100", "1 to 5"];
  const what =
    `the mean deviation ${mean.toPrecision(3)} is ${(mean / range).toPrecision(2)} of the scores' range ${range.toPrecision(3)}, ` +
    `where ${DEVIATION_SHARE.least} to ${DEVIATION_SHARE.most} is sound; are scores ${scores} beside deviations ${own}? ` +
    `Then set mosStdFactor: ${factor} for this database; else correct them`;
  return [findingOf(database, "deviation-scale", "error", what)];
}

/** Factor that puts deviations of the other usual scale on that of the scores; null where they are on it. */
export function deviationFactor(mean: number, range: number): number | null {
  const share = mean / range;
  if (range === 0 || mean === 0 || (share >= DEVIATION_SHARE.least && share <= DEVIATION_SHARE.most)) return null;
  return share > DEVIATION_SHARE.most ? 1 / USUAL_FACTOR : USUAL_FACTOR;
}

/** Width of the database's known range, or of the scores themselves where they fill little of it or leave it. */
function rangeOf(database: string, images: readonly Sample[]): number {
  const { least, most } = extentOf(images.map(({ mos }) => mos));
  const [low = NaN, high = NaN] = knownDatabase(database)?.mosRange ?? [];
  const isInside = least >= low && most <= high && most - least >= FILLED_SHARE * (high - low);
  return isInside ? high - low : most - least;
}

function checkLabels(database: string, images: readonly Sample[]): Finding[] {
  const distortion = images.filter((sample) => sample.distortion === null).length;
  const scene = images.filter((sample) => sample.scenes.length === 0).length;
  if (distortion + scene === 0) return [];
  const what = `of ${plural(images.length, "image")}, ${distortion} have no distortion label and ${scene} no scene`;
  return [findingOf(database, "unlabelled", "note", `${what}; those tasks leave them out`)];
}

/** Allowed difference of scores: they are published with six decimals in one file and with fewer in another. */
const ROUNDING = 5e-4;

/** Compares a database's lists with its `<name>_all.txt`: other scores, and images that only one of them has. */
export function compareWithPublished(
  images: readonly Sample[],
  { database, published }: Pick<ListContext, "database" | "published">,
): Finding[] {
  if (published.size === 0 || images.length === 0) return [];
  const listed = new Set(images.map(({ image }) => normalizePath(image)));
  const onlyListed = images.filter(({ image }) => !published.has(normalizePath(image))).length;
  const onlyPublished = [...published.keys()].filter((image) => !listed.has(image)).length;
  const differing = images.flatMap((sample) => {
    const score = published.get(normalizePath(sample.image));
    if (score === undefined || !(Math.abs(score.mos - sample.mos) > ROUNDING)) return [];
    const what = `its score is ${sample.mos}, and ${score.mos} in the database's _all.txt; make them agree`;
    return [findingAt(sample, "disagreement", "warning", what)];
  });
  if (onlyListed + onlyPublished === 0) return differing;
  const what =
    `${plural(onlyListed, "image")} of its lists are not in its _all.txt, ` +
    `${plural(onlyPublished, "image")} of that file in none of its lists`;
  return [...differing, findingOf(database, "count", "warning", what)];
}

/** Needs of a run's losses, beyond an order of the images. */
export interface ScoreNeeds {
  /** Settings that make deviations of the MOS unnecessary; empty where none are needed. */
  readonly deviationRemedies: readonly string[];
  /** Setting that needs scores that differ; null where none does. */
  readonly scaled: string | null;
  /** Fewest images of a database in a step. */
  readonly fewestImages: number;
}

/**
 * Looks for training images and databases that lack what the losses need: deviations, scores that differ, enough images.
 * Databases of pairs have no scores, and what is learned from them needs none; photographs have none yet.
 * @throws {DataError} naming every database, with the line of the first image that lacks something
 */
export function requireScores(all: readonly Database[], needs: ScoreNeeds): void {
  const { deviationRemedies, scaled, fewestImages } = needs;
  const databases = all.filter((database) => !isUnscored(database));
  const problems = [
    ...missingDeviations(deviationRemedies.length === 0 ? [] : databases, deviationRemedies),
    ...(scaled === null ? [] : databases.flatMap((database) => scaleProblem(database, scaled) ?? [])),
    ...databases.flatMap(({ name, imagesPerStep }) =>
      imagesPerStep >= fewestImages
        ? []
        : [`losses: ${name}: has imagesPerStep ${imagesPerStep}, and ${String(scaled)} needs ${fewestImages} at least`],
    ),
  ];
  if (problems.length > 0) throw new DataError(problems.join("\n"));
}

function missingDeviations(databases: readonly Database[], remedies: readonly string[]): string[] {
  const problems = databases.flatMap(({ name, train }) => {
    const without = train.filter(({ mosStd }) => mosStd === null);
    const [first] = without;
    return first === undefined
      ? []
      : [`${counted(without, train, name)} no deviation of the MOS, the first ${lineOf(first)}`];
  });
  if (problems.length === 0) return [];
  return [
    `losses: ${problems.join("; ")}. Give them in splits2/<name>_all.txt (path, mos, deviation) or as mos_std in CSV ` +
      `lists, or set ${remedies.join(", ")}`,
  ];
}

function scaleProblem({ name, train }: Database, scaled: string): string | null {
  const { least, most } = extentOf(train.map(({ mos }) => mos));
  if (most > least) return null;
  const what = `all ${train.length} training images have the score ${least}, and ${scaled} needs scores that differ`;
  return `losses: ${name}: ${what}; leave the database out, or set losses.quality: fidelity`;
}

/** A line for each database some of whose training images leave a task out, having no label for it. */
export function missingLabels(databases: readonly Database[], axes: readonly TaskAxis[]): string[] {
  const tasks = axes.map(({ axis }) => axis);
  const labeled = databases.filter(({ photos }) => photos === undefined); // a teacher tells of the others
  return labeled.flatMap((database) => {
    const images = eachOnce(database, trainingImages(database));
    return tasks.flatMap((task) => {
      const without = images.filter((image) => !hasLabel(image, task));
      if (without.length === 0) return [];
      return [`${counted(without, images, database.name)} no ${task} label and leave that task out`];
    });
  });
}

function hasLabel({ scenes, distortion }: ListedImage, task: Task): boolean {
  if (task === "scene") return scenes.length > 0;
  return task === "distortion" ? distortion !== null : true; // every line has a MOS, or a share
}

function counted(some: readonly ListedImage[], all: readonly ListedImage[], database: string): string {
  return `${database}: ${some.length} of ${all.length} training images have`;
}

function lineOf({ list, line, image }: Sample): string {
  return `${list}:${line} (${image})`;
}
