import path from "node:path";
import { plural, didYouMean, problemsError } from "../../base/text.js";
import type { LabelTables } from "../../model/prompts/labels.js";
import { contentByPattern, type ContentRule } from "../config.js";
import type { Sample } from "../sample.js";
import { parseColumns, type Entry, readListText } from "./columns.js";

/** What a list's lines mean. */
export interface ListContext {
  readonly database: string;
  /** Where the paths of its images begin, absolute. */
  readonly folder: string;
  readonly tables: LabelTables;
  /** MOS deviations by normalized path, from the database's `<name>_all.txt`; a column of the list comes first. */
  readonly deviations: ReadonlyMap<string, number>;
  /** How the list tells which photograph an image is a version of, where the config says. */
  readonly content?: ContentRule | undefined;
}

/** What can be wrong with a list; part of the words that `data check` uses. */
type ListProblemKind = "format" | "mos" | "label" | "path" | "duplicate" | "empty";

interface ListProblem {
  readonly kind: ListProblemKind;
  /** From 1; null where it is the whole file. */
  readonly line: number | null;
  /** The path as listed, where the line gives one. */
  readonly image: string | null;
  /** `file:line: what is wrong; what to do`. */
  readonly message: string;
}

interface ParsedList {
  readonly samples: readonly Sample[];
  readonly problems: readonly ListProblem[];
}

/**
 * Reads a list: tab-separated as published (path, MOS, distortion, three scenes) or CSV with a header
 * (`image,mos[,mos_std][,distortion][,scene]`).
 *
 * @throws {DataError} listing every problem of the file at once, each with its line
 */
export async function readList(file: string, context: ListContext): Promise<readonly Sample[]> {
  const { samples, problems } = await parseList(file, context);
  if (problems.length === 0) return samples;
  throw problemsError(
    `${file}: ${plural(problems.length, "problem")}`,
    problems.map(({ message }) => message),
  );
}

/** The same, with its problems as values. @throws {DataError} where the file cannot be read or is no table */
export async function parseList(file: string, context: ListContext): Promise<ParsedList> {
  const samples: Sample[] = [];
  const problems: ListProblem[] = [];
  const lineOf = new Map<string, number>();
  const labels = createLabelReader(context.tables);
  const { entries, faults } = await parseColumns(await readListText(file), file, context.content?.column);
  const report = (kind: ListProblemKind, line: number | null, image: string | null, what: string) => {
    problems.push({ kind, line, image, message: `${line === null ? file : `${file}:${line}`}: ${what}` });
  };
  for (const { line, what } of faults) report("format", line, null, what);
  for (const entry of entries) {
    const key = normalizePath(entry.image);
    const first = lineOf.get(key);
    if (first === undefined) lineOf.set(key, entry.line);
    else report("duplicate", entry.line, entry.image, `${entry.image} stands in line ${first} already; remove one`);
    const { sample, faults: wrong } = readEntry(entry, file, context, labels);
    for (const { kind, what } of wrong) report(kind, entry.line, entry.image, what);
    samples.push(sample);
  }
  if (entries.length === 0 && problems.length === 0) {
    report("empty", null, null, "the list is empty; a line for each image is needed");
  }
  return { samples, problems };
}

interface EntryFault {
  readonly kind: ListProblemKind;
  readonly what: string;
}

/** A line as a sample; where something is wrong, the sample is only fit for further checks. */
function readEntry(
  { line, image, mos, mosStd, distortion, scenes, content: inColumn }: Entry,
  list: string,
  { database, folder, deviations, content: rule }: ListContext,
  labels: LabelReader,
): { sample: Sample; faults: EntryFault[] } {
  const faults: EntryFault[] = [];
  const fault = (kind: ListProblemKind, what: string) => faults.push({ kind, what });
  const take = (label: ReturnType<LabelReader["scene"]>): number | null => {
    if ("index" in label) return label.index;
    fault("label", label.problem);
    return null;
  };
  const wrongPath = pathProblem(image);
  if (wrongPath !== null) fault("path", wrongPath);
  if (!isNumber(mos)) fault("mos", `mos must be a finite number, got ${JSON.stringify(mos)}; leave such images out`);
  if (mosStd !== null && !(isNumber(mosStd) && Number(mosStd) >= 0)) {
    fault("mos", `mos_std must be a number of at least 0, got ${JSON.stringify(mosStd)}; leave it empty if unknown`);
  }
  const known = scenes.map((scene) => take(labels.scene(scene))).filter((scene) => scene !== null);
  if (new Set(known).size < known.length) fault("label", "a scene is named twice; name it once");
  const key = normalizePath(image);
  const content = rule?.pattern === undefined ? inColumn : contentByPattern(rule.pattern, key);
  if (rule !== undefined && (content === null || content === "")) {
    const how = rule.pattern === undefined ? "its column" : `the pattern ${rule.pattern}`;
    fault("format", `no content is told by ${how} for ${image}; correct the line, or data.databases: content`);
  }
  const sample: Sample = {
    database,
    image,
    file: `${folder}${path.sep}${key}`,
    folder,
    mos: Number(mos),
    mosStd: mosStd === null ? (deviations.get(key) ?? null) : Number(mosStd),
    distortion: take(labels.distortion(distortion)),
    scenes: known,
    ...(content === null ? {} : { content }),
    list,
    line,
  };
  return { sample, faults };
}

/** Plain decimal numbers only: `Number` would take "", "0x10" and "Infinity" too. */
function isNumber(text: string): boolean {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Number(text));
}

/** A label of a list: an index into its table, null where it is missing, or what is wrong with it. */
type ReadLabel = { readonly index: number | null } | { readonly problem: string };

interface LabelReader {
  /** A distortion's class or one of its types. */
  distortion(text: string): ReadLabel;
  scene(text: string): ReadLabel;
}

/** How lists write that a label is missing. */
const MISSING = new Set(["", "invalid"]);

/** Reads the labels of lists by the tables of one prompt grid. */
export function createLabelReader(tables: LabelTables): LabelReader {
  const scenes = new Map(tables.scenes.map((scene, i) => [scene, i]));
  const distortions = new Map<string, number>();
  Object.entries(tables.distortions).forEach(([name, types], i) => {
    for (const type of [name, ...types]) if (!distortions.has(type)) distortions.set(type, i);
  });
  const read = (kind: string, table: ReadonlyMap<string, number>) => (text: string) => {
    if (MISSING.has(text)) return { index: null };
    const index = table.get(text);
    if (index !== undefined) return { index };
    const hint = didYouMean(text, [...table.keys()]);
    return { problem: `there is no ${kind} "${text}"${hint === "" ? '; "invalid" says that it is not known' : hint}` };
  };
  return { distortion: read("distortion", distortions), scene: read("scene", scenes) };
}

/** Class of a distortion's type; null where the tables do not have it. */
export function distortionClasses(tables: LabelTables): (type: string) => number | null {
  const reader = createLabelReader(tables);
  return (type) => {
    const label = reader.distortion(type);
    return "index" in label ? label.index : null;
  };
}

/** What is wrong with an image's path in a list, and what to do; null where nothing is. */
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

/** One spelling of a path, so that `a//b.png` and `./a/b.png` are seen to be the same. */
export function normalizePath(image: string): string {
  return /(^|\/)\.?(\/|$)/.test(image) ? path.posix.normalize(image) : image;
}
