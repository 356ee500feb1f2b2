import { readdir } from "node:fs/promises";
import path from "node:path";
import { groupBy } from "../../base/collections.js";
import { didYouMean } from "../../base/text.js";
import type { LabelTables } from "../../model/prompts/labels.js";
import type { DatabaseConfig } from "../config.js";
import type { ListedImage, Sample } from "../sample.js";

/** Line of a list, still in words. */
export interface Entry {
  readonly line: number;
  readonly image: string;
  readonly mos: string;
  /** Null where the list does not say. */
  readonly mosStd: string | null;
  readonly distortion: string;
  readonly scenes: readonly string[];
  /** Cell of the column of contents; null where the list has none. */
  readonly content: string | null;
}

export const SCENES_PER_LINE = 3;

/** Columns of the published lists: path, MOS, distortion and the scenes. */
export const PUBLISHED_COLUMNS = 3 + SCENES_PER_LINE;

/** Word of a published list for a label that is not known, or for a missing second or third scene. */
export const NOT_KNOWN = "invalid";

/** Scores by normalized path that a database's makers published, on its own scale, higher is better. */
export type PublishedScores = ReadonlyMap<string, { readonly mos: number; readonly deviation: number }>;

export interface ListContext {
  readonly database: string;
  /** Absolute folder that the paths of its images begin in. */
  readonly folder: string;
  readonly tables: LabelTables;
  /** Scores of the database's `<name>_all.txt`, whose deviations are taken where the list has none. */
  readonly published: PublishedScores;
  /** Column or pattern of contents, where the config gives one. */
  readonly content?: DatabaseConfig["content"];
  /** Factor of the deviations, 1 by default. */
  readonly mosStdFactor?: number | undefined;
}

/** Kinds of problems with a list, in the words of `data check`. */
export type ListProblemKind = "format" | "mos" | "label" | "path" | "duplicate" | "empty";

interface EntryContext extends ListContext {
  readonly list: string;
  readonly labels: { readonly scene: LabelTable; readonly distortion: LabelTable };
  readonly report: (kind: ListProblemKind, what: string) => void;
}

/** A line as a sample; where problems are reported, the sample is only fit for further checks. */
export function readEntry(entry: Entry, context: EntryContext): Sample {
  const { line, image, mos, mosStd, distortion, scenes } = entry;
  const { database, folder, published, content: rule, mosStdFactor = 1, list, labels, report } = context;
  const indexOf = (table: LabelTable, label: string): number | null => {
    if (MISSING.has(label)) return null;
    const index = table.indices.get(label);
    if (index === undefined) report("label", unknownLabel(table, label));
    return index ?? null;
  };
  const wrongPath = pathProblem(image);
  if (wrongPath !== null) report("path", wrongPath);
  if (!isNumber(mos)) report("mos", `mos must be a finite number, got ${JSON.stringify(mos)}; ${numberHint(mos)}`);
  if (mosStd !== null && !(isNumber(mosStd) && Number(mosStd) >= 0)) {
    report("mos", `mos_std must be a number of at least 0, got ${JSON.stringify(mosStd)}; leave it empty if unknown`);
  }
  const known = scenes.map((scene) => indexOf(labels.scene, scene)).filter((scene) => scene !== null);
  if (new Set(known).size < known.length) report("label", "a scene is named twice; name it once");
  const key = normalizePath(image);
  const content = rule?.pattern === undefined ? entry.content : contentByPattern(rule.pattern, key);
  if (rule !== undefined && (content === null || content === "")) {
    const how = rule.pattern === undefined ? "its column" : `the pattern ${rule.pattern}`;
    report("format", `no content is told by ${how} for ${image}; correct the line, or data.databases: content`);
  }
  const deviation = mosStd === null ? (published.get(key)?.deviation ?? null) : Number(mosStd);
  return {
    database,
    image,
    file: `${folder}${path.sep}${key}`,
    folder,
    mos: Number(mos),
    mosStd: deviation === null ? null : deviation * mosStdFactor,
    distortion: indexOf(labels.distortion, distortion),
    scenes: known,
    ...(content === null ? {} : { content }),
    list,
    line,
  };
}

function numberHint(text: string): string {
  return /^[+-]?\d+,\d+$/.test(text)
    ? 'commas are read with --decimal comma, or "decimal: comma"'
    : "leave such images out";
}

/** True for plain decimal numbers: `Number` would take "", "0x10" and "Infinity" too. */
function isNumber(text: string): boolean {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Number(text));
}

/** First group of a pattern in a path, or its whole match; null where it does not match. */
export function contentByPattern(pattern: string, image: string): string | null {
  const match = new RegExp(pattern, "u").exec(image);
  return match === null ? null : (match[1] ?? match[0]);
}

const MISSING = new Set(["", NOT_KNOWN]);

interface LabelTable {
  readonly kind: string;
  /** Index of each label; a distortion has those of its types too. */
  readonly indices: ReadonlyMap<string, number>;
}

export function labelTables(tables: LabelTables): { readonly scene: LabelTable; readonly distortion: LabelTable } {
  const distortions = new Map<string, number>();
  Object.entries(tables.distortions).forEach(([name, types], i) => {
    for (const type of [name, ...types]) if (!distortions.has(type)) distortions.set(type, i);
  });
  const scenes = new Map(tables.scenes.map((scene, i) => [scene, i]));
  return { scene: { kind: "scene", indices: scenes }, distortion: { kind: "distortion", indices: distortions } };
}

function unknownLabel({ kind, indices }: LabelTable, label: string): string {
  const hint = didYouMean(label, [...indices.keys()]) || `; "${NOT_KNOWN}" says that it is not known`;
  return `there is no ${kind} "${label}"${hint}`;
}

/** Lookup of a distortion type's class; null where the tables do not have it. */
export function distortionClasses(tables: LabelTables): (type: string) => number | null {
  const { indices } = labelTables(tables).distortion;
  return (type) => (MISSING.has(type) ? null : (indices.get(type) ?? null));
}

/** Problem of an image's path in a list, with what to do; null where there is none. */
export function pathProblem(image: string): string | null {
  const shown = JSON.stringify(image);
  if (image === "") return "the image's path is empty; give it relative to the database's folder";
  if (image.includes("\0")) return `the path ${shown} holds a NUL character; write the list again as plain text`;
  if (image.includes("\\")) return `the path ${shown} holds a backslash; write forward slashes`;
  if (/^[A-Za-z]:/.test(image))
    return `the path ${shown} begins with a drive; give it relative to the database's folder`;
  if (image.startsWith("/")) return `the path ${shown} is absolute; give it relative to the database's folder`;
  if (image.split("/").includes("..")) return `the path ${shown} leaves the database's folder; put the image inside it`;
  return null;
}

/** One spelling of a path, so that `a//b.png` and `./a/b.png` are equal. */
export function normalizePath(image: string): string {
  return /(^|\/)\.?(\/|$)/.test(image) ? path.posix.normalize(image) : image;
}

/** Characters that no screen shows: soft hyphen, zero widths and joiners, directions, byte order marks. */
const INVISIBLE = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]/gu;

/** Entry that a listed path comes to on the disk; `path` is relative to the database's folder. */
type Found =
  /** The name as listed, or one that differs in case alone from the only such name. */
  | { readonly kind: "exact" | "case"; readonly path: string }
  /** A name that looks the same, and is another. */
  | { readonly kind: "alike"; readonly path: string; readonly why: string }
  | { readonly kind: "none" };

/** Finder of listed paths below a folder, which reads each folder once and opens no file. */
export function createNameFinder(root: string): (image: string) => Promise<Found> {
  const folders = new Map<string, Promise<Folder>>();
  const folderAt = (relative: string) => {
    const known = folders.get(relative) ?? readFolder(path.join(root, relative));
    folders.set(relative, known);
    return known;
  };
  return async (image) => {
    let [kind, place, why]: ["exact" | "case" | "alike", string, string] = ["exact", "", ""];
    for (const name of normalizePath(image).split("/")) {
      const folder = await folderAt(place);
      const found = findIn(folder, name);
      if (found === null) return { kind: "none" };
      if (found.why !== "") [kind, why] = ["alike", found.why];
      else if (found.name !== name && kind === "exact") kind = "case";
      place = place === "" ? found.name : `${place}/${found.name}`;
    }
    return kind === "alike" ? { kind, path: place, why } : { kind, path: place };
  };
}

interface Folder {
  readonly names: ReadonlySet<string>;
  /** Names by their lower case, and by what a screen shows of them. */
  readonly folded: ReadonlyMap<string, readonly string[]>;
  readonly shown: ReadonlyMap<string, readonly string[]>;
}

/** Entries of a folder; none where it cannot be read, so that its images are missing. */
async function readFolder(folder: string): Promise<Folder> {
  const names = await readdir(folder).catch((): string[] => []);
  const folded = groupBy(names, (name) => name.toLowerCase());
  return { names: new Set(names), folded, shown: groupBy(names, shownAs) };
}

function shownAs(name: string): string {
  return name.replace(INVISIBLE, "").normalize("NFC").trim().toLowerCase();
}

function findIn({ names, folded, shown }: Folder, name: string): { name: string; why: string } | null {
  if (names.has(name)) return { name, why: "" };
  const [other, ...others] = folded.get(name.toLowerCase()) ?? [];
  if (other !== undefined && others.length === 0) return { name: other, why: "" };
  const alike = other ?? shown.get(shownAs(name))?.[0];
  return alike === undefined ? null : { name: alike, why: differenceOf(name, alike) };
}

/** Difference of two names that look alike. */
function differenceOf(listed: string, there: string): string {
  const hidden = [listed, there].map((name) => [...name.matchAll(INVISIBLE)].map(([character]) => codeOf(character)));
  const [inList = [], onDisk = []] = hidden;
  if (inList.length > 0) return `the list's name holds the invisible ${inList.join(", ")}; write the name again`;
  if (onDisk.length > 0) return `the file's name holds the invisible ${onDisk.join(", ")}; rename the file`;
  if (listed.normalize("NFC").toLowerCase() === there.normalize("NFC").toLowerCase()) {
    if (listed.toLowerCase() === there.toLowerCase())
      return "several files differ from it in case alone; write one's name";
    return `the file's name is in Unicode form ${formOf(there)}, the list's in ${formOf(listed)}; write both in one form`;
  }
  return "blanks stand at the beginning or end of one name; write both the same";
}

function codeOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? NaN).toString(16).toUpperCase().padStart(4, "0")}`;
}

function formOf(name: string): string {
  if (name === name.normalize("NFC")) return "NFC";
  return name === name.normalize("NFD") ? "NFD" : "neither NFC nor NFD";
}

/**
 * Samples with the files that their names mean: a name that differs in case alone from the only such file gets that
 * file, and says so in `foundAs`. Others stay as they are; files that are not there show when they are looked for.
 */
export async function withFoundNames<I extends ListedImage>(samples: readonly I[]): Promise<I[]> {
  const finders = new Map<string, ReturnType<typeof createNameFinder>>();
  const found: I[] = [];
  for (const sample of samples) {
    const find = finders.get(sample.folder) ?? createNameFinder(sample.folder);
    finders.set(sample.folder, find);
    const { kind, path: place } = { path: "", ...(await find(sample.image)) };
    found.push(kind === "case" ? { ...sample, file: `${sample.folder}${path.sep}${place}`, foundAs: place } : sample);
  }
  return found;
}
