import path from "node:path";
import { extentOf } from "../base/collections.js";
import { DataError } from "../base/errors.js";
import { plural, problemsError } from "../base/text.js";
import { deviationFactor } from "../data/audit/sampleChecks.js";
import { knownDatabase, ownName } from "../data/databases/registry.js";
import { normalizePath } from "../data/lists/entries.js";
import { createNameFinder } from "../data/lists/foundNames.js";
import { readPairList } from "../data/lists/pairList.js";
import { isPairList } from "../data/lists/pairSamples.js";
import { openSource, type Source } from "../data/lists/formats/openSource.js";
import type { ColumnKind, FormatName } from "../data/lists/formats/names.js";
import type { Ambiguity, Direction } from "../data/lists/formats/table.js";
import { usualQuota } from "../data/openDatabases.js";
import type { Subset } from "../data/sample.js";

/** Options of `describeData`: what the path does not say itself. */
export interface DescribeDataOptions {
  /** Form of the list, where its contents do not tell. */
  readonly format?: FormatName | undefined;
  /** Names of the list's columns by what they hold. */
  readonly columns?: Readonly<Partial<Record<ColumnKind, string | undefined>>> | undefined;
  /** Better scores, the higher or the lower ones; by default the column and the known database tell. */
  readonly direction?: Direction | undefined;
  /** Sign before the decimals of numbers, `point` by default. */
  readonly decimal?: "point" | "comma" | undefined;
  /** Set of splits to take, by the name of its column or file. */
  readonly split?: string | undefined;
  /** Folder of the images; by default the path, or the folder that it lies in. */
  readonly images?: string | undefined;
}

/** Description of a path, as `liqe data describe --json` prints it. */
export interface DataDescription {
  /** `pairs` for a list of pairs, whose scores are the shares of people who prefer the first. */
  readonly format: FormatName | "pairs";
  /** Known database that it is of; null where none is recognized. */
  readonly database: string | null;
  /** Images with a score, and those of them that are not there. */
  readonly images: number;
  readonly missingImages: number;
  /** Column of the scores, its own lowest and highest number, and which are better. */
  readonly scores: {
    readonly column: string;
    readonly min: number;
    readonly max: number;
    readonly direction: Direction;
  };
  readonly deviations: { readonly column: string; readonly mean: number } | null;
  /** Images of each subset, split after split; empty where splits are to be drawn. */
  readonly splits: readonly Readonly<Record<Subset, number>>[];
  /** Different labels, and contents that images are versions of. */
  readonly scenes: number;
  readonly distortions: number;
  readonly groups: number;
  readonly ambiguities: readonly Ambiguity[];
  /** Columns that are not looked at. */
  readonly ignoredColumns: readonly string[];
  readonly notes: readonly string[];
  /** Command that trains on it. */
  readonly command: string;
}

/**
 * Says what a list or a folder with lists holds: its form, images, scores and splits. The same path is a config's
 * `source`.
 * @throws {@link DataError} where nothing is there or it is in no form that is read; where it is damaged, naming the place
 * @example
 * ```ts
 * import { describeData } from "liqe-train";
 *
 * const { format, images, scores, command } = await describeData("meta_info_KonIQ10kDataset.csv");
 * console.log(format, images, scores.min, scores.max, command);
 * ```
 */
export async function describeData(place: string, options: DescribeDataOptions = {}): Promise<DataDescription> {
  if (await isPairFile(place)) return describePairs(place, options);
  const source = await openSource(place, options);
  const { format, database, entries, faults, scores, deviations, columns, ambiguities, notes } = source;
  if (faults.length > 0) {
    const messages = faults.map(({ list, line, what }) => `${list}:${line}: ${what}`);
    throw problemsError(`${place}: ${plural(faults.length, "problem")}`, messages);
  }
  if (!Number.isFinite(scores.min))
    throw new DataError(`${place}: column ${scores.column} holds no score; name another by --columns mos=NAME`);
  const places = new Map(entries.map(({ image, isThere }) => [image, isThere]));
  const labels = new Set(entries.map(({ distortion }) => distortion).filter(isKnown));
  return {
    ...{
      format,
      database,
      images: places.size,
      missingImages: [...places.values()].filter((isThere) => !isThere).length,
    },
    ...{ scores, deviations, splits: splitSizes(source) },
    scenes: new Set(entries.flatMap((entry) => entry.scenes).filter(isKnown)).size,
    distortions: labels.size,
    groups: new Set(entries.flatMap(({ content }) => content ?? [])).size,
    ...{
      ambiguities,
      ignoredColumns: columns.ignored,
      notes: [...notes, ...scaleNotes(source)],
      command: commandFor(place, source, options),
    },
  };
}

/** Endings of files that may be lists of pairs. */
const PAIR_ENDINGS = [".csv", ".txt"];

/** True for a file that begins with the columns of pairs; whatever cannot be read is left to the other forms to refuse. */
async function isPairFile(place: string): Promise<boolean> {
  return PAIR_ENDINGS.includes(path.extname(place).toLowerCase()) && isPairList(place).catch(() => false);
}

/** Description of a list of pairs. @throws {DataError} listing every wrong line at once */
async function describePairs(place: string, { images }: DescribeDataOptions): Promise<DataDescription> {
  const pairs = await readPairList(place);
  const folder = path.resolve(images ?? path.dirname(place));
  const find = createNameFinder(folder);
  const names = [...new Set(pairs.flatMap(({ a, b }) => [normalizePath(a), normalizePath(b)]))];
  const found = await Promise.all(names.map(find));
  const { least: min, most: max } = extentOf(pairs.map(({ p }) => p));
  const name = ownName(path.parse(path.resolve(place)).name);
  const imagesPerStep = 2 * Math.floor(usualQuota(2 * pairs.length, 1) / 2); // whole pairs
  return {
    ...{ format: "pairs", database: null, images: names.length },
    missingImages: found.filter(({ kind }) => kind !== "exact" && kind !== "case").length,
    ...{ scores: { column: "p", min, max, direction: "higher" }, deviations: null, splits: [] },
    ...{ scenes: 0, distortions: 0, groups: 0, ambiguities: [], ignoredColumns: [] },
    notes: [
      `${plural(pairs.length, "pair")} to train on: p is the share of people who prefer a; no split is drawn of them`,
    ],
    command: trainingCommand({ name, folder, pairs: path.resolve(place), imagesPerStep }),
  };
}

function isKnown(label: string): boolean {
  return label !== "" && label !== "invalid";
}

function splitSizes({ splits }: Source) {
  return (splits?.splits ?? []).map(({ train, val, test }) => {
    return { train: train.length, val: val.length, test: test.length };
  });
}

/** Factor that the deviations need; null where they are on the scale of the scores, or there are none. */
export function factorOf({ deviations, scores }: Source): number | null {
  return deviations === null ? null : deviationFactor(deviations.mean, scores.max - scores.min);
}

function scaleNotes(source: Source): string[] {
  const factor = factorOf(source);
  const what = "deviations are on another scale than the scores, as where 1 to 5 stands beside 0 to 100";
  return factor === null ? [] : [`${what}: mosStdFactor ${factor} puts them on it`];
}

/** Command line that trains on a source with the recipe of one database. */
function commandFor(place: string, source: Source, options: DescribeDataOptions): string {
  const { format, columns = {}, direction, decimal, images, split } = options;
  const { database, entries, splits } = source;
  const isWhole = database !== null && knownDatabase(database)?.images === entries.length;
  const name = isWhole ? database : ownName(path.parse(path.resolve(place)).name);
  const training = splits?.splits[0]?.train.length ?? Math.floor(0.7 * entries.length);
  const named = Object.values(columns).some((column) => column !== undefined) ? columns : undefined;
  const folder = images === undefined ? undefined : path.resolve(images);
  const mosStdFactor = factorOf(source) ?? undefined;
  const imagesPerStep = usualQuota(training, 1);
  const entry = {
    name,
    source: place,
    folder,
    format,
    columns: named,
    direction,
    decimal,
    split,
    mosStdFactor,
    imagesPerStep,
  };
  return trainingCommand(entry);
}

/** Command line that trains on one entry of `data.databases` alone. */
export function trainingCommand(entry: Readonly<Record<string, unknown>> & { readonly name: string }): string {
  const quoted = JSON.stringify([entry]).replaceAll("'", `'\\''`);
  return `npx liqe train --config kadid.yaml --set run=${entry.name} --set 'data.databases=${quoted}'`;
}
