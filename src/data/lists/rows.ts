/** Text of lists and its rows of cells, whatever they mean. */
import { readFile, stat } from "node:fs/promises";
import { DataError } from "../../base/errors.js";
import { isMissing } from "../../base/files.js";
import { encodingProblem, NOT_DECODED, reasonOf } from "../../base/text.js";
import type { ReportProgress } from "../../base/types.js";
import { MAX_LINE_BYTES, type OnLine, readLines, readStartOfText, splitLines, tooLong } from "./lines.js";

/** Limit of files that are held whole: JSON that is not in lines, and lists of other projects. */
const MAX_WHOLE_BYTES = 256 * 2 ** 20;

/**
 * Reads a whole text, without a byte order mark, of a form that cannot be read line by line.
 * @throws {DataError} where it cannot be read, is no text or above 256 MiB
 */
export async function readListText(file: string): Promise<string> {
  try {
    await requireBounded(file);
    const text = await readFile(file, "utf8");
    const wrong = encodingProblem(text);
    if (wrong !== null) throw new DataError(`${file}: ${wrong}`);
    if (text.includes(NOT_DECODED)) throw new DataError(`${file}: is not UTF-8 text; save it as UTF-8`);
    return text.startsWith("\uFEFF") ? text.slice(1) : text;
  } catch (error) {
    if (error instanceof DataError) throw error;
    const what = isMissing(error) ? "there is no such list" : `cannot be read (${reasonOf(error)})`;
    throw new DataError(`${file}: ${what}; check the path`, { cause: error });
  }
}

/** @throws {DataError} where a file is too large to be held whole; our own lists are read line by line, and never are */
export async function requireBounded(file: string): Promise<void> {
  const { size } = await stat(file);
  if (size <= MAX_WHOLE_BYTES) return;
  const limit = `${size} bytes are more than the ${MAX_WHOLE_BYTES} of a file that is held whole`;
  throw new DataError(`${file}: ${limit}; lists in CSV of image,mos alone, and published ones, may be larger`);
}

/** First line of a text that is not blank; the start of it where it is very long. */
export function firstLineOf(text: string): string {
  return splitLines(text.trimStart().slice(0, 2 * MAX_LINE_BYTES))[0] ?? "";
}

export interface Row {
  /** Line of the file, from 1. */
  readonly line: number;
  readonly cells: readonly string[];
}

type OnRow = (row: Row) => void;

/** Reads tab-separated rows; quotes mean nothing in them, so a row is a line. Empty lines are skipped. */
export async function readTabRows(file: string, onRow: OnRow, report?: ReportProgress): Promise<void> {
  await readLines(file, (text, line) => {
    const cells = splitCells(text, "\t");
    if (cells.length > 1 || cells[0] !== "") onRow({ line, cells });
  }, report); // prettier-ignore
}

/**
 * Reads rows separated by commas, or another character, with optional quotes (RFC 4180); a quoted cell may hold a line
 * break. Empty lines are skipped.
 */
export async function readCommaRows(
  file: string,
  onRow: OnRow,
  { delimiter = ",", report }: { readonly delimiter?: string; readonly report?: ReportProgress | undefined } = {},
): Promise<void> {
  const { onLine, end } = await commaRows(file, onRow, delimiter);
  await readLines(file, onLine, report);
  end();
}

/** Rows of a file in one list, for forms that look at all of them before they read one. */
export async function allRows(read: (onRow: OnRow) => Promise<void>): Promise<Row[]> {
  const rows: Row[] = [];
  await read((row) => rows.push(row));
  return rows;
}

/** Rows of a text that was read already, as `readCommaRows`. @param file  named in messages */
export async function parseCommaRows(text: string, file: string, delimiter = ","): Promise<Row[]> {
  const rows: Row[] = [];
  const { onLine, end } = await commaRows(file, (row) => rows.push(row), delimiter);
  const lines = splitLines(text);
  lines.forEach((line, i) => {
    onLine(line, i + 1);
  });
  end();
  return rows;
}

/** Cells of the first line that is not blank, by which a list separated by commas is told from other text. */
export async function headerOf(file: string): Promise<readonly string[]> {
  const [header] = await parseCommaRows(firstLineOf(await readStartOfText(file)), file);
  return header?.cells ?? [];
}

/** Receiver of lines that gives their rows. @throws {DataError} with the file's name and what the quotes are wrong in */
async function commaRows(
  file: string,
  onRow: OnRow,
  delimiter: string,
): Promise<{ readonly onLine: OnLine; readonly end: () => void }> {
  const parseQuoted = await quotedParser(file, delimiter);
  let open: { text: string; readonly line: number; isOdd: boolean } | null = null;
  const close = ({ text, line }: { readonly text: string; readonly line: number }, last: number) => {
    open = null;
    for (const cells of parseQuoted(text, line)) onRow({ line: last, cells });
  };
  return {
    onLine: (text, line) => {
      const hasQuotes = text.includes('"');
      const cells = open !== null ? null : hasQuotes ? cellsOfWhole(text, delimiter) : splitCells(text, delimiter);
      if (cells !== null) {
        if (hasQuotes || cells.length > 1 || cells[0] !== "") onRow({ line, cells });
      } else {
        const begun: NonNullable<typeof open> = open ?? { text: "", line, isOdd: false };
        begun.text += begun.line === line ? text : `\n${text}`;
        if (hasQuotes && (text.split('"').length - 1) % 2 === 1) begun.isOdd = !begun.isOdd;
        if (!begun.isOdd) close(begun, line);
        else if (begun.text.length > MAX_LINE_BYTES) throw tooLong(file, begun.line);
        else open = begun;
      }
    },
    end: () => {
      if (open !== null) close(open, open.line);
    },
  };
}

/** Cells of a line with quotes in which each cell is plain or quoted as a whole, as nearly all are; null for others. */
function cellsOfWhole(text: string, delimiter: string): string[] | null {
  const cells: string[] = [];
  for (let at = 0; at <= text.length; at++) {
    const next = text.indexOf(delimiter, at);
    const end = next < 0 ? text.length : next;
    while (at < end && isBlank(text.charCodeAt(at))) at++;
    if (text[at] === '"') {
      let close = text.indexOf('"', at + 1);
      while (close >= 0 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
      if (close < 0) return null;
      cells.push(text.slice(at + 1, close).replaceAll('""', '"'));
      for (at = close + 1; isBlank(text.charCodeAt(at));) at++;
      if (at < text.length && text[at] !== delimiter) return null;
    } else {
      const cell = text.slice(at, end);
      if (cell.includes('"')) return null;
      cells.push(trimmed(cell));
      at = end;
    }
  }
  return cells;
}

function splitCells(text: string, delimiter: string): string[] {
  const cells = text.split(delimiter);
  for (let i = 0; i < cells.length; i++) cells[i] = trimmed(cells[i] ?? "");
  return cells;
}

/** Text without blanks around it; most has none, and is not copied. */
function trimmed(text: string): string {
  return isBlank(text.charCodeAt(0)) || isBlank(text.charCodeAt(text.length - 1)) ? text.trim() : text;
}

const NO_BREAK_SPACE = 0xa0; // the first blank outside ASCII

function isBlank(code: number): boolean {
  if (code < NO_BREAK_SPACE) return code === 32 || (code >= 9 && code <= 13);
  return /\s/.test(String.fromCharCode(code));
}

/** Parser of one row with quotes by csv-parse, which is loaded only here. */
async function quotedParser(file: string, delimiter: string): Promise<(text: string, line: number) => string[][]> {
  const { CsvError, parse } = await import("csv-parse/sync");
  return (text, line) => {
    try {
      return parse(text, { trim: true, relax_column_count: true, record_delimiter: ["\n"], delimiter });
    } catch (error) {
      if (!(error instanceof CsvError)) throw error;
      const reason = reasonOf(error).replace(/ at line \d+/, ""); // counted from where the row begins
      throw new DataError(`${file}:${line}: ${reason}; correct that line`, { cause: error });
    }
  };
}
