import { packageVersion } from "../base/packageInfo.js";
import {
  type SynthesisOptions,
  type SynthesisResult,
  synthesizeDatabase,
} from "../data/synthesis/synthesizeDatabase.js";
import { reporterOf, type WorkOptions } from "./work.js";

/** Options of `synthesize`: the photographs to distort and the database to make of them. */
export interface SynthesizeOptions
  extends Omit<SynthesisOptions, "seed" | "version" | "workers">, Pick<WorkOptions, "onProgress"> {
  /** Seed of all random choices; 1 by default. */
  readonly seed?: number | undefined;
}

/**
 * Makes a database of distorted photographs with proxy scores, in the published layout.
 * @throws {@link ConfigError}, {@link DataError} where settings or photographs cannot be used
 * @example
 * ```ts
 * import { synthesize } from "liqe-train";
 *
 * const made = await synthesize({ photos: "photos", out: "IQA_Database/distorted", levels: 1, perContent: 5 });
 * console.log(made.status, made.images);
 * ```
 */
export async function synthesize(options: SynthesizeOptions): Promise<SynthesisResult> {
  const { onProgress, seed = 1, ...settings } = options;
  return synthesizeDatabase({ ...settings, seed, version: packageVersion() }, reporterOf({ onProgress }));
}
