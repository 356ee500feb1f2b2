import { DataError } from "./errors.js";

/** "Did you mean ...?": the known name that a mistyped one is closest to. */

/** Of a name's letters, the part that may be wrong before a suggestion would mislead. */
const MOST_WRONG = 0.5;

/** The known name nearest to `given`, or undefined where none is near. */
export function nearestName(given: string, known: readonly string[]): string | undefined {
  const scored = known.map((name) => ({ name, edits: editDistance(given.toLowerCase(), name.toLowerCase()) }));
  const best = scored.sort((a, b) => a.edits - b.edits)[0];
  return best !== undefined && best.edits <= MOST_WRONG * Math.max(given.length, best.name.length)
    ? best.name
    : undefined;
}

/** `; did you mean "x"?` or nothing, to end a sentence with. */
export function didYouMean(given: string, known: readonly string[]): string {
  const nearest = nearestName(given, known);
  return nearest === undefined ? "" : `; did you mean "${nearest}"?`;
}

/** Insertions, deletions, replacements and swaps of neighbours from `a` to `b` (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  const row = (i: number): number[] => Array.from({ length: b.length + 1 }, (_, j) => (i === 0 ? j : j === 0 ? i : 0));
  let [beforeLast, last] = [row(0), row(0)];
  for (let i = 1; i <= a.length; i++) {
    const current = row(i);
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? at(beforeLast, j - 2) + 1 : Infinity;
      current[j] = Math.min(at(last, j) + 1, at(current, j - 1) + 1, replaced, swapped);
    }
    [beforeLast, last] = [last, current];
  }
  return at(last, b.length);
}

function at(row: readonly number[], j: number): number {
  return row[j] ?? Infinity;
}

/** One line of a CSV file; a field is quoted where RFC 4180 asks for it. */
export function csvRow(fields: readonly (string | number)[]): string {
  return `${fields.map(csvField).join(",")}\n`;
}

function csvField(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Rows of cells as lines of text in columns, without blanks at their ends.
 *
 * @param widths  of the columns; negative where cells are aligned to the right
 * @param gap     between two columns
 */
export function formatColumns(rows: readonly (readonly string[])[], widths: readonly number[], gap = ""): string[] {
  const padded = (cell: string, width: number) => (width < 0 ? cell.padStart(-width) : cell.padEnd(width));
  return rows.map((row) => row.map((cell, column) => padded(cell, widths[column] ?? 0)).join(gap).trimEnd()); // prettier-ignore
}

/** A long list of problems is cut here, and the rest counted. */
const SHOWN_PROBLEMS = 10;

/** One error for all problems of one input, the first few shown and the others counted. */
export function problemsError(heading: string, problems: readonly string[]): DataError {
  return new DataError(problemLines(heading, problems));
}

/** A heading, the first few problems and how many more there are, each in its line. */
export function problemLines(heading: string, problems: readonly string[], shown = SHOWN_PROBLEMS): string {
  const lines = problems.slice(0, shown).map((problem) => `  ${problem}`);
  const rest = problems.length - lines.length;
  if (rest > 0) lines.push(`  and ${rest} more`);
  return [heading, ...lines].join("\n");
}

/** "1 problem", "3 problems". */
export function plural(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** A caught error in a few words of one line: the system's own where it has some. */
export function reasonOf(error: unknown): string {
  const [line = ""] = (error instanceof Error ? error.message : String(error)).trim().split("\n");
  return line === "" ? "no reason given" : line;
}

/** Whether a caught error says that there is no such file. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
