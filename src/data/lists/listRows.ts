import { readFile, stat } from "node:fs/promises";
import { CsvError, parse } from "csv-parse/sync";
import { DataError } from "../../base/errors.js";
import { explain, isMissing } from "../../base/text.js";

/** A line of a table. */
export interface Row {
  /** In the file, from 1. */
  readonly line: number;
  /** Trimmed. */
  readonly cells: readonly string[];
}

/** Limits that no list of images reaches and a wrong file may. */
const MAX_FILE_BYTES = 256 * 2 ** 20;
const MAX_LINE_BYTES = 65_536;

/**
 * The text of a list, without a byte order mark.
 *
 * @throws {DataError} where it cannot be read or is no text
 */
export async function readListText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > MAX_FILE_BYTES) throw new DataError(`${file}: ${size} bytes are too many for a list; is it an image?`);
    const text = await readFile(file, "utf8");
    if (text.includes("\uFFFD")) throw new DataError(`${file}: is not UTF-8 text; save it as UTF-8`);
    return text.startsWith("\uFEFF") ? text.slice(1) : text;
  } catch (error) {
    if (error instanceof DataError) throw error;
    const what = isMissing(error) ? "there is no such list" : `cannot be read (${explain(error)})`;
    throw new DataError(`${file}: ${what}; check the path`, { cause: error });
  }
}

const FORMAT = {
  trim: true,
  relax_column_count: true,
  max_record_size: MAX_LINE_BYTES,
  record_delimiter: ["\r\n", "\n", "\r"],
};

/** Tab-separated rows; quotes mean nothing in them, so a row is a line. Empty lines are skipped; CRLF is fine. */
export function parseTabRows(text: string, file: string): Row[] {
  const rows = named(file, () => parse(text, { ...FORMAT, delimiter: "\t", quote: false }));
  return rows.flatMap((cells, i) => (cells.length === 1 && cells[0] === "" ? [] : [{ line: i + 1, cells }]));
}

/** Comma-separated rows with optional quotes (RFC 4180); a quoted cell may hold a line break. */
export function parseCommaRows(text: string, file: string): Row[] {
  const rows: Row[] = [];
  named(file, () =>
    parse(text, {
      ...FORMAT,
      skip_empty_lines: true,
      onRecord: (cells: string[], { lines }) => {
        rows.push({ line: lines, cells });
        return null;
      },
    }),
  );
  return rows;
}

/** Puts the file's name before the parser's own errors. @throws {DataError} */
function named<T>(file: string, parsing: () => T): T {
  try {
    return parsing();
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new DataError(`${file}: ${explain(error)}; correct that line`, { cause: error });
  }
}
