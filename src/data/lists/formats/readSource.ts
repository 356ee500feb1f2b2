import { pushAll } from "../../../base/collections.js";
import path from "node:path";
import { groupBy } from "../../../base/collections.js";
import { DataError } from "../../../base/errors.js";
import { plural, problemsError } from "../../../base/text.js";
import type { DatabaseConfig } from "../../config.js";
import { PUBLISHED_LABELS } from "../../../model/prompts/labels.js";
import type { Sample, SplitSamples, Subset } from "../../sample.js";
import { type ListContext, normalizePath } from "../entries.js";
import { withFoundNames } from "../foundNames.js";
import { splitSamples } from "../randomSplit.js";
import { requireOneReading, samplesOf } from "../readList.js";
import { openSource, type Source, type SourceChoice, type SourceEntry } from "./openSource.js";

/** Shares of a source without splits of its own, where the config gives none. */
const DEFAULT_SHARES = "70/10/20";

/** Database of a config that has a source. */
export type SourceConfig = DatabaseConfig & { readonly source: string };

export interface SourceSamples {
  /** Each image once. */
  readonly samples: readonly Sample[];
  readonly problems: ReturnType<typeof samplesOf>["problems"];
  /** Splits that the source tells; null where they are drawn. */
  readonly splits: number | null;
  /** @throws {DataError} where there is no such split, or it cannot be drawn */
  readonly splitOf: (split: number, record: string) => Promise<SplitSamples>;
}

export function hasSource(database: DatabaseConfig): database is SourceConfig {
  return database.source !== undefined;
}

/** Setting of a database with a source, as those of one list: what its drawn split depends on. */
export function asOneList(database: SourceConfig): DatabaseConfig {
  const split = database.split?.includes("/") === true ? database.split : DEFAULT_SHARES;
  return { ...database, list: path.basename(database.source), split };
}

/** Reads the images and scores of a source. @throws {DataError} where it cannot be read, or allows two readings */
export async function readSource(
  database: SourceConfig,
  context: Omit<ListContext, "published">,
): Promise<SourceSamples> {
  const { name, source: place, format, columns, direction, decimal, split, content } = database;
  const group = content?.column === undefined ? {} : { group: content.column };
  const choice = { name, format, columns: { ...columns, ...group }, direction, decimal, split, tables: context.tables };
  const source = await openSource(place, { ...choice, images: context.folder });
  requireOneReading(`data.databases: ${name}: ${place}`, source.ambiguities);
  const { samples, problems, find } = await samplesOfLists(source, { ...context, published: new Map() });
  return {
    ...{ samples: unique(samples), problems, splits: source.splits?.splits.length ?? null },
    splitOf: async (number, record) => {
      if (source.splits === null) return splitSamples(samples, asOneList(database), { split: number, record });
      const { splits } = source.splits;
      const own = splits[number - 1];
      if (own === undefined) {
        const told = `${place}: ${source.splits.name} hold ${plural(splits.length, "split")}`;
        throw new DataError(`data.databases: ${name}: split ${number} is not there; ${told}`);
      }
      const of = (places: readonly number[]) => places.flatMap((at) => find(at) ?? []);
      return { train: of(own.train), val: of(own.val), test: of(own.test) };
    },
  };
}

/** A source's images, each once, with what its lists say of them. */
export interface SourceImages {
  readonly source: Source;
  /** Labels in words. */
  readonly entries: readonly SourceEntry[];
  /** The same images, labels by their tables. */
  readonly samples: readonly Sample[];
  /** Splits that the source tells, by the places of images; none where it tells none. */
  readonly splits: readonly Readonly<Record<Subset, readonly number[]>>[];
}

/** Opens a source whole. @throws {DataError} where it cannot be read, is unsound, or allows two readings */
export async function openImages(place: string, choice: SourceChoice = {}): Promise<SourceImages> {
  const source = await openSource(place, choice);
  requireOneReading(place, source.ambiguities);
  const tables = choice.tables ?? PUBLISHED_LABELS;
  const context = { database: source.database ?? "", folder: source.folder, tables, published: new Map() };
  const { problems, find } = await samplesOfLists(source, context);
  requireSound(place, problems);
  const places = new Map<string, number>();
  const kept: { entry: SourceEntry; sample: Sample }[] = [];
  const placeOf = source.entries.map((entry, at) => {
    const key = normalizePath(entry.image);
    const known = places.get(key);
    const sample = find(at);
    if (known !== undefined || sample === undefined) return known;
    places.set(key, kept.length);
    return kept.push({ entry, sample }) - 1;
  });
  const moved = (rows: readonly number[]) => [...new Set(rows.flatMap((row) => placeOf[row] ?? []))];
  return {
    ...{ source, entries: kept.map(({ entry }) => entry), samples: kept.map(({ sample }) => sample) },
    splits: (source.splits?.splits ?? []).map(({ train, val, test }) => {
      return { train: moved(train), val: moved(val), test: moved(test) };
    }),
  };
}

/** @throws {DataError} listing the problems of a source's lists */
export function requireSound(place: string, problems: SourceSamples["problems"]): void {
  if (problems.length === 0) return;
  const messages = problems.map(({ message }) => message);
  throw problemsError(`${place}: ${plural(problems.length, "problem")}`, messages);
}

/** Samples of each of a source's lists, and a finder of an entry's sample by its place. */
async function samplesOfLists(source: Source, context: ListContext) {
  const byList = groupBy(source.entries, ({ list }) => list);
  const all: Sample[] = [];
  const problems: SourceSamples["problems"] = [];
  for (const list of source.lists) {
    const faults = source.faults.filter((fault) => fault.list === list);
    const read = samplesOf({ entries: byList.get(list) ?? [], faults }, list, context);
    pushAll(all, await withFoundNames(read.samples));
    pushAll(problems, read.problems);
  }
  const keyOf = (list: string, image: string) => `${list}\0${normalizePath(image)}`;
  const byEntry = new Map(all.map((sample) => [keyOf(sample.list, sample.image), sample]));
  const find = (at: number) => {
    const entry = source.entries[at];
    return entry === undefined ? undefined : byEntry.get(keyOf(entry.list, entry.image));
  };
  return { samples: all, problems, find };
}

function unique(samples: readonly Sample[]): Sample[] {
  return [...new Map(samples.map((sample) => [normalizePath(sample.image), sample])).values()];
}
