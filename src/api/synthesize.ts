import { packageVersion } from "../base/packageInfo.js";
import { type SynthesisResult, synthesizeDatabase } from "../data/synthesis/synthesizeDatabase.js";
import { reporterOf, type WorkOptions } from "./work.js";

/** Options of `synthesize`: the photographs to distort and the database to make of them. */
export interface SynthesizeOptions extends Pick<WorkOptions, "onProgress"> {
  /** Folder of undistorted photographs, three at least, 224 pixels a side or more. */
  readonly photos: string;
  /** Scenes of the photographs: a tab-separated file of path, scene1, scene2, scene3. */
  readonly scenes?: string | undefined;
  /** Folder of the database. */
  readonly out: string;
  /** Seed of all random choices; 1 by default. */
  readonly seed?: number | undefined;
  /** Number of the photographs; all by default. */
  readonly contents?: number | undefined;
  /** Levels of each type of distortion, 1 to 5; 5 by default. */
  readonly levels?: number | undefined;
  /** Number of splits by content; 10 by default. */
  readonly splits?: number | undefined;
  /** Number of images of each photograph; by default all, 25 types by `levels`. */
  readonly perContent?: number | undefined;
  /** Aborted: unfinished work is removed. */
  readonly signal?: AbortSignal;
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
  const { photos, scenes, out, seed = 1, contents, levels, splits, perContent, signal } = options;
  const settings = { photos, scenes, out, seed, contents, levels, splits, perContent, version: packageVersion() };
  return synthesizeDatabase({ ...settings, ...(signal && { signal }) }, reporterOf(options).progress);
}
