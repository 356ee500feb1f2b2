import type { Random } from "../../base/random.js";
import type { Image } from "../../model/preprocess/image.js";
import { BLURS } from "./kinds/blur.js";
import { COLOR_CHANGES } from "./kinds/color.js";
import { COMPRESSIONS } from "./kinds/compression.js";
import { NOISES } from "./kinds/noise.js";
import { QUANTIZATIONS } from "./kinds/quantization.js";
import { SPATIAL_CHANGES } from "./kinds/spatial.js";
import { TONES } from "./kinds/tone.js";
import { betweenLevels, type Level, type RecipeTable, type SyntheticType } from "./types.js";

/**
 * The 25 types of KADID-10k (Lin, Hosu, Saupe, QoMEX 2019) under the names of LIQE's lists.
 * Strengths are those of KADID's published code (`imdist_generator.m`) except where its level 1 is the untouched
 * picture or its levels do not run from weak to strong (gaussian blur, motion, oversaturation, desaturation, shifting
 * the mean, contrast): there they were chosen anew. Opinions are the means over the 81 pictures of each type and level
 * in KADID's published scores, rounded to 0.05; where the strength differs they are read off between the neighbors, or
 * a little beyond them, and "shifting the mean" and "contrast" above 0.15 and 2 are continued in a straight line. LIQE's
 * lists have "oversaturation" and "desaturation" the other way round (KADID's types 7 and 8); here names mean what they say.
 */
const RECIPES: Required<RecipeTable> = {
  ...BLURS,
  ...COLOR_CHANGES,
  ...COMPRESSIONS,
  ...NOISES,
  ...QUANTIZATIONS,
  ...SPATIAL_CHANGES,
  ...TONES,
};

/**
 * Distorts a picture; the same arguments give the same pixels. With equal generators, levels of one type differ in
 * strength alone: the same grains, direction or places.
 * @param image   at least 64 pixels a side, borrowed
 * @param level   1 to 5, also between whole ones
 * @param random  used up; each type's function documents what it decides
 */
export async function distort(
  image: Image,
  { type, level }: { readonly type: SyntheticType; readonly level: number },
  random: Random,
): Promise<Image> {
  const { apply, strength } = RECIPES[type];
  return apply(image, betweenLevels(strength, level), random);
}

/** Mean opinion of KADID-10k's viewers, 1 to 5. */
export function opinionOf(type: SyntheticType, level: Level): number {
  return RECIPES[type].mos[level - 1] ?? NaN;
}
