import type { Subset } from "../sample.js";

export interface KnownDatabase {
  readonly title: string;
  /** Relative to the root, as in the LIQE release. */
  readonly folder: string;
  readonly images: number;
  /** Lowest and highest score that its scale has, higher is better in every list. */
  readonly mosRange: readonly [number, number];
  /** Where its makers publish it. */
  readonly address: string;
  /** The distortion type that an image's path tells; null where it tells none. */
  readonly typeOfPath: (image: string) => string | null;
}

/** An image of a database with what its makers say of it. */
export interface SourceImage {
  /** Relative to the database's folder, with `/`. */
  readonly image: string;
  /** Higher is better. */
  readonly mos: number;
  readonly mosStd: number | null;
  /** A class or type of LIQE's table; null where the makers tell none. */
  readonly distortion: string | null;
  /** Of LIQE's table; three at most. */
  readonly scenes: readonly string[];
  /** The photograph, prompt or scene that it is a version of; its own name where there is no other. */
  readonly content: string;
}

/** What a database's own files hold. */
export interface SourceFiles {
  readonly images: readonly SourceImage[];
  /** The files that were read, relative to the database's folder. */
  readonly files: readonly string[];
  /** Where the scores come from, and whether and how they were turned: a sentence for people. */
  readonly scores: string;
  readonly distortions: string;
  readonly scenes: string;
  readonly contents: string;
  /** The makers' own split, where it was asked for. */
  readonly official?: ReadonlyMap<string, Subset>;
}

interface SourceOptions {
  /** Asks for the makers' own split. */
  readonly isOfficial: boolean;
}

/**
 * Reads what a database's makers publish from its folder.
 *
 * @throws {DataError} where a file is missing or of another form than expected, or images are missing
 */
export type ReadSource = (folder: string, options: SourceOptions) => Promise<SourceFiles>;

export const NO_SCENES = "none: their makers publish no scene labels in LIQE's terms";
export const OWN_CONTENTS = "each image is one of its own";

/**
 * Difference scores (DMOS, lower is better) turned into scores of which higher is better: `best - dmos`. Lists hold
 * those alone, so a distribution's reader calls this once and nothing after it turns a score.
 *
 * @param best  what a picture with DMOS 0 becomes
 */
export function dmosToMos(dmos: number, best: number): number {
  return best - dmos;
}
