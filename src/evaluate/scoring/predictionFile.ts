import path from "node:path";
import { groupBy } from "../../base/collections.js";
import { DataError } from "../../base/errors.js";
import { plural, problemsError } from "../../base/text.js";
import { normalizePath } from "../../data/lists/entries.js";
import { isNumeric } from "../../data/lists/formats/table.js";
import { parseCommaRows, readListText } from "../../data/lists/rows.js";

/** Columns that name an image, and those that hold a score, in the order of preference. */
const IMAGE_COLUMNS = ["image", "file_name", "img_name", "img_path", "filename"] as const;
const SCORE_COLUMNS = ["quality", "score", "prediction"] as const;
const READ_COLUMNS = [...IMAGE_COLUMNS, ...SCORE_COLUMNS, "mos", "mos_std", "split", "database", "group"] as const;

/** One line of a file of predictions. */
export interface PredictedRow {
  /** Line of the file, from 1. */
  readonly line: number;
  readonly image: string;
  readonly quality: number;
  /** Null where the file has no such column, or the cell is empty. */
  readonly mos: number | null;
  /** Standard deviation of the opinions, or of their mean; null where the file has none. */
  readonly mosStd: number | null;
  readonly split: number | null;
  readonly database: string | null;
  /** Photograph, or other unit, that the image belongs to. */
  readonly group: string | null;
}

/** Rows by the paths of their images. @throws {DataError} where an image has two */
export function rowsByImage(rows: readonly PredictedRow[], file: string): Map<string, PredictedRow> {
  const byImage = new Map<string, PredictedRow>();
  for (const row of rows) {
    const key = normalizePath(row.image);
    const twice = byImage.get(key);
    if (twice !== undefined)
      throw new DataError(`${file}:${row.line}: ${row.image} stands in line ${twice.line} already; remove one`);
    byImage.set(key, row);
  }
  return byImage;
}

/**
 * Row of each image that has one: by its path, else by a file name that images and rows have once each.
 * @throws {DataError} where an image has two
 */
export function rowsOf<T extends { readonly image: string }>(
  images: readonly T[],
  rows: readonly PredictedRow[],
  file: string,
): Map<T, PredictedRow> {
  const byPath = rowsByImage(rows, file);
  const nameOf = ({ image }: { readonly image: string }) => path.posix.basename(image);
  const [imagesByName, rowsByName] = [groupBy(images, nameOf), groupBy(byPath.values(), nameOf)];
  const byName = (name: string) => {
    const [row, ...others] = rowsByName.get(name) ?? [];
    return others.length === 0 && imagesByName.get(name)?.length === 1 ? row : undefined;
  };
  return new Map(
    images.flatMap((image) => {
      const row = byPath.get(normalizePath(image.image)) ?? byName(nameOf(image));
      return row === undefined ? [] : [[image, row] as const];
    }),
  );
}

type Cells = Readonly<Record<string, unknown>>;
type PredictionRecord = { readonly line: number; readonly cells: Cells };

/**
 * Reads predictions of any model: CSV with a header, JSON lines, or one JSON array of objects.
 * @param column  column of the scores; by default `quality`, else `score`, else `prediction`
 * @throws {DataError} where it cannot be read, lacks a column, or listing every wrong line at once
 */
export async function readPredictions(file: string, column?: string): Promise<readonly PredictedRow[]> {
  const records = await readRecords(file, [...READ_COLUMNS, ...(column === undefined ? [] : [column])]);
  const scoreColumns = column === undefined ? SCORE_COLUMNS : [column];
  const first = records.find(({ cells }) => scoreColumns.some((name) => name in cells)) ?? records[0]; // others may have failed
  if (first === undefined) throw new DataError(`${file}: holds no predictions; a line for each image is needed`);
  const known = Object.keys(first.cells);
  const find = (names: readonly string[], what: string): string => {
    const name = names.find((candidate) => known.includes(candidate));
    if (name !== undefined) return name;
    const hint = what === "score" ? "; name it with --column" : "";
    throw new DataError(`${file}: has no column of ${what}s (${names.join(", ")}), but ${known.join(", ")}${hint}`);
  };
  const columns = {
    image: find(IMAGE_COLUMNS, "image"),
    score: find(scoreColumns, "score"),
  };
  const problems: string[] = [];
  const rows = records.map((record) =>
    rowOf(record, columns, (what) => problems.push(`${file}:${record.line}: ${what}`)),
  );
  if (problems.length > 0) throw problemsError(`${file}: ${plural(problems.length, "problem")}`, problems);
  return rows;
}

function rowOf(
  { line, cells }: PredictionRecord,
  columns: { readonly image: string; readonly score: string },
  report: (what: string) => void,
): PredictedRow {
  const numberIn = (name: string): number | null => {
    const cell = cells[name];
    if (cell === undefined || cell === null || cell === "") return null;
    const value = typeof cell === "number" || (typeof cell === "string" && isNumeric(cell.trim())) ? Number(cell) : NaN;
    if (!Number.isFinite(value)) report(`${name} must be a finite number, got ${JSON.stringify(cell)}`);
    return value;
  };
  const textIn = (name: string): string | null => {
    const cell = cells[name];
    return typeof cell === "string" && cell !== "" ? cell : typeof cell === "number" ? String(cell) : null;
  };
  const quality = numberIn(columns.score);
  const image = textIn(columns.image);
  if (quality === null) report(`${columns.score} is empty; leave such images out`);
  if (image === null) report(`${columns.image} is empty; it names the image`);
  const split = numberIn("split");
  if (split !== null && !(Number.isInteger(split) && split >= 1)) report(`split must be a whole number, got ${split}`);
  const mosStd = numberIn("mos_std");
  if (mosStd !== null && mosStd < 0) report(`mos_std must be at least 0, got ${mosStd}`);
  const labels = { mos: numberIn("mos"), mosStd, split, database: textIn("database"), group: textIn("group") };
  return { line, image: image ?? "", quality: quality ?? NaN, ...labels };
}

/** Records of a file as cells by column, each with its line. */
async function readRecords(file: string, read: readonly string[]): Promise<readonly PredictionRecord[]> {
  const text = await readListText(file);
  const start = text.trimStart()[0];
  if (start === "[") return jsonArray(text, file).map((cells, i) => ({ line: i + 1, cells }));
  if (start === "{") return jsonLines(text, file);
  const [header, ...rows] = await parseCommaRows(text, file);
  const twice = header?.cells.find((name, i, all) => read.includes(name) && all.indexOf(name) < i);
  if (twice !== undefined) throw new DataError(`${file}: the column ${twice} stands there twice; remove one`);
  return rows.map(({ line, cells }) => {
    const wanted = header?.cells.length ?? 0;
    if (cells.length === wanted)
      return { line, cells: Object.fromEntries(cells.map((cell, i) => [header?.cells[i] ?? "", cell])) };
    throw new DataError(`${file}:${line}: expected ${wanted} columns as in the header, got ${cells.length}`);
  });
}

function jsonArray(text: string, file: string): Cells[] {
  const value = parseJson(text, file);
  if (Array.isArray(value)) return value.map((one, i) => cellsOf(one, `${file}: entry ${i + 1}`));
  throw new DataError(`${file}: is no array of objects`);
}

function jsonLines(text: string, file: string): PredictionRecord[] {
  return text.split("\n").flatMap((line, i) => {
    const place = `${file}:${i + 1}`;
    return line.trim() === "" ? [] : [{ line: i + 1, cells: cellsOf(parseJson(line, place), place) }];
  });
}

function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new DataError(`${place}: is not JSON; a line must hold one object, or the file one array`, { cause: error });
  }
}

function cellsOf(value: unknown, place: string): Cells {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Cells;
  throw new DataError(
    `${place}: must be an object with an image and a score, got ${JSON.stringify(value).slice(0, 40)}`,
  );
}
