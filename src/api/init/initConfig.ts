/** First config for a database: recognizes what lies in a folder or list, and writes the YAML that trains on it. */
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../../base/errors.js";
import { nearestName, plural } from "../../base/text.js";
import { fileOnDisk } from "../../data/archives/archive.js";
import type { DatabaseConfig } from "../../data/config.js";
import { knownDatabase, KNOWN_DATABASES, ownName } from "../../data/databases/registry.js";
import { PUBLISHED_COLUMNS } from "../../data/lists/entries.js";
import { openSource, type Source } from "../../data/lists/formats/openSource.js";
import { CSV_COLUMNS, readList, requireOneReading } from "../../data/lists/readList.js";
import { readLines, readStartOfText } from "../../data/lists/lines.js";
import { firstLineOf, headerOf, readCommaRows } from "../../data/lists/rows.js";
import { checkQuotas, openDatabases, usualQuota } from "../../data/openDatabases.js";
import { type Database, type Sample, SUBSETS } from "../../data/sample.js";
import { PUBLISHED_LABELS } from "../../model/prompts/labels.js";
import { parseConfig } from "../config.js";
import { configText, type FoundDatabase } from "./configText.js";

export interface InitialConfig {
  /** Name of the run, and of its file where no other is asked for. */
  readonly name: string;
  readonly text: string;
  /** Lines for people on what was found, a database each. */
  readonly found: readonly string[];
  /** Lines on what will need attention before training. */
  readonly warnings: readonly string[];
}

type Settings = Omit<DatabaseConfig, "imagesPerStep">;

/** Databases below one folder, as a config names them. */
interface Recognized {
  readonly name: string;
  readonly root: string;
  readonly databases: readonly Settings[];
  /** Lines on folders that were left out. */
  readonly leftOut?: readonly string[];
}

/**
 * Makes a commented config for a database's folder, a folder of databases, or one list of scores.
 * @param given   path of it
 * @param images  folder that the paths of a list begin in; by default looked for beside the list and one folder below
 * @param asked   name of the run; by default that of the folder
 * @throws {DataError} where nothing is recognized, or with what is wrong in the lists
 */
export async function initialConfig(given: string, images?: string, asked?: string): Promise<InitialConfig> {
  const { name: own, root, databases, leftOut = [] } = await recognize(given, images);
  const name = asked === undefined ? own : ownName(asked);
  const opened = await openDatabases({ root, databases }, 1);
  const found = databases.map((settings, i) => describeDatabase(settings, opened[i], databases.length));
  checkQuotas(opened.map((database, i) => ({ ...database, imagesPerStep: found[i]?.imagesPerStep ?? 0 })));
  const text = configText({ given, name, root, databases: found });
  parseConfig(text, `the config for ${given}`);
  return {
    name,
    text,
    found: found.map(({ summary }) => summary),
    warnings: [...leftOut, ...found.flatMap(({ missing }) => (missing === null ? [] : [missing]))],
  };
}

async function recognize(given: string, images?: string): Promise<Recognized> {
  const kind = await stat(given).catch(() => null);
  if (kind === null) {
    throw new DataError(`${given}: there is no such file or folder; name a database's folder or a list of scores`);
  }
  const folder = kind.isDirectory() ? given : path.dirname(given);
  const base = path.basename(path.resolve(folder));
  const isHere = path.resolve(folder) === path.resolve("");
  const place = { folder, base: isHere ? "." : base, name: ownName(base) };
  const own = kind.isDirectory() ? await databaseIn(place, images) : await databaseOfList(given, place, images);
  const root = isHere ? "." : path.dirname(folder);
  if (own !== null) return { name: own.name, root, databases: [own] };
  const below = await databasesBelow(folder);
  if (below.databases.length > 0) return { name: place.name, root: folder, ...below };
  const source = await openSource(folder).catch(ifNothing);
  if (source !== null && source.entries.length > 0)
    return { name: place.name, root, databases: [databaseOfSource(folder, source, place.name)] };
  throw nothingIn(folder, await readdir(folder));
}

/** Folder of a database. */
interface Place {
  readonly folder: string;
  /** The same, relative to the config's root. */
  readonly base: string;
  /** Name for a database of the user's own. */
  readonly name: string;
}

/** Database of a folder: lists in the published layout, one list for each subset, or one list; null for any other. */
async function databaseIn(place: Place, images?: string): Promise<Settings | null> {
  const { folder, base, name } = place;
  const prefix = await publishedPrefix(folder);
  if (prefix !== null) return publishedDatabase(place, prefix);
  const files = await readdir(folder);
  for (const ending of [".csv", ".txt", ".tsv"]) {
    const lists = { train: `train${ending}`, val: `val${ending}`, test: `test${ending}` };
    if (Object.values(lists).every((file) => files.includes(file))) return { name, folder: base, ...lists };
  }
  const lists = await listsIn(folder);
  const [list] = lists;
  if (list === undefined) return null;
  if (lists.length === 1) return databaseOfList(path.join(folder, list), place, images);
  throw new DataError(`${folder}: holds ${plural(lists.length, "list")} (${lists.join(", ")}); name one of them`);
}

/** Beginning of the names of the lists of split 1: `<prefix>_train_clip.txt`; null where the three are not there. */
async function publishedPrefix(folder: string): Promise<string | null> {
  const names = await readdir(path.join(folder, "splits2", "1")).catch((): string[] => []);
  const prefixes = names.flatMap((name) => /^(.+)_train_clip\.txt$/.exec(name)?.[1] ?? []);
  const whole = prefixes.filter((prefix) => SUBSETS.every((subset) => names.includes(`${prefix}_${subset}_clip.txt`)));
  return whole[0] ?? null;
}

/** Known database where the lists have its name and all of its images; else one of the user's own. */
async function publishedDatabase({ folder, base, name }: Place, prefix: string): Promise<Settings> {
  const fileOf = (split: string, subset: string) => `splits2/${split}/${prefix}_${subset}_clip.txt`;
  const known = knownDatabase(prefix);
  if (known !== undefined) {
    let images = 0;
    for (const subset of SUBSETS) {
      await readLines(path.join(folder, fileOf("1", subset)), (line) => {
        if (line.trim() !== "") images++;
      });
    }
    if (images === known.images) return { name: prefix, folder: base };
  }
  const isOwnName = known === undefined && prefix === path.basename(path.resolve(folder)) && name === prefix;
  if (isOwnName) return { name, folder: base };
  const [train, val, test] = SUBSETS.map((subset) => fileOf("{split}", subset));
  return { name, folder: base, train, val, test };
}

/** Databases one folder below. @throws {DataError} with what is wrong with the first where all of them are left out */
async function databasesBelow(root: string): Promise<Pick<Recognized, "databases" | "leftOut">> {
  const databases: Settings[] = [];
  const problems: DataError[] = [];
  for (const base of (await readdir(root)).sort()) {
    const folder = path.join(root, base);
    if ((await stat(folder).catch(() => null))?.isDirectory() !== true) continue;
    try {
      const database = await databaseIn({ folder, base, name: ownName(base) });
      if (database !== null) databases.push(database);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      problems.push(error);
    }
  }
  const [first] = problems;
  if (databases.length === 0 && first !== undefined) throw first;
  return { databases, leftOut: problems.map(({ message }) => `left out: ${message}`) };
}

/** Names of the files in a folder that begin as a list does. @throws {DataError} where there are none that can be read */
async function listsIn(folder: string): Promise<string[]> {
  const files = (await readdir(folder, { withFileTypes: true })).filter(
    (entry) => entry.isFile() && /\.(csv|tsv|txt)$/i.test(entry.name),
  );
  const lists: string[] = [];
  const problems: unknown[] = [];
  for (const { name } of files) {
    const text = await readStartOfText(path.join(folder, name)).catch((error: unknown) => {
      problems.push(error);
      return "";
    });
    if (isOwnLine(text)) lists.push(name);
  }
  if (lists.length === 0 && problems.length > 0) throw problems[0];
  return lists.sort();
}

/** True where a list's first line is of our own kind: columns image and mos, or the published ones without a header. */
function isOwnLine(text: string): boolean {
  const first = firstLineOf(text);
  const cells = first.split(",").map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
  return first.split("\t").length === PUBLISHED_COLUMNS || (cells.includes("image") && cells.includes("mos"));
}

/** Null in place of an error that says that nothing is there to be read. */
function ifNothing(error: unknown): null {
  if (error instanceof DataError) return null;
  throw error;
}

/** Database of a list or folder in another project's form, with the splits that it tells. */
function databaseOfSource(place: string, { splits, ambiguities }: Source, name: string, images?: string): Settings {
  requireOneReading(place, ambiguities);
  return {
    ...{ name, source: path.relative("", place) },
    ...(images === undefined ? {} : { folder: path.resolve(images) }),
    ...(splits === null ? { split: "70/10/20" } : {}),
  };
}

/** Database of one list: by its own splits where it tells any, else to be split by content. */
async function databaseOfList(file: string, { folder: beside, base, name }: Place, images?: string): Promise<Settings> {
  const isOwn = isOwnLine(await readStartOfText(file).catch(() => "")); // a binary form is none of ours
  const source = await openSource(file, images === undefined ? {} : { images }).catch(ifNothing);
  if (source !== null && (source.splits !== null || !isOwn)) return databaseOfSource(file, source, name, images);
  const column = await contentColumn(file);
  const content = column === null ? {} : { content: { column } };
  const context = { database: name, folder: beside, tables: PUBLISHED_LABELS, published: new Map(), ...content };
  const samples = await readList(file, context);
  const folder = images ?? (await folderOfImages(beside, samples));
  const list = path.relative(folder, file).split(path.sep).join("/");
  const below = images === undefined ? path.join(base, path.relative(beside, folder)) : path.resolve(images);
  return { name, folder: below, list, split: "70/10/20", ...content };
}

/** Images of a list that are looked for to find their folder. */
const LOOKED_FOR = 50;

/** Folder that a list's paths begin in: the list's own, or one below it. @throws {DataError} where no image is found */
async function folderOfImages(beside: string, samples: readonly Sample[]): Promise<string> {
  const entries = await readdir(beside, { withFileTypes: true });
  const below = entries.filter((entry) => entry.isDirectory()).map(({ name }) => path.join(beside, name));
  const looked = samples.slice(0, LOOKED_FOR);
  const counts = [beside, ...below.sort()].map((folder) => {
    return { folder, count: looked.filter(({ image }) => existsSync(path.join(folder, image))).length };
  });
  const best = counts.reduce((a, b) => (b.count > a.count ? b : a));
  if (best.count > 0) return best.folder;
  const [first] = samples;
  throw new DataError(
    `${first?.list ?? beside}: none of its images is in ${beside} or a folder below it (the first: ` +
      `${first?.image ?? "none"}); name their folder by --images DIR`,
  );
}

/**
 * Column of a CSV list, the only one that no list has, which groups its images: the photograph that each is a version of.
 * Null where there is none, for the reader to complain of what there is.
 */
async function contentColumn(file: string): Promise<string | null> {
  const start = await readStartOfText(file);
  if (firstLineOf(start).includes("\t")) return null;
  const header = await headerOf(file);
  const own = header.filter((cell) => !(CSV_COLUMNS as readonly string[]).includes(cell));
  const [column] = own;
  if (column === undefined || own.length > 1 || nearestName(column, CSV_COLUMNS) !== undefined) return null;
  const at = header.indexOf(column);
  const groups = new Set<string>();
  let rows = -1; // the header is one
  await readCommaRows(file, ({ cells }) => {
    if (++rows > 0) groups.add(cells[at] ?? "");
  });
  return !groups.has("") && groups.size < rows ? column : null;
}

/** A database with what its config says of it. @param databases  how many the config names */
function describeDatabase(settings: Settings, opened: Database | undefined, databases: number): FoundDatabase {
  if (opened === undefined) throw new Error(`internal: ${settings.name} was not opened`);
  const samples = SUBSETS.flatMap((subset) => opened[subset]);
  const missing = samples.filter(({ file }) => !existsSync(fileOnDisk(file)));
  const scores = samples.map(({ mos }) => mos).sort((a, b) => a - b);
  const parts = `${opened.train.length} to train on, ${opened.val.length} to validate, ${opened.test.length} to test`;
  const named = missing.slice(0, 3).map(({ image }) => image);
  return {
    settings,
    imagesPerStep: usualQuota(opened.train.length, databases),
    hasScenes: opened.train.some(({ scenes }) => scenes.length > 0),
    hasDistortions: opened.train.some(({ distortion }) => distortion !== null),
    summary: `${settings.name}: ${samples.length} images (${parts}), scores ${scores[0] ?? NaN} to ${scores.at(-1) ?? NaN}`,
    missing:
      missing.length === 0
        ? null
        : `${settings.name}: ${missing.length} of ${samples.length} images are not there (${named.join(", ")}${missing.length > 3 ? ", ..." : ""}); training stops at them`,
  };
}

/** Error for a folder in which no list is, with what would make one. */
function nothingIn(folder: string, names: readonly string[]): DataError {
  const base = path.basename(path.resolve(folder));
  const known = KNOWN_DATABASES.find((database) => database.folder === base);
  if (known !== undefined) {
    const make = `liqe data prepare ${known.name} --folder ${folder}`;
    return new DataError(`${folder}: looks like ${known.title}, and holds no lists; "${make}" makes them`);
  }
  const pictures = names.filter((name) => /\.(jpe?g|png|webp|tiff?|bmp)$/i.test(name)).length;
  if (pictures > 0) {
    const make = `liqe data synthesize --photos ${folder} --out IQA_Database/photos`;
    return new DataError(
      `${folder}: holds ${plural(pictures, "picture")} and no list of scores; write image,mos into a CSV file beside ` +
        `them, or "${make}" makes a database of distorted versions`,
    );
  }
  return new DataError(
    `${folder}: holds no list of scores: no CSV with columns image and mos, no train.csv, val.csv and test.csv, no ` +
      "splits2/1/<name>_train_clip.txt, and no folder that has one; docs/data.md shows each",
  );
}
