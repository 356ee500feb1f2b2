import { packageVersion } from "../base/packageInfo.js";
import { type SynthesisResult, synthesizeDatabase } from "../data/synthesis/synthesizeDatabase.js";
import { reporterOf, type WorkOptions } from "./work.js";

/** Photographs to distort, and the database to make of them. */
export interface SynthesizeOptions extends Pick<WorkOptions, "onProgress"> {
  /** Folder of undistorted photographs. */
  readonly photos: string;
  /** Their scenes: a tab-separated file of path, scene1, scene2, scene3. */
  readonly scenes?: string | undefined;
  /** Folder of the database. */
  readonly out: string;
  /** Seed of all that is random; 1 by default. */
  readonly seed?: number | undefined;
  /** Number of the photographs; all by default. */
  readonly contents?: number | undefined;
  /** Levels of each type of distortion, 1 to 5; 5 by default. */
  readonly levels?: number | undefined;
  /** Splits by content; 10 by default. */
  readonly splits?: number | undefined;
  /** Images of each photograph; all of them by default. */
  readonly perContent?: number | undefined;
  readonly signal?: AbortSignal;
}

/**
 * Makes a database of distorted photographs with proxy scores, in the published layout.
 *
 * @throws {ConfigError} {DataError} where settings or photographs cannot be used
 */
export async function synthesize(options: SynthesizeOptions): Promise<SynthesisResult> {
  const { photos, scenes, out, seed = 1, contents, levels, splits, perContent, signal } = options;
  const settings = { photos, scenes, out, seed, contents, levels, splits, perContent, version: packageVersion() };
  return synthesizeDatabase({ ...settings, ...(signal && { signal }) }, reporterOf(options).progress);
}
