import type { Random } from "../../base/random.js";
import type { Image } from "../../model/preprocess/image.js";

/** The 25 types of KADID-10k under the names of LIQE's lists, in a fixed order: equal seeds give equal choices. */
export const SYNTHETIC_TYPES = [
  "gaussian blur",
  "lens",
  "motion",
  "shifting",
  "diffusion",
  "oversaturation",
  "desaturation",
  "color quantization",
  "quantization",
  "jpeg2000 compression",
  "jpeg compression",
  "white noise",
  "white with color",
  "impulse",
  "multiplicative",
  "white noise with denoise",
  "brighten",
  "darken",
  "shifting the mean",
  "jitter",
  "noneccentricity patch",
  "pixelate",
  "color blocking",
  "sharpness",
  "contrast",
] as const;
export type SyntheticType = (typeof SYNTHETIC_TYPES)[number];

/** Levels of a distortion: 1 hardly visible to 5 severe, as in KADID-10k. */
export const LEVELS = [1, 2, 3, 4, 5] as const;
export type Level = (typeof LEVELS)[number];

interface Recipe {
  readonly apply: (image: Image, strength: number, random: Random) => Image | Promise<Image>;
  /** Strength at each level, in the unit that `apply` documents. */
  readonly strength: ByLevel;
  /** Mean opinion of KADID-10k's viewers at this strength, 1 (bad) to 5 (imperceptible). */
  readonly mos: ByLevel;
}

/** Recipes of one kind of distortion, by type. */
export type RecipeTable = Readonly<Partial<Record<SyntheticType, Recipe>>>;

/** Numbers of the five levels, weakest first. */
type ByLevel = readonly [number, number, number, number, number];

/** Straight line between the numbers of two neighboring levels. @throws {RangeError} outside of 1 to 5 */
export function betweenLevels(numbers: ByLevel, level: number): number {
  if (!(level >= 1 && level <= LEVELS.length)) {
    throw new RangeError(`distort: level must be from 1 to ${LEVELS.length}, got ${level}`);
  }
  const [below = NaN, above = below] = numbers.slice(Math.floor(level) - 1);
  return below + (level % 1) * (above - below);
}
