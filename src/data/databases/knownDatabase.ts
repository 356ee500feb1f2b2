import path from "node:path";
import type { Subset } from "../sample.js";

/** All that is known of a published database: one file of this folder each, and a row in `registry.ts`. */
export interface KnownDatabase {
  /** Name in configs, and the beginning of its lists' file names. */
  readonly name: string;
  /** Words by which files and folders of other projects name it. */
  readonly words: RegExp;
  readonly title: string;
  /** Folder below the root, as in the LIQE release. */
  readonly folder: string;
  readonly images: number;
  /** Lowest and highest score of its scale; in every list a higher one is better. */
  readonly mosRange: readonly [number, number];
  readonly address: string;
  /**
   * Opinions behind each score, on average, by the makers' paper; absent where it is not known, or where the published
   * deviations are those of the scores already and not of single opinions.
   */
  readonly opinions?: number;
  /** Distortion type that an image's path tells, or null. */
  readonly typeOfPath?: (image: string) => string | null;
  /** Paths whose first group names the photograph that an image is a version of. */
  readonly contentPattern?: RegExp;
  /** Paths whose first group is everything before the distortion level, the second the level, 1 the weakest. */
  readonly levelPattern?: RegExp;
  /** Figures of LIQE (CVPR 2023, table 2): joint training on its six databases, means over ten splits. */
  readonly published?: { readonly srcc: number; readonly plcc: number };
  /** LIQE's SRCC over all images, by the one database that the model was trained on. */
  readonly publishedAcross?: Readonly<Record<string, number>>;
  /** Reads the makers' files. @throws {DataError} where a file is missing or of another form, or images are missing */
  readonly readSource: (folder: string, options: { readonly isOfficial: boolean }) => Promise<SourceFiles>;
}

export interface SourceFiles {
  readonly images: readonly SourceImage[];
  /** Rows of the makers' files that name no image or no score, each with its place; none by default. */
  readonly leftOut?: readonly string[];
  /** Files that were read, relative to the database's folder. */
  readonly files: readonly string[];
  /** Sentence for people: the source of the scores, and how they were turned if so. */
  readonly scores: string;
  /** Sentences on the sources of the labels and contents; by default there are none. */
  readonly distortions?: string;
  readonly scenes?: string;
  readonly contents?: string;
  /** The makers' own split by image, where it was asked for. */
  readonly official?: ReadonlyMap<string, Subset>;
}

/** Image of a database with what its makers say of it; a higher score is better. */
interface SourceImage {
  /** Path relative to the database's folder, with `/`. */
  readonly image: string;
  readonly mos: number;
  readonly mosStd: number | null;
  /** Class or type of LIQE's table; by default none. */
  readonly distortion?: string | null;
  /** Scenes of LIQE's table, three at most; by default none. */
  readonly scenes?: readonly string[];
  /** Photograph, prompt or scene that the image is a version of; by default its own path. */
  readonly content?: string;
}

/** Score of a DMOS, lower is better; readers of databases alone call it. @param best  score of a picture with DMOS 0 */
export function dmosToMos(dmos: number, best: number): number {
  return best - dmos;
}

/** Reader of types from paths, for databases that keep each type in a folder of its own. */
export function typesByFolder(
  folders: readonly { readonly folder: string; readonly type: string }[],
): (image: string) => string | null {
  const types = new Map(folders.map(({ folder, type }) => [folder, type]));
  return (image) => types.get(path.posix.dirname(image)) ?? null;
}

/** Groups of a pattern in a path, in upper case where the pattern ignores case; empty where it does not match. */
export function pathGroups(pattern: RegExp, image: string): string[] {
  const [, ...groups] = pattern.exec(image) ?? [];
  return pattern.ignoreCase ? groups.map((group) => group.toUpperCase()) : groups; // TID2013 has both I01 and i01
}
