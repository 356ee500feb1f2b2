import { existsSync, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../base/errors.js";
import { problemsError } from "../base/text.js";
import type { ReportProgress } from "../base/types.js";
import { type LabelTables, PUBLISHED_LABELS } from "../model/prompts/labels.js";
import {
  type DatabaseConfig,
  type DataConfig,
  FEWEST_PER_STEP,
  hasPairs,
  hasPhotos,
  type PhotoConfig,
} from "./config.js";
import { knownDatabase } from "./databases/registry.js";
import { type ListContext } from "./lists/entries.js";
import { withFoundNames } from "./lists/foundNames.js";
import { readPhotos } from "./lists/photoList.js";
import { readPairDatabase } from "./lists/pairSamples.js";
import { asOneList, hasSource, readSource, requireSound } from "./lists/formats/readSource.js";
import { recordSplit, splitSamples } from "./lists/randomSplit.js";
import { readPublishedScores } from "./lists/publishedScores.js";
import { readList } from "./lists/readList.js";
import { type Database, type Sample, type SplitSamples, type Subset, SUBSETS, trainingImages } from "./sample.js";

type OpenOptions = {
  readonly tables?: LabelTables;
  readonly subsets?: readonly Subset[];
  /** Told how much of the lists was read. */
  readonly report?: ReportProgress | undefined;
};

/** Places of databases and, for training, the rule that divides a step among them. */
type DatabasesConfig = Pick<DataConfig, "root" | "databases"> &
  Partial<Pick<DataConfig, "sampling" | "imagesPerStep" | "temperature">>;

/**
 * Reads the lists of all databases of a config for one split. Images are not looked at (see `checkBeforeTraining`).
 * With `sampling: temperature` each database's images of a step follow from the sizes of the training lists.
 * @throws {DataError} with what is wrong in any of them, all at once: a missing database, a faulty list
 */
export async function openDatabases(
  config: DatabasesConfig,
  split: number,
  options: OpenOptions = {},
): Promise<Database[]> {
  const opened: Database[] = [];
  const problems: string[] = [];
  for (const database of config.databases) {
    const opening = openDatabase(database, { ...options, root: config.root, split });
    const one = await opening.catch(collectIn(problems));
    if (one !== null) opened.push(one);
  }
  if (problems.length > 0) throw new DataError(problems.join("\n"));
  return withQuotas(opened, config);
}

/** The databases with their images of a step, where their sizes decide. */
function withQuotas(
  databases: readonly Database[],
  { sampling, imagesPerStep, temperature }: DatabasesConfig,
): Database[] {
  const sizes = databases.map((database) => trainingImages(database).length);
  const isDivided = sampling === "temperature" && imagesPerStep !== undefined && temperature !== undefined;
  if (!isDivided || sizes.includes(0)) return [...databases]; // training lists were not asked for
  const quotas = temperatureQuotas(sizes, imagesPerStep, temperature);
  return databases.map((database, i) => ({ ...database, imagesPerStep: quotas[i] ?? 0 }));
}

/**
 * Divides a step's images among databases in proportion to size^(1/temperature), the temperature-scaled mixing of arXiv
 * 1910.10683 (section 3.5.2). A database whose share is below 2 gets 2, and the others divide the rest. Shares are made
 * whole by largest remainder; of equal remainders the earlier database's comes first.
 * @param sizes        training images of each database, each at least 1
 * @param total        images of a step, at least 2 of each database
 * @param temperature  at least 1; the higher, the more even
 * @returns            images of every step for each database; they sum to `total`
 */
export function temperatureQuotas(sizes: readonly number[], total: number, temperature: number): number[] {
  const weights = sizes.map((size) => size ** (1 / temperature));
  return wholeShares(sharesAboveFewest(weights, total), total);
}

/** Proportional shares; those below the fewest are raised to it at the others' cost. */
function sharesAboveFewest(weights: readonly number[], total: number): number[] {
  const raised = new Set<number>();
  for (;;) {
    const rest = total - FEWEST_PER_STEP * raised.size;
    const sum = weights.reduce((partial, weight, i) => partial + (raised.has(i) ? 0 : weight), 0);
    const shares = weights.map((weight, i) => (raised.has(i) ? FEWEST_PER_STEP : (rest * weight) / sum));
    const below = shares.flatMap((share, i) => (share < FEWEST_PER_STEP && !raised.has(i) ? [i] : []));
    if (below.length === 0) return shares;
    for (const i of below) raised.add(i);
  }
}

/** Rounds shares down, then adds one to the largest remainders until they sum to `total`. */
function wholeShares(shares: readonly number[], total: number): number[] {
  const whole = shares.map(Math.floor);
  const left = total - whole.reduce((sum, share) => sum + share, 0);
  const byRemainder = shares
    .map((share, i) => ({ i, remainder: share - Math.floor(share) }))
    .sort((a, b) => b.remainder - a.remainder || a.i - b.i);
  for (const { i } of byRemainder.slice(0, left)) whole[i] = (whole[i] ?? 0) + 1;
  return whole;
}

/** Training images from which a database gives as many to a step of joint training as the large ones of LIQE. */
const LARGE = 5000;

/** Images of a step in a first config: 32 of one database; of several, 4 or 16 each by their size, as LIQE's. */
export function usualQuota(images: number, databases: number): number {
  const usual = databases === 1 ? 32 : images < LARGE ? 4 : 16;
  return Math.max(FEWEST_PER_STEP, Math.min(usual, Math.floor(images / 2)));
}

/** @throws {DataError} naming every database that has fewer training images than it gives to a step */
export function checkQuotas(databases: readonly Database[]): void {
  const problems = databases.flatMap((database) => {
    const { name, imagesPerStep, pairs } = database;
    const images = trainingImages(database).length;
    if (images >= imagesPerStep) return [];
    const [unit, each] = pairs === undefined ? ["images", 1] : ["pairs", 2];
    const wanted = pairs === undefined ? "" : ` asks for, ${imagesPerStep / each} pairs a step`;
    const listed = `its training list has ${images / each} ${unit}, fewer than imagesPerStep: ${imagesPerStep}${wanted}`;
    return [`data.databases: ${name}: ${listed}; lower that, or give it more ${unit}`];
  });
  if (problems.length > 0) throw new DataError(problems.join("\n"));
}

/** @throws {DataError} with what is wrong with the database or any of its lists */
async function openDatabase(
  database: DatabaseConfig,
  run: OpenOptions & { readonly root: string; readonly split: number },
): Promise<Database> {
  const { root, split, tables = PUBLISHED_LABELS, subsets = SUBSETS, report: progress } = run;
  const layout = resolveLayout(database, root, split);
  const { name, folder, lists, drawn } = layout;
  const kept = (parts: SplitSamples, subset: Subset) => (subsets.includes(subset) ? parts[subset] : []);
  const keptOf = (parts: SplitSamples) => ({ train: kept(parts, "train"), val: kept(parts, "val"), test: kept(parts, "test") }); // prettier-ignore
  if (hasSource(database)) {
    const { content, mosStdFactor, source, imagesPerStep = 0 } = database;
    const read = await readSource(database, { database: name, folder, tables, content, mosStdFactor, progress });
    requireSound(`data.databases: ${name}: ${source}`, read.problems);
    const parts = await read.splitOf(split, layout.record);
    return { name, imagesPerStep, folder, isDrawn: read.splits === null, ...keptOf(parts) };
  }
  if (!hasPhotos(database)) await requireFolder(layout); // photographs may be named in any folder
  const published = await readPublishedScores(layout.deviations);
  const { content, mosStdFactor } = database;
  const context = { database: name, folder, tables, published, content, mosStdFactor, progress };
  if (hasPhotos(database)) return openPhotos(database, lists, { ...context, subsets });
  const opened = { name, imagesPerStep: database.imagesPerStep ?? 0, folder };
  if (hasPairs(database)) {
    return { ...opened, train: [], ...(await readPairDatabase(database, lists, { ...context, subsets })) };
  }
  if (drawn !== null) {
    const { list, record } = drawn;
    const samples = await withFoundNames(await readList(list, context));
    const parts = await splitSamples(samples, database, { split, record });
    return { ...opened, isDrawn: true, ...keptOf(parts) };
  }
  const samples: Record<Subset, readonly Sample[]> = { train: [], val: [], test: [] };
  const problems: string[] = [];
  for (const subset of subsets) {
    const read = (await readList(lists[subset], context).catch(collectIn(problems))) ?? [];
    samples[subset] = await withFoundNames(read);
  }
  if (problems.length === 0) return { ...opened, ...samples };
  if (knownDatabase(name) !== undefined && !existsSync(lists.train)) {
    problems.push(`"liqe data prepare ${name}" makes lists from the makers' own files; docs/data.md says more`);
  }
  const indented = problems.map((problem) => problem.replaceAll("\n", "\n  "));
  throw problemsError(`data.databases: ${name}: split ${split} cannot be used`, indented);
}

/** Photographs of a database to train on, and its lists of scores where the config names them and they are asked for. */
async function openPhotos(
  { name, photos, imagesPerStep = 0, val, test }: PhotoConfig,
  lists: DatabaseLayout["lists"],
  { subsets, ...context }: ListContext & { readonly subsets: readonly Subset[] },
): Promise<Database> {
  const { folder } = context;
  const scored = async (subset: "val" | "test", list: string | undefined) =>
    list === undefined || !subsets.includes(subset) ? [] : withFoundNames(await readList(lists[subset], context));
  const [validated, tested] = [await scored("val", val), await scored("test", test)];
  const read = subsets.includes("train") ? await readPhotos(path.resolve(photos), { database: name, folder }) : [];
  return { name, imagesPerStep, folder, photos: read, train: [], val: validated, test: tested };
}

/** Handler of errors: adds what is wrong with data to `problems` and gives null. */
function collectIn(problems: string[]): (error: unknown) => null {
  return (error) => {
    if (!(error instanceof DataError)) throw error;
    problems.push(error.message);
    return null;
  };
}

/** Writes records of drawn splits, for later runs and evaluations. @param databases  opened with all subsets */
export async function recordRandomSplits(
  { root, databases: settings }: DatabasesConfig,
  databases: readonly Database[],
  split: number,
): Promise<void> {
  for (const database of settings) {
    const { record } = resolveLayout(database, root, split);
    const opened = databases.find(({ name }) => name === database.name);
    if (opened?.isDrawn !== true) continue;
    await recordSplit(hasSource(database) ? asOneList(database) : database, opened, record);
  }
}

/** @throws {DataError} where the database's folder is not there, naming what makes it or lays it out */
export async function requireFolder({ name, folder, lists }: DatabaseLayout): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  const known = knownDatabase(name);
  const what = `data.databases: ${name}: there is no folder ${folder}`;
  if (known === undefined) {
    throw new DataError(
      `${what}; make the database with "liqe data synthesize --photos DIR --out ${folder}", or lay out your own as ` +
        `IQA_Database/README.md shows (${lists.train}, or lists named by train:, val: and test:)`,
    );
  }
  throw new DataError(
    `${what}; get ${known.title} (${known.images} images) from ${known.address} and lay it out as ` +
      `IQA_Database/README.md shows, or set data.root to where your databases are`,
  );
}

/** Absolute paths of a database's files, which may not be there. */
interface DatabaseLayout {
  readonly name: string;
  readonly folder: string;
  readonly lists: Readonly<Record<Subset, string>>;
  /** MOS and their deviations. */
  readonly deviations: string;
  /** List of all images, split or not. */
  readonly whole: string;
  /** Record of the split, where it is drawn. */
  readonly record: string;
  /** The one list that is split by content, and the record of the split; null where each subset has its list. */
  readonly drawn: { readonly list: string; readonly record: string } | null;
}

/**
 * Resolves the paths of a database. Lists named in the config come first; else
 * `splits2/<split>/<prefix>_<subset>_clip.txt` in the database's folder, as published, where the prefix is a known
 * database's name and a user's folder's own name.
 */
export function resolveLayout(database: DatabaseConfig, root: DataConfig["root"], split: number): DatabaseLayout {
  const known = knownDatabase(database.name);
  const given = database.source ?? database.photos;
  const besideSource = given !== undefined && database.folder === undefined ? folderOf(given) : null;
  const folder = besideSource ?? path.resolve(root, database.folder ?? known?.folder ?? database.name);
  const prefix = known === undefined ? path.basename(folder) : database.name;
  const listOf = (subset: Subset) => {
    if (hasSource(database)) return path.resolve(database.source);
    const own = subset === "train" ? (database.pairs ?? database.train) : database[subset];
    const published = path.join("splits2", String(split), `${prefix}_${subset}_clip.txt`);
    return path.resolve(folder, own?.replaceAll("{split}", String(split)) ?? published);
  };
  const recordName = hasSource(database) ? database.name : prefix; // several sources may share a folder
  const record = path.join(folder, "splits2", String(split), `${recordName}_contents.json`);
  return {
    ...{ name: database.name, folder, record },
    lists: { train: listOf("train"), val: listOf("val"), test: listOf("test") },
    deviations: path.join(folder, "splits2", `${prefix}_all.txt`),
    whole: path.join(folder, "splits2", `${prefix}_all_clip.txt`),
    drawn: database.list === undefined ? null : { list: path.resolve(folder, database.list), record },
  };
}

/** Folder of a source's images: the source itself, or where it lies. */
function folderOf(source: string): string {
  const isFolder = statSync(source, { throwIfNoEntry: false })?.isDirectory() === true;
  return isFolder ? path.resolve(source) : path.dirname(path.resolve(source));
}
