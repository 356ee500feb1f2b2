import { DataError } from "../../base/errors.js";
import { plural, problemsError } from "../../base/text.js";
import { normalizePath, pathProblem } from "./entries.js";
import { isNumeric } from "./formats/table.js";
import { parseCommaRows, readListText } from "./rows.js";

/** Line of a list of pairs. */
export interface ListedPair {
  readonly line: number;
  readonly a: string;
  readonly b: string;
  /** Share of people who prefer a, 0 to 1. */
  readonly p: number;
}

/** Columns of a list of pairs; others are not looked at. */
export const COLUMNS = ["a", "b", "p"] as const;

/**
 * Reads a list of pairs: CSV whose header has `a`, `b` and `p`, the share of people who prefer image a.
 * @throws {DataError} listing every wrong line at once
 */
export async function readPairList(file: string): Promise<readonly ListedPair[]> {
  const [header, ...rows] = await parseCommaRows(await readListText(file), file);
  const missing = COLUMNS.filter((name) => header?.cells.includes(name) !== true);
  if (header === undefined || missing.length > 0)
    throw new DataError(`${file}:1: has no column ${missing.join(", ")}; a list of pairs begins with a,b,p`);
  if (rows.length === 0) throw new DataError(`${file}: holds no pair; a line a,b,p for each is needed`);
  const problems: string[] = [];
  const pairs = rows.map(({ line, cells }): ListedPair => {
    const [a = "", b = "", p = ""] = COLUMNS.map((name) => cells[header.cells.indexOf(name)] ?? "");
    const share = isNumeric(p) ? Number(p) : NaN;
    const wrong =
      pathProblem(a) ??
      pathProblem(b) ??
      (normalizePath(a) === normalizePath(b) ? `${a} is paired with itself; leave the line out` : null);
    if (wrong !== null) problems.push(`${file}:${line}: ${wrong}`);
    if (!(share >= 0 && share <= 1))
      problems.push(`${file}:${line}: p must be a share from 0 to 1 of those who prefer a, got ${JSON.stringify(p)}`);
    return { line, a, b, p: share };
  });
  if (problems.length > 0) throw problemsError(`${file}: ${plural(problems.length, "problem")}`, problems);
  return pairs;
}
