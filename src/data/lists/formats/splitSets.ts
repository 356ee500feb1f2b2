import { readdir } from "node:fs/promises";
import path from "node:path";
import { groupBy } from "../../../base/collections.js";
import { DataError } from "../../../base/errors.js";
import { type Subset, SUBSETS } from "../../sample.js";
import { databaseInWords, databaseOf } from "./databaseName.js";
import type { FoundList } from "./findLists.js";
import { readArraySplits, readNamedSplits, readPickledSplits, spellingsOf, type SplitKeys } from "./splitFiles.js";
import type { ListTable } from "./table.js";

/** Entries of a list, by their place among all entries of the source, of each subset. */
type EntrySplit = Readonly<Record<Subset, readonly number[]>>;

export interface SplitSet {
  /** Column, or file, that holds the splits. */
  readonly name: string;
  readonly splits: readonly EntrySplit[];
}

/** Splits that lists tell: their own names, their columns, or the files beside them; each different one once. */
export async function findSplitSets(lists: readonly FoundList[]): Promise<SplitSet[]> {
  const [first] = lists;
  if (first === undefined) return [];
  const isNamed = lists.length > 1 && lists.some(({ subset }) => subset !== null);
  const sets = isNamed ? [splitsOfNames(lists)] : [...columnSets(first.table), ...(await fileSets(first))];
  const known = new Set<string>();
  return sets.filter(({ splits }) => {
    const key = JSON.stringify(splits);
    if (known.has(key)) return false;
    known.add(key);
    return true;
  });
}

/** Splits of lists that are named for their subsets. */
function splitsOfNames(lists: readonly FoundList[]): SplitSet {
  const starts = lists.map((_, i) => lists.slice(0, i).reduce((sum, { table }) => sum + table.entries.length, 0));
  const numbers = [...new Set(lists.map(({ split }) => split))].sort((a, b) => a - b);
  const splits = numbers.map((number) =>
    splitBy((subset) =>
      lists.flatMap((list, i) => {
        if (list.subset !== subset || list.split !== number) return [];
        return list.table.entries.map((_, j) => (starts[i] ?? 0) + j);
      }),
    ),
  );
  return { name: "the lists' names", splits };
}

function splitBy(of: (subset: Subset) => readonly number[]): EntrySplit {
  return { train: of("train"), val: of("val"), test: of("test") };
}

/** `ratio802_seed123_split_01` and `..._split02` are two splits of one set. */
const NUMBERED = /^(.*split)_?(\d+)$/i;

function columnSets({ columns, entries }: ListTable): SplitSet[] {
  const named = columns.splits.map((column, at) => ({ column, at, name: NUMBERED.exec(column)?.[1] ?? column }));
  return [...groupBy(named, ({ name }) => name)].map(([name, members]) => {
    const numberOf = (column: string) => Number(NUMBERED.exec(column)?.[2] ?? 1);
    const ordered = members.sort((a, b) => numberOf(a.column) - numberOf(b.column));
    const splits = ordered.map(({ at }) =>
      splitBy((subset) => entries.flatMap((entry, i) => (entry.subsets[at] === subset ? [i] : []))),
    );
    return { name, splits };
  });
}

/** Splits in files beside a list. */
async function fileSets({ file, table }: FoundList): Promise<SplitSet[]> {
  const folder = path.dirname(file);
  const images = table.entries.map(({ image }) => image);
  const names = (await readdir(folder)).filter((name) => name !== path.basename(file)).sort();
  const sets: SplitSet[] = [];
  for (const name of ownNames(names, databaseOf(file, images))) {
    const beside = path.join(folder, name);
    const keys = await readSplits(beside);
    if (keys.length > 0) sets.push({ name, splits: keys.map((split) => entrySplit(split, table, beside)) });
  }
  return sets;
}

/** Names without those of other known databases; those of the list's own alone, where there are any. */
function ownNames(names: readonly string[], database: string | null): string[] {
  const possible = names.filter((name) => [null, database].includes(databaseInWords(name)));
  const isPickle = (name: string) => PICKLE.test(name);
  const own = possible.filter((name) => isPickle(name) && database !== null && databaseInWords(name) === database);
  return own.length === 0 ? possible : possible.filter((name) => !isPickle(name) || own.includes(name));
}

const PICKLE = /\.(?:pkl|pickle)$/i;

/** Splits of a file or folder; none where it holds something else. */
async function readSplits(place: string): Promise<readonly SplitKeys[]> {
  const name = path.basename(place);
  if (PICKLE.test(name)) return readPickledSplits(place);
  if (name === "splits") return readArraySplits(place);
  return /split.*\.json$/i.test(name) ? ((await readNamedSplits(place)) ?? []) : [];
}

/** First rows of IQA-PyTorch's list of LIVE in the Wild: its training images, which its splits do not count. */
const TRAINING_IMAGE = /(?:^|\/)t[1-7]\.bmp$/i;

export function isTrainingImage(image: string): boolean {
  return TRAINING_IMAGE.test(image);
}

/** @throws {DataError} naming a row or an image of the split that the list does not have */
function entrySplit(keys: SplitKeys, { entries, faults }: ListTable, file: string): EntrySplit {
  if (faults.length > 0) return { train: [], val: [], test: [] }; // the list's own faults are said first
  const byName = new Map(entries.flatMap(({ image }, i) => spellingsOf(image).map((name) => [name, i] as const)));
  const highest = SUBSETS.flatMap((subset) => keys[subset]).reduce<number>((most, key) => (typeof key === "number" ? Math.max(most, key) : most), -1); // prettier-ignore
  const leading = entries.findIndex(({ image }) => !isTrainingImage(image));
  const first = leading > 0 && highest < entries.length - leading ? leading : 0;
  return splitBy((subset) =>
    keys[subset].map((key) => {
      const at = typeof key === "number" ? key + first : byName.get(key.replaceAll("\\", "/"));
      if (at !== undefined && at < entries.length) return at;
      const what = typeof key === "number" ? `row ${key}` : `the image ${JSON.stringify(key)}`;
      throw new DataError(`${file}: ${subset} names ${what}, which the list of ${entries.length} images does not have; are they of one database?`); // prettier-ignore
    }),
  );
}
