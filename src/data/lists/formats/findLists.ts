import { readdir } from "node:fs/promises";
import path from "node:path";
import { groupBy } from "../../../base/collections.js";
import type { Subset } from "../../sample.js";
import { readTable } from "./readTable.js";
import { type ListTable, type ReadingChoice, setWords, subsetOf, subsetWord } from "./table.js";

/** List that was found, with what its name and folders say of it. */
export interface FoundList {
  readonly file: string;
  /** All files that it is read from: several where it is in shards. */
  readonly files: readonly string[];
  readonly table: ListTable;
  /** Null where its name does not say. */
  readonly subset: Subset | null;
  readonly split: number;
  /** Equal for the lists of one set of images: the path without subset and split. */
  readonly stem: string;
}

/** Folders below the named one that are looked into for lists. */
const DEEPEST = 3;

/** Texts on the images that are no lists of them. */
const ABOUT = /^(?:readme|licen[cs]e|changelog|notes|citation)\b/i;

const ENDINGS = [".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet", ".tar"];

/** Lists below a folder, in the order of their paths; files of another content are left out. */
export async function findLists(folder: string, choice: ReadingChoice): Promise<FoundList[]> {
  const files = (await filesBelow(folder, DEEPEST)).filter((file) => {
    return !ABOUT.test(path.basename(file)) && ENDINGS.includes(path.extname(file).toLowerCase());
  });
  const isInLayout = (file: string) => path.resolve(file).includes(`${path.sep}splits2${path.sep}`);
  const isWhole = (file: string) => /_all(?:_clip)?\.txt$/.test(file) && isInLayout(file);
  const found = await readLists(files.filter((file) => !isWhole(file)), folder, choice); // prettier-ignore
  if (found.length > 0) return found;
  return readLists(files.filter((file) => isWhole(file) && file.endsWith("_clip.txt")), folder, choice); // prettier-ignore
}

async function readLists(files: readonly string[], folder: string, choice: ReadingChoice): Promise<FoundList[]> {
  const found: FoundList[] = [];
  for (const file of files) {
    const table = await readTable(file, choice);
    if (table !== null) found.push(foundList(file, table, path.relative(folder, file)));
  }
  return withShards(found);
}

/** Names of one shard of several. */
const SHARD = /(?:^|[-_.])\d{3,}(?:-of-\d+)?\.(?:tar|parquet)$/i;

/** Shards of one subset and split as one list. */
function withShards(lists: readonly FoundList[]): FoundList[] {
  const keyOf = ({ file, stem, subset, split }: FoundList) =>
    SHARD.test(file) ? `${path.dirname(file)} ${stem} ${subset ?? ""} ${split}` : file;
  return [...groupBy(lists, keyOf).values()].flatMap((shards) => {
    const [first] = shards;
    if (first === undefined || shards.length === 1) return shards;
    const withList = <T>(of: (table: ListTable) => readonly T[]) =>
      shards.flatMap(({ file, table }) => of(table).map((one) => ({ ...one, list: file })));
    const entries = withList(({ entries: own }) => own).map((entry, row) => ({ ...entry, row }));
    const table = { ...first.table, entries, faults: withList(({ faults }) => faults) };
    return [{ ...first, files: shards.map(({ file }) => file), table }];
  });
}

/** List of a file, by its path from the folder that was named. */
export function foundList(file: string, table: ListTable, relative: string): FoundList {
  const parts = relative.split(path.sep);
  const base = (parts.pop() ?? "").replace(/\.[^.]*$/, "");
  const numbered = /(?:^|[_-])split[_-]?(\d+)$/i.exec(base);
  const folders = parts.filter((part) => !/^\d+$/.test(part) && subsetOf(part) === null);
  const number = parts.find((part) => /^\d+$/.test(part)) ?? numbered?.[1];
  const words = base.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  const named = [...words, ...parts].map(subsetWord).find((subset) => subset !== null);
  return {
    ...{ file, files: [file], table, subset: named ?? null, split: number === undefined ? 1 : Number(number) },
    stem: [...folders, setWords(base).join("_").toLowerCase()].join("/"),
  };
}

/** Groups of lists that belong together, each of one set of images. */
export function listGroups(lists: readonly FoundList[]): FoundList[][] {
  return [...groupBy(lists, ({ stem }) => stem).values()].flatMap((group) => {
    const places = group.map(({ subset, split }) => `${subset ?? ""} ${split}`);
    const isParted = group.every(({ subset }) => subset !== null) && new Set(places).size === places.length;
    return isParted || group.length === 1 ? [group] : group.map((one) => [one]);
  });
}

/** Files below a folder in the order of their names; hidden ones and packages are left out. */
export async function filesBelow(folder: string, depth: number): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const files: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    const place = path.join(folder, entry.name);
    if (!entry.isDirectory()) files.push(place);
    else if (depth > 0) for (const file of await filesBelow(place, depth - 1)) files.push(file);
  }
  return files;
}
