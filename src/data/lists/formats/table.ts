/** One list file as it was read, before images are looked for and scores are turned. */
import type { Subset } from "../../sample.js";
import type { Entry } from "../entries.js";
import type { ColumnKind, FormatName } from "./names.js";

export type Direction = "higher" | "lower";

/** Facts on a list that its user gives where it does not tell them itself. */
export interface ReadingChoice {
  readonly format?: FormatName | undefined;
  readonly columns?: Readonly<Partial<Record<ColumnKind, string | undefined>>> | undefined;
  readonly direction?: Direction | undefined;
  /** Sign before a number's decimals, `point` by default; commas are never guessed. */
  readonly decimal?: "point" | "comma" | undefined;
}

/** Two readings that the list allows, and the flag that decides. */
export interface Ambiguity {
  readonly what: string;
  readonly readings: readonly string[];
  readonly flag: string;
}

export interface Fault {
  readonly line: number;
  readonly what: string;
  /** List that it is in, where a table is of several shards. */
  readonly list?: string;
}

/** Entry with the subset that each of its columns of splits names. */
export interface TableEntry extends Entry {
  /** Place in the file's rows, from 0: files of splits count so. */
  readonly row: number;
  readonly subsets: readonly (Subset | null)[];
  /** List that it stands in, where a table is of several shards. */
  readonly list?: string;
}

export interface ListTable {
  readonly format: FormatName;
  readonly entries: readonly TableEntry[];
  readonly faults: readonly Fault[];
  /** Columns that hold the parts; `score` says what names it in the file. */
  readonly columns: {
    readonly score: string;
    readonly deviation: string | null;
    readonly group: string | null;
    /** One for each of an entry's `subsets`. */
    readonly splits: readonly string[];
    readonly ignored: readonly string[];
  };
  /** Better scores by the file's own `lower_better`; null where it has none. */
  readonly told: Direction | null;
  /** True where the column of deviations holds their squares. */
  readonly isVariance: boolean;
  readonly ambiguities: readonly Ambiguity[];
}

const SUBSET_WORDS: Readonly<Record<string, Subset>> = {
  ...{ "0": "train", train: "train", training: "train" },
  ...{ "1": "val", val: "val", valid: "val", validation: "val" },
  ...{ "2": "test", test: "test", testing: "test" },
};

/** Subset that a cell names; null where it names none. */
export function subsetOf(cell: string): Subset | null {
  return SUBSET_WORDS[cell.trim().toLowerCase()] ?? null;
}

/** Subset that a word of a path names; null where it names none, as digits do, which number splits. */
export function subsetWord(word: string): Subset | null {
  return /^\d$/.test(word) ? null : subsetOf(word);
}

/** Words of a list's name that name its set of images: without those that name a subset or count images. */
export function setWords(name: string): string[] {
  const words = name.split(/[^A-Za-z0-9]+/).filter((word) => word !== "" && subsetWord(word) === null);
  return words.filter((word) => !/^\d+k?$/i.test(word) && !/^(?:set|split)$/i.test(word));
}

/** True for plain decimal numbers, as scores are. */
export function isNumeric(text: string): boolean {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
}

/** True where a text ends as the name of an image does. */
export function isImageName(text: string): boolean {
  return /\.(?:jpe?g|jpe|jfif|png|webp|tiff?|bmp|dib|gif|heic|avif|ppm)$/i.test(text.trim());
}

/** Name of a file without folders and ending: the content that a reference stands for. */
export function stemOf(file: string): string {
  const name = file.replaceAll("\\", "/").split("/").at(-1) ?? file;
  return name.replace(/\.[^.]*$/, "");
}
