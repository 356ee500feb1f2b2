import { DataError } from "../../../base/errors.js";
import { reasonOf } from "../../../base/text.js";

/** Item of a JSON array, or line of JSON lines, with the line that it begins in. */
export interface JsonItem {
  readonly line: number;
  readonly value: unknown;
}

/** Strings, signs, line ends, and whatever else a value is. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[[\]{}:,\n]|[^\s"[\]{}:,]+/g;

/**
 * Reads a JSON text and the lines that the members of its outermost array or object begin in.
 * @throws {DataError} with the place where it ends early or is none, and where an object has a key twice
 */
export function parseJson(text: string, file: string): { value: unknown; lines: readonly number[] } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DataError(
      `${file}:${errorLine(text, error)}: is no whole JSON (${reasonOf(error)}); get the file again`,
      {
        cause: error,
      },
    );
  }
  return { value, lines: memberLines(text, file) };
}

/** Line at which a text stops being JSON: the parser's position, else the last line. */
function errorLine(text: string, error: unknown): number {
  const [, position] = /at position (\d+)/.exec(String(error)) ?? [];
  const before = position === undefined ? text.trimEnd() : text.slice(0, Number(position));
  return before.split("\n").length;
}

/** Lines of the outermost members. @throws {DataError} naming the key that an object has twice */
function memberLines(text: string, file: string): number[] {
  const lines: number[] = [];
  const open: (Set<string> | null)[] = []; // keys of each open object; null for an array
  let line = 1;
  let isKey = false;
  let mayBegin = false;
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === "\n") {
      line++;
      continue;
    }
    if (mayBegin) lines.push(line);
    mayBegin = false;
    if (token === "{" || token === "[") {
      open.push(token === "{" ? new Set() : null);
      isKey = token === "{";
      if (open.length === 1) mayBegin = true;
    } else if (token === "}" || token === "]") {
      open.pop();
      isKey = false;
    } else if (token === ",") {
      isKey = open.at(-1) instanceof Set;
      if (open.length === 1) mayBegin = true;
    } else if (token === ":") isKey = false;
    else if (isKey) {
      const keys = open.at(-1);
      if (keys?.has(token) === true) {
        throw new DataError(
          `${file}:${line}: has the key ${token} twice in one object; which value is right? Keep one`,
        );
      }
      keys?.add(token);
    }
  }
  return lines;
}

/** Item of a line of JSON lines; null where it is blank. @throws {DataError} naming a line that is none */
export function parseJsonLine(text: string, line: number, file: string): JsonItem | null {
  if (text.trim() === "") return null;
  try {
    const value: unknown = JSON.parse(text);
    memberLines(text, file);
    return { line, value };
  } catch (error) {
    const reason =
      error instanceof DataError ? error.message.replace(/^.*?:1: /, "") : `is no whole JSON (${reasonOf(error)})`;
    throw new DataError(`${file}:${line}: ${reason}`, { cause: error });
  }
}
