import { DataError } from "./errors.js";

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
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** A caught error in a few words of one line: the system's own where it has some. */
export function explain(error: unknown): string {
  const [line = ""] = (error instanceof Error ? error.message : String(error)).trim().split("\n");
  return line === "" ? "no reason given" : line;
}

/** Whether a caught error says that there is no such file. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
