import { DataError } from "../../base/errors.js";
import { didYouMean, plural, problemsError } from "../../base/text.js";
import type { Sample } from "../sample.js";
import {
  type Entry,
  labelTables,
  type ListContext,
  type ListProblemKind,
  normalizePath,
  NOT_KNOWN,
  PUBLISHED_COLUMNS,
  readEntry,
} from "./entries.js";
import { findSource } from "./formats/openSource.js";
import { isParquet } from "./formats/parquetLists.js";
import { isShard } from "./formats/shardLists.js";
import { isOwnList } from "./formats/readTable.js";
import type { Ambiguity } from "./formats/table.js";
import { parseCommaRows, parseTabRows, readListText, type Row } from "./rows.js";

interface ListProblem {
  readonly kind: ListProblemKind;
  /** From 1; null for the whole file. */
  readonly line: number | null;
  readonly image: string | null;
  /** `file:line: what is wrong; what to do`. */
  readonly message: string;
}

/**
 * Reads a list: tab-separated as published (path, MOS, distortion, three scenes) or CSV with a header
 * (`image,mos[,mos_std][,distortion][,scene]`).
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

/** Reads a list and returns its problems beside its samples. @throws {DataError} where it cannot be read or is no table */
export async function parseList(
  file: string,
  context: ListContext,
): Promise<{ samples: Sample[]; problems: ListProblem[] }> {
  const text = isShard(file) || (await isParquet(file)) ? null : await readListText(file);
  const column = context.content?.column;
  const foreign = text !== null && isOwnList(text, file) ? null : await openForeign(file, context);
  if (foreign !== null) return samplesOf(foreign, file, context);
  if (text === null)
    throw new DataError(`${file}: has no column that names images, or none of scores; see docs/data.md`);
  return samplesOf(await parseColumns(text, file, column), file, context);
}

/** Entries of a list in another form than our own; null where it is in none. @throws {DataError} on two readings */
async function openForeign(file: string, { folder, tables, content, database }: ListContext): Promise<Columns | null> {
  const columns = { group: content?.column };
  const source = await findSource(file, { name: database, images: folder, tables, columns });
  if (source !== null) requireOneReading(file, source.ambiguities);
  return source;
}

/** @throws {DataError} with every reading that a source allows, and the flag for each */
export function requireOneReading(place: string, ambiguities: readonly Ambiguity[]): void {
  if (ambiguities.length === 0) return;
  throw problemsError(
    `${place}: can be read in more than one way; say which, as in a config's { source, columns, split }`,
    ambiguities.map(({ what, readings, flag }) => `${what} (${readings.join("; ")}): ${flag}`),
  );
}

/** Entries as samples, and the problems of both. @param columns  entries of one file, in the order of its lines */
export function samplesOf(
  { entries, faults }: Columns,
  file: string,
  context: ListContext,
): { samples: Sample[]; problems: ListProblem[] } {
  const samples: Sample[] = [];
  const lineOf = new Map<string, number>();
  const labels = labelTables(context.tables);
  const problems: ListProblem[] = faults.map(({ line, what }) => {
    return { kind: "format", line, image: null, message: `${file}:${line}: ${what}` };
  });
  for (const entry of entries) {
    const { line, image } = entry;
    const report = (kind: ListProblemKind, what: string) => {
      problems.push({ kind, line, image, message: `${file}:${line}: ${what}` });
    };
    const before = problems.length;
    const first = lineOf.get(normalizePath(image));
    if (first === undefined) lineOf.set(normalizePath(image), line);
    else report("duplicate", `${image} stands in line ${first} already; remove one`);
    const sample = readEntry(entry, { ...context, list: file, labels, report });
    if (problems.length === before) samples.push(sample); // refused lines are not counted
  }
  if (entries.length === 0 && problems.length === 0) {
    const message = `${file}: the list is empty; a line for each image is needed`;
    problems.push({ kind: "empty", line: null, image: null, message });
  }
  return { samples, problems };
}

type Fault = { readonly line: number; readonly what: string };

type Columns = { readonly entries: readonly Entry[]; readonly faults: readonly Fault[] };

/** Columns of a CSV list. */
export const CSV_COLUMNS = ["image", "mos", "mos_std", "distortion", "scene"] as const;
type CsvColumn = (typeof CSV_COLUMNS)[number];
const NEEDED: readonly CsvColumn[] = ["image", "mos"];

const SCENE_SEPARATOR = "|";

/**
 * Splits a list into its columns: tab-separated as published where its first line has a tab, else CSV with a header.
 * @param contentColumn  column of a CSV list that names each image's content
 */
async function parseColumns(text: string, file: string, contentColumn?: string): Promise<Columns> {
  const [firstLine = ""] = text.trimStart().split(/[\r\n]/, 1);
  if (!firstLine.includes("\t")) return csvColumns(await parseCommaRows(text, file), contentColumn);
  if (contentColumn === undefined) return publishedColumns(await parseTabRows(text, file));
  const what = `a tab-separated list has no column "${contentColumn}"; write CSV, or give content: { pattern: ... }`;
  return { entries: [], faults: [{ line: 1, what }] };
}

function publishedColumns(rows: readonly Row[]): Columns {
  const entries: Entry[] = [];
  const faults: Fault[] = [];
  for (const { line, cells } of rows) {
    const [image, mos, distortion, ...scenes] = cells;
    if (image !== undefined && mos !== undefined && distortion !== undefined && cells.length === PUBLISHED_COLUMNS) {
      entries.push({ line, image, mos, mosStd: null, distortion, scenes, content: null });
    } else {
      const what = `expected ${PUBLISHED_COLUMNS} columns (path, mos, distortion, three scenes), got ${cells.length}`;
      faults.push({ line, what: `${what}; separate them by tabs, with "${NOT_KNOWN}" where a label is not known` });
    }
  }
  return { entries, faults };
}

function csvColumns([header, ...rows]: readonly Row[], contentColumn?: string): Columns {
  if (header === undefined) return { entries: [], faults: [] };
  const faults = headerFaults(header, contentColumn);
  if (faults.length > 0) return { entries: [], faults };
  const entries: Entry[] = [];
  for (const { line, cells } of rows) {
    if (cells.length !== header.cells.length) {
      const what = `expected ${header.cells.length} columns as in the header, got ${cells.length}`;
      faults.push({ line, what: `${what}; quote a cell that holds a comma` });
      continue;
    }
    const cell = (column: string) => cells[header.cells.indexOf(column)] ?? "";
    entries.push({
      line,
      image: cell("image"),
      mos: cell("mos"),
      mosStd: cell("mos_std") === "" ? null : cell("mos_std"),
      distortion: cell("distortion"),
      scenes: cell("scene")
        .split(SCENE_SEPARATOR)
        .map((scene) => scene.trim()),
      content: contentColumn === undefined ? null : cell(contentColumn),
    });
  }
  return { entries, faults };
}

function headerFaults({ line, cells }: Row, contentColumn?: string): Fault[] {
  const own = contentColumn === undefined ? [] : [contentColumn];
  const names: readonly string[] = [...CSV_COLUMNS, ...own];
  const missing = [...NEEDED, ...own].filter((column) => !cells.includes(column));
  if (missing.length > 0) {
    const what = `the header has no column ${missing.map((column) => `"${column}"`).join(" and ")}`;
    const forms = `a CSV list begins with ${CSV_COLUMNS.join(",")} (the last three optional)`;
    return [{ line, what: `${what}; ${forms}, a published list is tab-separated` }];
  }
  const unknown = cells.filter((cell) => !names.includes(cell));
  const twice = cells.filter((cell, i) => names.includes(cell) && cells.indexOf(cell) < i);
  return [
    ...unknown.map((cell) => ({
      line,
      what: `there is no column "${cell}"${didYouMean(cell, names) || `; remove it (columns: ${names.join(", ")})`}`,
    })),
    ...twice.map((cell) => ({ line, what: `the column "${cell}" stands there twice; remove one` })),
  ];
}
