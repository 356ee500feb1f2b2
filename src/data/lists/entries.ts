import path from "node:path";
import { didYouMean } from "../../base/text.js";
import type { ReportProgress } from "../../base/types.js";
import type { LabelTables } from "../../model/prompts/labels.js";
import type { DatabaseConfig } from "../config.js";
import type { Sample } from "../sample.js";

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
  /** Told how much of its lists was read. */
  readonly progress?: ReportProgress | undefined;
}

/** Kinds of problems with a list, in the words of `data check`. */
export type ListProblemKind = "format" | "mos" | "label" | "path" | "duplicate" | "empty";

export interface EntryContext extends ListContext {
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
  if (known.length > 1 && new Set(known).size < known.length) report("label", "a scene is named twice; name it once");
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
