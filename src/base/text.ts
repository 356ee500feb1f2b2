import { DataError } from "./errors.js";
import type { TrainingReport } from "./types.js";

/** Share of a name's letters up to which another name is still suggested. */
const MOST_WRONG = 0.5;

/** `; did you mean "x"?`, to end a sentence with, or an empty string. */
export function didYouMean(given: string, known: readonly string[]): string {
  const nearest = nearestName(given, known);
  return nearest === undefined ? "" : `; did you mean "${nearest}"?`;
}

/** Known name with the fewest edits from `given`, unless more than `mostWrong` of the letters differ; any case. */
export function nearestName(given: string, known: readonly string[], mostWrong = MOST_WRONG): string | undefined {
  const scored = known.map((name) => ({ name, edits: editDistance(given.toLowerCase(), name.toLowerCase()) }));
  const best = scored.sort((a, b) => a.edits - b.edits)[0];
  return best !== undefined && best.edits <= mostWrong * Math.max(given.length, best.name.length)
    ? best.name
    : undefined;
}

/** Insertions, deletions, replacements and swaps of neighbors from `a` to `b` (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  const row = (i: number): number[] => Array.from({ length: b.length + 1 }, (_, j) => (i === 0 ? j : j === 0 ? i : 0));
  const at = (distances: readonly number[], j: number) => distances[j] ?? Infinity;
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

/** One line of a CSV file, fields quoted where RFC 4180 asks for it. */
export function csvRow(fields: readonly (string | number)[]): string {
  return `${fields.map(csvField).join(",")}\n`;
}

function csvField(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Rows of cells as lines of text in columns, without blanks at their ends.
 * @param widths  of the columns; negative where cells are aligned to the right
 * @param gap     between two columns
 */
export function formatColumns(rows: readonly (readonly string[])[], widths: readonly number[], gap = ""): string[] {
  const padded = (cell: string, width: number) => (width < 0 ? cell.padStart(-width) : cell.padEnd(width));
  return rows.map((row) => row.map((cell, column) => padded(cell, widths[column] ?? 0)).join(gap).trimEnd()); // prettier-ignore
}

/** Width of each of the first row's columns: that of its longest cell. */
export function columnWidths(rows: readonly (readonly string[])[]): number[] {
  return (rows[0] ?? []).map((_, column) => rows.reduce((most, row) => Math.max(most, row[column]?.length ?? 0), 0));
}

/** A terminal's usual width. */
export const TERMINAL_COLUMNS = 80;

/** Text in lines of at most `columns`, broken between words, the later ones indented; a longer word stays whole. */
export function wrapText(text: string, columns = TERMINAL_COLUMNS, indent = 2): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= columns) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(line === undefined ? word : `${" ".repeat(indent)}${word}`);
  }
  return lines.join("\n");
}

/**
 * Rows of cells in as many tables as a width asks for, one below the other, each with the first columns again.
 * @param rows     the heading first, as many cells as columns in each
 * @param keys     number of the columns that are repeated
 * @param columns  signs a line; a table of the repeated columns and one more may be wider
 */
export function foldColumns(rows: readonly (readonly string[])[], keys: number, columns: number): string {
  const gap = "  ";
  const widths = columnWidths(rows);
  const keyWidth = widths.slice(0, keys).reduce((sum, width) => sum + width, 0) + gap.length * (keys - 1);
  const groups: number[][] = [];
  let used = 0;
  for (let column = keys; column < widths.length; column++) {
    const wide = gap.length + (widths[column] ?? 0);
    if (groups.length === 0 || used + wide > columns) {
      groups.push([]);
      used = keyWidth;
    }
    groups.at(-1)?.push(column);
    used += wide;
  }
  const repeated = Array.from({ length: keys }, (_, column) => column);
  const tables = groups.map((group) => {
    const part = rows.map((row) => [...repeated, ...group].map((column) => row[column] ?? ""));
    return formatColumns(part, columnWidths(part), gap).join("\n");
  });
  return tables.join("\n\n");
}

/** Problems that a message lists; the others are counted. */
const SHOWN_PROBLEMS = 10;

/** One error for all problems of one input. */
export function problemsError(heading: string, problems: readonly string[]): DataError {
  return new DataError(problemLines(heading, problems));
}

/** A heading, the first few problems and the number of the others, a line each. */
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

/** First line of a caught error's message. */
export function reasonOf(error: unknown): string {
  const [line = ""] = (error instanceof Error ? error.message : String(error)).trim().split("\n");
  return line === "" ? "no reason given" : line;
}

/** Value of a JSON text; undefined where it is none, for a schema to refuse. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Text that holds what was no UTF-8 decodes to this. */
export const NOT_DECODED = "\uFFFD";

/** Problem of a text that was read as UTF-8 and is UTF-16, with what to do; null where it is not. */
export function encodingProblem(text: string): string | null {
  const isMarked = text.startsWith(NOT_DECODED + NOT_DECODED) && text.includes("\0");
  const isUtf16 = isMarked || /^(?:[^\0]\0){4}/.test(text) || /^(?:\0[^\0]){4}/.test(text);
  return isUtf16 ? "is UTF-16 text, as Windows' editors and PowerShell write it; save it as UTF-8" : null;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** 42 → "42 s", 150 → "2 min 30 s", 5400 → "1 h 30 min", 200,000 → "2 d 7 h". */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min ${whole % MINUTE} s`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} min`;
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`;
}

/** 1,234,567 → "1.2 MB", 2e9 → "2.0 GB"; decimal, as download pages count. */
export function formatBytes(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** Path that stands for a list of paths, one a line. No argument of a program can hold a NUL character. */
export const STANDARD_INPUT = "\0-";

/** Epoch of a step, as people count. */
export function epochOf({ epoch, epochs }: TrainingReport): string {
  return `epoch ${epoch} of ${epochs}`;
}

/** Details of a step, with the order in which they go where there is no room: time left stays the longest. */
function detailsOf({ step, stepsPerEpoch, loss, learningRate, ...speed }: TrainingReport) {
  return [
    { text: `step ${step}/${stepsPerEpoch}`, goes: 4 },
    { text: `loss ${loss.toFixed(4)}`, goes: 3 },
    { text: `rate ${learningRate.toExponential(1)}`, goes: 1 },
    { text: `${speed.imagesPerSecond.toFixed(1)} images/s`, goes: 2 },
    { text: `${formatDuration(speed.secondsLeft)} left`, goes: 5 },
  ];
}

/** Details that fit: a terminal would cut off the end, which is the time left. */
export function trainingDetails(report: TrainingReport, columns = Infinity): string {
  const details = detailsOf(report);
  const shorter = details.map((_, gone) => joined(details.filter(({ goes }) => goes > gone)));
  return shorter.find((line) => line.length <= columns) ?? "";
}

function joined(details: readonly { readonly text: string }[]): string {
  return details.map(({ text }) => text).join("  ");
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Escapes text between the tags and in the quoted attributes of HTML and SVG. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? "");
}
