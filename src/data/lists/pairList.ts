import { DataError } from "../../base/errors.js";
import { plural, problemsError } from "../../base/text.js";
import { normalizePath, pathProblem } from "./entries.js";
import { isNumeric } from "./formats/table.js";
import { readCommaRows, type Row } from "./rows.js";

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
  const pairs: ListedPair[] = [];
  const problems: string[] = [];
  let places: readonly number[] = []; // none before the header
  await readCommaRows(file, (row) => {
    if (places.length === 0) places = placesOf(row, file);
    else pairs.push(pairOf(row, places, { file, problems }));
  });
  if (places.length === 0) throw missingColumns(file, COLUMNS);
  if (pairs.length === 0) throw new DataError(`${file}: holds no pair; a line a,b,p for each is needed`);
  if (problems.length > 0) throw problemsError(`${file}: ${plural(problems.length, "problem")}`, problems);
  return pairs;
}

/** @throws {DataError} where a header lacks a column of pairs */
function placesOf({ cells }: Row, file: string): number[] {
  const missing = COLUMNS.filter((name) => !cells.includes(name));
  if (missing.length > 0) throw missingColumns(file, missing);
  return COLUMNS.map((name) => cells.indexOf(name));
}

function missingColumns(file: string, missing: readonly string[]): DataError {
  return new DataError(`${file}:1: has no column ${missing.join(", ")}; a list of pairs begins with a,b,p`);
}

function pairOf(
  { line, cells }: Row,
  places: readonly number[],
  { file, problems }: { readonly file: string; readonly problems: string[] },
): ListedPair {
  const [a = "", b = "", p = ""] = places.map((place) => cells[place] ?? "");
  const share = isNumeric(p) ? Number(p) : NaN;
  const wrong =
    pathProblem(a) ??
    pathProblem(b) ??
    (normalizePath(a) === normalizePath(b) ? `${a} is paired with itself; leave the line out` : null);
  if (wrong !== null) problems.push(`${file}:${line}: ${wrong}`);
  if (!(share >= 0 && share <= 1))
    problems.push(`${file}:${line}: p must be a share from 0 to 1 of those who prefer a, got ${JSON.stringify(p)}`);
  return { line, a, b, p: share };
}
