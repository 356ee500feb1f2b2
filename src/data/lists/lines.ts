/** Lines of text files, read in pieces: a list may be larger than memory, its lines may not. */
import { open } from "node:fs/promises";
import { StringDecoder } from "node:string_decoder";
import { DataError } from "../../base/errors.js";
import { isMissing } from "../../base/files.js";
import { encodingProblem, NOT_DECODED, reasonOf } from "../../base/text.js";
import type { ReportProgress } from "../../base/types.js";

/** Limit that no line of a list reaches and a wrong file may. */
export const MAX_LINE_BYTES = 65_536;

/** Bytes that are read and decoded at once. */
const PIECE_BYTES = 2 ** 20;

const BYTE_ORDER_MARK = "\uFEFF";

/** Receiver of a file's lines, without their ends, and of their numbers from 1. */
export type OnLine = (text: string, line: number) => void;

/**
 * Reads a text file line by line; a line ends with CRLF, LF or CR. A byte order mark is left out. The lines that are
 * given share memory with the piece of the file that they come from.
 * @param report  told the bytes that were read
 * @throws {DataError} where the file cannot be read or is no UTF-8 text, and naming a line of more than 64 KiB
 */
export async function readLines(file: string, onLine: OnLine, report?: ReportProgress): Promise<void> {
  const lines = new LineSplitter(file, onLine);
  await readPieces(file, (piece) => {
    lines.push(piece);
    return true;
  }, report); // prettier-ignore
  lines.end();
}

/** Beginning of a text file, by which its form is told: `bytes` of it, or less. @throws {DataError} as `readLines` */
export async function readStartOfText(file: string, bytes = 4 * MAX_LINE_BYTES): Promise<string> {
  let start = "";
  await readPieces(file, (piece) => {
    start += piece;
    return start.length < bytes;
  });
  return start.slice(0, bytes);
}

/**
 * Reads a text file in pieces, until one is answered by false.
 * @throws {DataError} where it cannot be read or is no UTF-8 text
 */
async function readPieces(file: string, onPiece: (text: string) => boolean, report?: ReportProgress): Promise<void> {
  const handle = await open(file, "r").catch((error: unknown) => {
    throw unreadable(file, error);
  });
  try {
    const total = report === undefined ? 0 : (await handle.stat()).size;
    const decoder = new StringDecoder("utf8");
    const bytes = Buffer.allocUnsafe(PIECE_BYTES);
    for (let done = 0, isGoingOn = true; isGoingOn;) {
      const { bytesRead } = await handle.read(bytes, 0, PIECE_BYTES, null).catch((error: unknown) => {
        throw unreadable(file, error);
      });
      const text = bytesRead === 0 ? decoder.end() : decoder.write(bytes.subarray(0, bytesRead));
      const wrong = done === 0 ? encodingProblem(text) : null;
      if (wrong !== null) throw new DataError(`${file}: ${wrong}`);
      if (text.includes(NOT_DECODED)) throw new DataError(`${file}: is not UTF-8 text; save it as UTF-8`);
      isGoingOn = onPiece(done === 0 && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text) && bytesRead > 0;
      done += bytesRead;
      if (bytesRead > 0) report?.({ label: "reading lists", done, total: Math.max(total, done), unit: "bytes" });
    }
  } finally {
    await handle.close();
  }
}

function unreadable(file: string, error: unknown): DataError {
  const what = isMissing(error) ? "there is no such list" : `cannot be read (${reasonOf(error)})`;
  return new DataError(`${file}: ${what}; check the path`, { cause: error });
}

/** Lines of a text that comes in pieces. */
class LineSplitter {
  readonly #file: string;
  readonly #onLine: OnLine;
  #rest = "";
  #line = 0;

  constructor(file: string, onLine: OnLine) {
    this.#file = file;
    this.#onLine = onLine;
  }

  push(piece: string): void {
    const text = this.#rest + piece;
    const end = text.endsWith("\r") ? text.length - 1 : text.length; // an LF may follow in the next piece
    const lines = splitLines(end < text.length ? text.slice(0, end) : text);
    const last = lines.length - 1;
    for (let i = 0; i < last; i++) this.#give(lines[i] ?? "");
    this.#rest = (lines[last] ?? "") + text.slice(end);
    this.#requireShort(this.#rest, this.#line + 1);
  }

  end(): void {
    const text = this.#rest.endsWith("\r") ? this.#rest.slice(0, -1) : this.#rest;
    if (this.#rest !== "") this.#give(text);
  }

  #give(text: string): void {
    this.#line++;
    this.#requireShort(text, this.#line);
    this.#onLine(text, this.#line);
  }

  #requireShort(text: string, line: number): void {
    const mayBeLong = 3 * text.length > MAX_LINE_BYTES; // three bytes are the most of one UTF-16 unit
    if (mayBeLong && Buffer.byteLength(text) > MAX_LINE_BYTES) throw tooLong(this.#file, line);
  }
}

export function tooLong(file: string, line: number): DataError {
  return new DataError(`${file}:${line}: more than ${MAX_LINE_BYTES} bytes are too many for a line of a list; is it an image, or a list without line ends?`); // prettier-ignore
}

/** Lines of a text, without their ends. */
export function splitLines(text: string): string[] {
  return text.includes("\r") ? text.split(/\r\n|[\r\n]/) : text.split("\n");
}
