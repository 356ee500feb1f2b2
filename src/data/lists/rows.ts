/** Text of lists and its rows of cells, whatever they mean. */
import { readFile, stat } from "node:fs/promises";
import type { Options } from "csv-parse/sync";
import { DataError } from "../../base/errors.js";
import { isMissing } from "../../base/files.js";
import { encodingProblem, reasonOf } from "../../base/text.js";

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
export async function parseTabRows(text: string, file: string): Promise<Row[]> {
  const rows = await parseCells(text, file, { ...FORMAT, delimiter: "\t", quote: false });
  return rows.flatMap((cells, i) => (cells.length === 1 && cells[0] === "" ? [] : [{ line: i + 1, cells }]));
}

/** Rows separated by commas, or another character, with optional quotes (RFC 4180); a quoted cell may hold a line break. */
export async function parseCommaRows(text: string, file: string, delimiter = ","): Promise<Row[]> {
  const rows: Row[] = [];
  await parseCells(text, file, {
    ...FORMAT,
    delimiter,
    skip_empty_lines: true,
    onRecord: (cells: string[], { lines }) => {
      rows.push({ line: lines, cells });
      return null;
    },
  });
  return rows;
}

/** Cells of the first line that is not blank, by which a list separated by commas is told from other text. */
export async function headerOf(text: string, file: string): Promise<readonly string[]> {
  const [first = ""] = text.trimStart().split(/[\r\n]/, 1);
  const [header] = await parseCommaRows(first, file);
  return header?.cells ?? [];
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
