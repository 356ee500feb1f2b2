import { readFile } from "node:fs/promises";
import { z } from "zod";
import { DataError } from "../../base/errors.js";

const measure = z.object({ value: z.number().nullable() });

/** The part of `results.json` that is read again; see `Results` for the whole. */
const SavedResults = z.object({
  protocol: z.string(),
  protocolVersion: z.int(),
  crops: z.int(),
  databases: z
    .array(
      z.object({
        name: z.string(),
        split: z.int().nullable(),
        srcc: measure,
        plcc: measure,
        krcc: measure,
        rmse: measure,
        sceneAccuracy: measure,
        distortionAccuracy: measure,
      }),
    )
    .readonly(),
});
export type SavedResults = Readonly<z.output<typeof SavedResults>>;

/** @throws {DataError} where the file cannot be read, or is not what `liqe evaluate` writes */
export async function readResults(file: string): Promise<SavedResults> {
  const again = "evaluate that split again: liqe evaluate --checkpoint";
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new DataError(`${file}: cannot be read as JSON; ${again}`, { cause: error });
  }
  const parsed = SavedResults.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new DataError(`${file}: ${problems.join("; ")}; ${again}`);
}
