import { isMissing } from "../../base/files.js";
import { plural, problemsError } from "../../base/text.js";
import { normalizePath, type PublishedScores } from "./entries.js";
import { readTabRows } from "./rows.js";

/** Reads a published `<name>_all.txt`; empty where it is missing. @throws {DataError} listing lines of another form */
export async function readPublishedScores(file: string): Promise<PublishedScores> {
  const scores = new Map<string, { mos: number; deviation: number }>();
  const problems: string[] = [];
  await readTabRows(file, ({ line, cells }) => {
    const [image, mos, deviation] = cells;
    const value = deviation === undefined || deviation === "" ? NaN : Number(deviation);
    if (image === undefined || cells.length !== 3 || !(value >= 0 && value < Infinity)) {
      problems.push(`${file}:${line}: expected path, mos and its deviation, got ${JSON.stringify(cells.join("\t"))}`);
    } else scores.set(normalizePath(image), { mos: Number(mos), deviation: value });
  }).catch((error: unknown) => {
    if (!(error instanceof Error && isMissing(error.cause))) throw error;
  });
  if (problems.length === 0) return scores;
  throw problemsError(`${file}: ${plural(problems.length, "problem")}; correct them, or remove the file`, problems);
}
