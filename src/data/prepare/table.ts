import path from "node:path";
import { DataError } from "../../base/errors.js";
import { reasonOf } from "../../base/text.js";
import { parseCommaRows, readListText } from "../lists/rows.js";

const HINT = "is it the file that the makers publish?";

interface Table {
  readonly file: string;
  readonly has: (column: string) => boolean;
  readonly rows: readonly TableRow[];
  /** Rows that hold something and lack a needed cell, each with its place and what it lacks. */
  readonly leftOut: readonly string[];
}

interface TableRow {
  /** Trimmed text, empty where there is none. @throws {DataError} on a column that the header lacks */
  readonly text: (column: string) => string;
  /** Finite number. @throws {DataError} where it is none */
  readonly number: (column: string) => number;
}

/** Reads a CSV file with a header. @throws {DataError} where it cannot be read or lacks one of the columns */
export async function readCsvTable(folder: string, name: string, needed: readonly string[]): Promise<Table> {
  const file = path.join(folder, name);
  const rows = await parseCommaRows(await readListText(file), file);
  const placed = rows.map(({ line, cells }) => ({ place: `${file}:${line}`, cells }));
  return tableOf(file, placed, needed);
}

/**
 * Reads a sheet, by name or number from 1, of an Excel workbook; its header is the first row that has all the columns.
 * @throws {DataError} where it cannot be read or has no such header
 */
export async function readExcelTable(
  folder: string,
  { name, sheet }: { readonly name: string; readonly sheet: string | number },
  needed: readonly string[],
): Promise<Table> {
  const { readSheet } = await import("read-excel-file/node");
  const file = path.join(folder, name);
  const rows = await readSheet(file, sheet).catch((error: unknown) => {
    const hint = "check the path, or save it as .xlsx again";
    throw new DataError(`${file}: cannot be read as an Excel workbook (${reasonOf(error)}); ${hint}`, { cause: error });
  });
  const cellsOf = (row: (typeof rows)[number]) => row.map((cell) => (cell === null ? "" : String(cell).trim()));
  const placed = rows.map((row, i) => ({ place: `${file}: row ${i + 1}`, cells: cellsOf(row) }));
  return tableOf(file, placed, needed);
}

type PlacedRow = { readonly place: string; readonly cells: readonly string[] };

function tableOf(file: string, rows: readonly PlacedRow[], needed: readonly string[]): Table {
  const at = rows.findIndex(({ cells }) => needed.every((column) => cells.includes(column)));
  const header = rows[at]?.cells;
  if (header === undefined) throw new DataError(`${file}: no row has the columns ${needed.join(", ")}; ${HINT}`);
  const lacks = ({ cells }: PlacedRow) => needed.filter((column) => (cells[header.indexOf(column)] ?? "") === "");
  const below = rows.slice(at + 1).filter(({ cells }) => cells.some((cell) => cell !== ""));
  const leftOut = below.flatMap((row) => {
    const columns = lacks(row).map((column) => `"${column}"`);
    return columns.length === 0 ? [] : [`${row.place} (${row.cells.join(", ")}): ${columns.join(", ")} is empty`];
  });
  const body = below.filter((row) => lacks(row).length === 0).map((row) => tableRow(row, header));
  return { file, has: (column) => header.includes(column), rows: body, leftOut };
}

function tableRow({ place, cells }: PlacedRow, header: readonly string[]): TableRow {
  const text = (column: string) => {
    if (!header.includes(column)) throw new DataError(`${place}: the header has no column "${column}"`);
    return cells[header.indexOf(column)] ?? "";
  };
  return { text, number: (column) => numberAt(`${place}: ${column}`, text(column)) };
}

/** @throws {DataError} where the text is no finite number */
export function numberAt(place: string, text: string): number {
  const value = text === "" ? NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw new DataError(`${place}: must be a number, got ${JSON.stringify(text)}; ${HINT}`);
}
