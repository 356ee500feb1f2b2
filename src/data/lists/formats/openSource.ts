import { stat } from "node:fs/promises";
import path from "node:path";
import { extentOf } from "../../../base/collections.js";
import { DataError } from "../../../base/errors.js";
import { plural } from "../../../base/text.js";
import { type LabelTables, PUBLISHED_LABELS } from "../../../model/prompts/labels.js";
import { nameInside } from "../../archives/archive.js";
import { pathGroups } from "../../databases/knownDatabase.js";
import { knownDatabase } from "../../databases/registry.js";
import { distortionClasses, type Entry, normalizePath } from "../entries.js";
import { readPublishedScores } from "../publishedScores.js";
import { databaseOf } from "./databaseName.js";
import { findLists, type FoundList, foundList, listGroups } from "./findLists.js";
import { createPlaceFinder } from "./placeImages.js";
import { readTable } from "./readTable.js";
import { requireOneScale } from "./scales.js";
import { findSplitSets, isTrainingImage, type SplitSet } from "./splitSets.js";
import type { FormatName } from "./names.js";
import { type Ambiguity, type Direction, type Fault, isNumeric, type ReadingChoice, subsetWord } from "./table.js"; // prettier-ignore

export interface SourceChoice extends ReadingChoice {
  /** Name of the database in the config; a known one's facts hold. */
  readonly name?: string | undefined;
  /** Set of splits to take, by the name of its column or file. */
  readonly split?: string | undefined;
  /** Folder of the images; by default the source's own. */
  readonly images?: string | undefined;
  readonly tables?: LabelTables;
}

export interface SourceEntry extends Entry {
  /** List that it stands in. */
  readonly list: string;
  readonly isThere: boolean;
}

/** Images with scores that a path holds, in whatever form. */
export interface Source {
  readonly format: FormatName;
  /** Known database that it is of, by names and images; null where none is recognized. */
  readonly database: string | null;
  /** Absolute folder that the images' paths begin in. */
  readonly folder: string;
  readonly lists: readonly string[];
  readonly entries: readonly SourceEntry[];
  readonly faults: readonly (Fault & { readonly list: string })[];
  readonly columns: FoundList["table"]["columns"];
  /** The file's own numbers, before they are turned. */
  readonly scores: {
    readonly column: string;
    readonly min: number;
    readonly max: number;
    readonly direction: Direction;
  };
  readonly deviations: { readonly column: string; readonly mean: number } | null;
  /** Splits by the places of entries; null where the source tells none. */
  readonly splits: SplitSet | null;
  readonly ambiguities: readonly Ambiguity[];
  /** Lines on what was turned, left out or taken in another way than written. */
  readonly notes: readonly string[];
}

/**
 * Opens a list, or a folder with lists, by what is in it.
 * @throws {DataError} where nothing is there, or nothing that is read; where a file is damaged, naming the place
 */
export async function openSource(place: string, choice: SourceChoice = {}): Promise<Source> {
  const source = await findSource(place, choice);
  if (source === null) throw new DataError(`${place}: holds no list of images with scores; ${KNOWN_FORMS}`);
  return source;
}

/** Opens the same; null where nothing there is a list. @throws {DataError} where it is damaged, naming the place */
export async function findSource(place: string, choice: SourceChoice = {}): Promise<Source | null> {
  const source = path.resolve(place);
  const found = await listsOf(source, choice);
  const { isFolder, ambiguities } = found;
  const lists = await withPublishedDeviations(found.lists);
  const [first] = lists;
  if (first === undefined) return null;
  const folder = path.resolve(choice.images ?? (isFolder ? source : path.dirname(source)));
  const images = lists.flatMap(({ table }) => table.entries.map(({ image }) => image));
  const database = knownDatabase(choice.name ?? "")?.name ?? databaseOf(first.file, images);
  const notes = found.repeats.map(({ file, table }) => {
    const left = table.entries.length - images.length;
    const others = left > 0 ? `; ${plural(left, "image")} of it in none of them left out` : "";
    return `${file}: has the same scores as the lists of the subsets, which are read${others}`;
  });
  const scores = scoresOf(lists, database, choice);
  const { set, others } = await chooseSplits(lists, folder, choice, source);
  const deviations = deviationsOf(lists, database, notes);
  requireOneScale(lists, first.file);
  if (scores.direction === "lower")
    notes.push(`scores are turned, ${scores.top} - ${scores.column}: lower is better there`);
  const turned = turnedEntries(lists, scores, deviations?.isRooted === true);
  const labeled = withLabels(turned, { format: first.table.format, database, tables: choice.tables, notes });
  const isOutside = (entry: Entry) => database === "clive" && isTrainingImage(entry.image);
  const { entries, splits } = leaveOut(await placed(labeled, folder, lists), set, isOutside);
  const left = labeled.length - entries.length;
  if (left > 0) notes.push(`${plural(left, "training image")} of the makers' own (t1.bmp to t7.bmp) left out`);
  const { min, max, column, direction } = scores;
  return {
    ...{
      format: first.table.format,
      database,
      folder,
      lists: lists.flatMap(({ files }) => files),
      entries,
      notes,
      splits,
    },
    faults: lists.flatMap(({ file, table }) => table.faults.map((fault) => ({ ...fault, list: fault.list ?? file }))),
    columns: first.table.columns,
    scores: { column, min, max, direction },
    deviations: deviations === null ? null : { column: deviations.column, mean: deviations.mean },
    ambiguities: [...ambiguities, ...first.table.ambiguities, ...others],
  };
}

/** Entries of all lists, their scores higher-is-better and their deviations no variances. */
function turnedEntries(lists: readonly FoundList[], scores: ReturnType<typeof scoresOf>, areRooted: boolean) {
  const isTurned = scores.direction === "lower";
  return lists.flatMap(({ file, table }) =>
    table.entries.map((entry) => {
      const mos = isTurned && isNumeric(entry.mos) ? exactly(scores.top - Number(entry.mos)) : entry.mos;
      const isRooted = areRooted && entry.mosStd !== null && isNumeric(entry.mosStd);
      const mosStd = isRooted ? String(Math.sqrt(Number(entry.mosStd))) : entry.mosStd;
      return { ...entry, list: entry.list ?? file, mos, mosStd };
    }),
  );
}

const KNOWN_FORMS =
  "read are CSV with a header, the published lists, and the forms in docs/data.md; --columns image=NAME,mos=NAME names others";

async function listsOf(source: string, choice: SourceChoice) {
  const found = await stat(source).catch(() => null);
  if (found === null) throw new DataError(`${source}: there is no such file or folder; check the path`);
  if (!found.isDirectory()) {
    const table = await readTable(source, choice);
    const lists = table === null ? [] : [{ ...foundList(source, table, path.basename(source)), subset: null }];
    return { lists, isFolder: false, ambiguities: [], repeats: [] };
  }
  const { groups, repeats } = withoutRepeats(listGroups(await findLists(source, choice)));
  const own = groups.filter(([one]) => one !== undefined && databaseOf(one.file, imagesOf(one)) === choice.name);
  const [lists = [], ...more] = own.length > 0 ? own : groups;
  const readings = [lists, ...more].map((group) => group.map(({ file }) => path.relative(source, file)).join(", "));
  const ambiguities: Ambiguity[] =
    more.length === 0
      ? []
      : [{ what: "several lists that do not belong together", readings, flag: "name one of them as PATH" }];
  return { lists, isFolder: true, ambiguities, repeats };
}

/**
 * Groups without the single lists that say again, image for image, what lists of the subsets say: as DeQA-Score's `mos.json`
 * stands beside its lists. With other scores both stay: which of them is right is not guessed.
 */
function withoutRepeats(groups: readonly FoundList[][]) {
  const isParted = ([first]: readonly FoundList[]) => first !== undefined && first.subset !== null;
  const parted = groups.filter(isParted);
  const repeats = groups.filter((group) => !isParted(group) && parted.some((parts) => saysAgain(group, parts)));
  return { groups: groups.filter((group) => !repeats.includes(group)), repeats: repeats.flat() };
}

/** True where `whole` has every image of `parts`, by the names of their files, with the same score. */
function saysAgain(whole: readonly FoundList[], parts: readonly FoundList[]): boolean {
  const scoresIn = (lists: readonly FoundList[]) =>
    lists.flatMap(({ table }) =>
      table.entries.map(({ image, mos }) => [path.posix.basename(image), Number(mos)] as const),
    );
  const scores = new Map(scoresIn(whole));
  return scoresIn(parts).every(([name, mos]) => scores.get(name) === mos);
}

/** Lists in the published form with the deviations of the `<name>_all.txt` that stands above them, where there is one. */
async function withPublishedDeviations(lists: readonly FoundList[]): Promise<readonly FoundList[]> {
  const [first] = lists;
  if (first?.table.format !== "published") return lists;
  const [name = ""] = path.basename(first.file).split(/_(?:train|val|test|all)(?:_clip)?\.txt$/);
  const beside = path.dirname(first.file);
  const whole = path.join(/^\d+$/.test(path.basename(beside)) ? path.dirname(beside) : beside, `${name}_all.txt`);
  const scores = await readPublishedScores(whole);
  if (scores.size === 0) return lists;
  return lists.map((list) => {
    const entries = list.table.entries.map((entry) => {
      const deviation = scores.get(normalizePath(entry.image))?.deviation;
      return { ...entry, mosStd: deviation === undefined ? null : String(deviation) };
    });
    const columns = { ...list.table.columns, deviation: `column 3 of ${path.basename(whole)}` };
    return { ...list, table: { ...list.table, entries, columns } };
  });
}

function imagesOf({ table }: FoundList): string[] {
  return table.entries.map(({ image }) => image);
}

/** Formats whose lists of a database hold its differential scores, whatever the column's name. */
const LOWER: Readonly<Record<string, readonly string[]>> = { "iqa-pytorch": ["live"], "iqa-dataset": ["live", "csiq"] };

function scoresOf(lists: readonly FoundList[], database: string | null, choice: SourceChoice) {
  const { table } = lists[0] ?? { table: null };
  const numbers = lists.flatMap((list) => list.table.entries.map(({ mos }) => (isNumeric(mos) ? Number(mos) : NaN))); // prettier-ignore
  const { least: min, most: max } = extentOf(numbers.filter(Number.isFinite));
  const column = table?.columns.score ?? "";
  const isDmos = /dmos/i.test(column) && database !== "kadid10k"; // KADID's is higher-is-better
  const hasReferences = table !== null && table.columns.group !== null; // as their lists of these databases have
  const isKnown = hasReferences && LOWER[table.format]?.includes(database ?? "") === true;
  const direction: Direction = choice.direction ?? table?.told ?? (isDmos || isKnown ? "lower" : "higher");
  const isUnit = min >= 0 && max <= 1;
  return { column, min, max, direction, top: isUnit ? 1 : max };
}

/** Decimal text of a difference, without the last digits that binary numbers add. */
function exactly(value: number): string {
  return String(Number(value.toFixed(10)));
}

function deviationsOf(lists: readonly FoundList[], database: string | null, notes: string[]) {
  const { table } = lists[0] ?? { table: null };
  const column = table?.columns.deviation ?? null;
  if (column === null) return null;
  const isKadid = table?.format === "iqa-pytorch" && database === "kadid10k" && column === "std";
  const isRooted = table?.isVariance === true || isKadid;
  const values = lists.flatMap((list) => list.table.entries.flatMap(({ mosStd }) => (mosStd !== null && isNumeric(mosStd) ? [Number(mosStd)] : []))); // prettier-ignore
  if (isRooted) notes.push(`deviations are the square roots of ${column}, which holds variances`);
  if (values.length === 0) return null;
  const sum = values.reduce((all, value) => all + (isRooted ? Math.sqrt(value) : value), 0);
  return { column, isRooted, mean: sum / values.length };
}

/** The set of splits that the choice names, else the only one; several are an ambiguity. */
async function chooseSplits(lists: readonly FoundList[], folder: string, { split }: SourceChoice, source: string) {
  if (split !== undefined && /^\d+\/\d+\/\d+$/.test(split)) return { set: null, others: [] };
  const sets = [...(await findSplitSets(lists)), ...folderSplits(lists, folder)];
  if (split !== undefined) {
    const set = sets.find(({ name }) => name === split);
    if (set !== undefined) return { set, others: [] };
    const names = sets.map(({ name }) => name).join(", ") || "none";
    throw new DataError(
      `${source}: has no splits named "${split}"; there are ${names}, and parts such as 70/10/20 are drawn`,
    );
  }
  const [set = null] = sets;
  if (sets.length < 2) return { set, others: [] };
  const sizes = (one: SplitSet) => one.splits.slice(0, 1).map(({ train, val, test }) => `${train.length}/${val.length}/${test.length}`); // prettier-ignore
  const readings = sets.map(
    (one) => `${one.name}: ${plural(one.splits.length, "split")}, the first of ${sizes(one).join("")}`,
  );
  const flag = `--split ${sets.map(({ name }) => JSON.stringify(name)).join(" or ")}`;
  return { set, others: [{ what: "several sets of splits", readings, flag }] };
}

/** Split of one list over an image folder whose own folders are named for the subsets. */
function folderSplits(lists: readonly FoundList[], folder: string): SplitSet[] {
  const [first] = lists;
  if (lists.length !== 1 || first?.table.format !== "image-folder") return [];
  const inside = path.relative(folder, path.dirname(first.file)).split(path.sep);
  const subsets = first.table.entries.map(({ image }) => [...inside, ...image.split("/")].map(subsetWord).find((subset) => subset !== null)); // prettier-ignore
  if (subsets.some((subset) => subset === undefined) || new Set(subsets).size < 2) return [];
  const of = (wanted: string) => subsets.flatMap((subset, i) => (subset === wanted ? [i] : []));
  return [{ name: "the folders' names", splits: [{ train: of("train"), val: of("val"), test: of("test") }] }];
}

interface LabelSource {
  readonly format: FormatName;
  readonly database: string | null;
  readonly tables: LabelTables | undefined;
  readonly notes: string[];
}

/** Entries with labels of the tables and with contents; own lists keep theirs, to be checked like any. */
function withLabels<T extends Entry>(
  entries: readonly T[],
  { format, database, tables = PUBLISHED_LABELS, notes }: LabelSource,
): T[] {
  const known = knownDatabase(database ?? "");
  const classOf = distortionClasses(tables);
  const scenes = new Set(tables.scenes);
  const isOwn = format === "list" || format === "published";
  const unknown = new Set<string>();
  const labeled = entries.map((entry) => {
    const [told] = known?.contentPattern === undefined ? [] : pathGroups(known.contentPattern, nameInside(entry.image));
    const content = entry.content ?? told ?? null;
    if (isOwn) return { ...entry, content };
    const written = entry.distortion.toLowerCase().replaceAll("_", " ");
    const type = classOf(written) === null ? (known?.typeOfPath?.(nameInside(entry.image)) ?? "") : written;
    if (entry.distortion !== "" && type === "") unknown.add(entry.distortion);
    const kept = entry.scenes.filter((scene) => scenes.has(scene));
    for (const scene of entry.scenes) if (scene !== "" && !scenes.has(scene)) unknown.add(scene);
    return { ...entry, content, distortion: type, scenes: kept };
  });
  if (unknown.size > 0) {
    const named = [...unknown].slice(0, 5).join(", ");
    notes.push(
      `${plural(unknown.size, "label")} in no table, taken as not known: ${named}${unknown.size > 5 ? ", ..." : ""}`,
    );
  }
  return labeled;
}

async function placed<T extends Entry & { readonly list: string }>(
  entries: readonly T[],
  folder: string,
  lists: readonly FoundList[],
) {
  const find = createPlaceFinder(folder);
  const isBeside = ({ table }: FoundList) => ["image-folder", "webdataset", "parquet"].includes(table.format);
  const besideList = new Set(lists.filter(isBeside).flatMap(({ files }) => files));
  const found: (T & { readonly isThere: boolean })[] = [];
  for (const entry of entries) {
    const prefix = besideList.has(entry.list) ? path.relative(folder, path.dirname(entry.list)).split(path.sep).join("/") : ""; // prettier-ignore
    const isInside = prefix !== "" && !prefix.startsWith("..");
    found.push({ ...entry, ...(await find(isInside ? `${prefix}/${entry.image}` : entry.image)) });
  }
  return found;
}

/** Entries without some of them, and the splits by the places that the others then have. */
function leaveOut<T extends Entry>(entries: readonly T[], set: SplitSet | null, isOutside: (entry: T) => boolean) {
  const places = new Map<number, number>();
  const kept = entries.filter((entry, i) => {
    if (isOutside(entry)) return false;
    places.set(i, places.size);
    return true;
  });
  const moved = (rows: readonly number[]) => rows.flatMap((row) => places.get(row) ?? []);
  const splits = set?.splits.map(({ train, val, test }) => ({
    train: moved(train),
    val: moved(val),
    test: moved(test),
  }));
  return { entries: kept, splits: set === null || splits === undefined ? null : { name: set.name, splits } };
}
