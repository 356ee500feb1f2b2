import { readFile, stat } from "node:fs/promises";
import type { Options } from "csv-parse/sync";
import { DataError } from "../../base/errors.js";
import { isMissing } from "../../base/files.js";
import { didYouMean, encodingProblem, plural, problemsError, reasonOf } from "../../base/text.js";
import type { Sample } from "../sample.js";
import {
  type Entry,
  labelTables,
  type ListContext,
  type ListProblemKind,
  normalizePath,
  NOT_KNOWN,
  type PublishedScores,
  readEntry,
} from "./entries.js";

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
  const samples: Sample[] = [];
  const lineOf = new Map<string, number>();
  const labels = labelTables(context.tables);
  const { entries, faults } = await parseColumns(await readListText(file), file, context.content?.column);
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

/** Reads a published `<name>_all.txt`; empty where it is missing. @throws {DataError} listing lines of another form */
export async function readPublishedScores(file: string): Promise<PublishedScores> {
  const scores = new Map<string, { mos: number; deviation: number }>();
  const problems: string[] = [];
  for (const { line, cells } of await parseTabRows(await textOrNothing(file), file)) {
    const [image, mos, deviation] = cells;
    const value = deviation === undefined || deviation === "" ? NaN : Number(deviation);
    if (image === undefined || cells.length !== 3 || !(value >= 0 && value < Infinity)) {
      problems.push(`${file}:${line}: expected path, mos and its deviation, got ${JSON.stringify(cells.join("\t"))}`);
    } else scores.set(normalizePath(image), { mos: Number(mos), deviation: value });
  }
  if (problems.length === 0) return scores;
  throw problemsError(`${file}: ${plural(problems.length, "problem")}; correct them, or remove the file`, problems);
}

async function textOrNothing(file: string): Promise<string> {
  try {
    return await readListText(file);
  } catch (error) {
    if (error instanceof Error && isMissing(error.cause)) return "";
    throw error;
  }
}

type Fault = { readonly line: number; readonly what: string };

type Columns = { readonly entries: readonly Entry[]; readonly faults: readonly Fault[] };

export const SCENES_PER_LINE = 3;

/** Columns of the published lists: path, MOS, distortion and the scenes. */
export const PUBLISHED_COLUMNS = 3 + SCENES_PER_LINE;

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

/** Limits that no list of images reaches and a wrong file may. */
const MAX_FILE_BYTES = 256 * 2 ** 20;
const MAX_LINE_BYTES = 65_536;

/** Reads the text of a list, without a byte order mark. @throws {DataError} where it cannot be read or is no text */
export async function readListText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > MAX_FILE_BYTES) throw new DataError(`${file}: ${size} bytes are too many for a list; is it an image?`);
    const text = await readFile(file, "utf8");
    const wrong = encodingProblem(text);
    if (wrong !== null) throw new DataError(`${file}: ${wrong}`);
    if (text.includes("\uFFFD")) throw new DataError(`${file}: is not UTF-8 text; save it as UTF-8`);
    return text.startsWith("\uFEFF") ? text.slice(1) : text;
  } catch (error) {
    if (error instanceof DataError) throw error;
    const what = isMissing(error) ? "there is no such list" : `cannot be read (${reasonOf(error)})`;
    throw new DataError(`${file}: ${what}; check the path`, { cause: error });
  }
}

export interface Row {
  /** Line of the file, from 1. */
  readonly line: number;
  readonly cells: readonly string[];
}

const FORMAT = {
  trim: true,
  relax_column_count: true,
  max_record_size: MAX_LINE_BYTES,
  record_delimiter: ["\r\n", "\n", "\r"],
};

/** Tab-separated rows; quotes mean nothing in them, so a row is a line. Empty lines are skipped; CRLF is fine. */
async function parseTabRows(text: string, file: string): Promise<Row[]> {
  const rows = await parseCells(text, file, { ...FORMAT, delimiter: "\t", quote: false });
  return rows.flatMap((cells, i) => (cells.length === 1 && cells[0] === "" ? [] : [{ line: i + 1, cells }]));
}

/** Comma-separated rows with optional quotes (RFC 4180); a quoted cell may hold a line break. */
export async function parseCommaRows(text: string, file: string): Promise<Row[]> {
  const rows: Row[] = [];
  await parseCells(text, file, {
    ...FORMAT,
    skip_empty_lines: true,
    onRecord: (cells: string[], { lines }) => {
      rows.push({ line: lines, cells });
      return null;
    },
  });
  return rows;
}

/** Parses with csv-parse, which is loaded only here. @throws {DataError} with the file's name before the parser's error */
async function parseCells(text: string, file: string, options: Options): Promise<string[][]> {
  const { CsvError, parse } = await import("csv-parse/sync");
  try {
    return parse(text, options);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new DataError(`${file}: ${reasonOf(error)}; correct that line`, { cause: error });
  }
}
