import { normalizePath } from "./imagePath.js";
import { parseTabRows, readListText } from "./listRows.js";
import { count, isMissing, problemsError } from "./problems.js";

/**
 * The deviations of the opinion scores by normalized path, from a database's `<name>_all.txt` as published
 * (tab-separated: path, MOS, deviation). Empty where there is no such file.
 *
 * @throws {DataError} listing every line that is not so
 */
export async function readDeviations(file: string): Promise<ReadonlyMap<string, number>> {
  const deviations = new Map<string, number>();
  const problems: string[] = [];
  for (const { line, cells } of parseTabRows(await textOrNothing(file), file)) {
    const [image, , deviation] = cells;
    const value = deviation === undefined || deviation === "" ? NaN : Number(deviation);
    if (image === undefined || cells.length !== 3 || !(value >= 0 && value < Infinity)) {
      problems.push(`${file}:${line}: expected path, mos and its deviation, got ${JSON.stringify(cells.join("\t"))}`);
    } else deviations.set(normalizePath(image), value);
  }
  if (problems.length === 0) return deviations;
  throw problemsError(`${file}: ${count(problems.length, "problem")}; correct them, or remove the file`, problems);
}

async function textOrNothing(file: string): Promise<string> {
  try {
    return await readListText(file);
  } catch (error) {
    if (error instanceof Error && isMissing(error.cause)) return "";
    throw error;
  }
}
