import type { Random } from "../../base/random.js";
import type { Image } from "../../model/preprocess/image.js";
import { gaussianBlur, lensBlur, motionBlur, shiftGreen } from "./kinds/blur.js";
import { desaturate, diffuseColor, oversaturate } from "./kinds/color.js";
import { jpeg, jpeg2000 } from "./kinds/compression.js";
import { denoisedNoise, impulseNoise, multiplicativeNoise, whiteNoise, whiteNoiseInColor } from "./kinds/noise.js";
import { quantizeColors, quantizeSamples } from "./kinds/quantization.js";
import { colorBlocks, jitter, misplacePatches, pixelate } from "./kinds/spatial.js";
import { brighten, changeContrast, darken, sharpen, shiftMean } from "./kinds/tone.js";
import type { SyntheticType } from "./types.js";
import { betweenLevels, byLevel, type ByLevel, type Level } from "./types.js";

export { SYNTHETIC_TYPES, type SyntheticType } from "./types.js";

interface Recipe {
  readonly apply: (image: Image, strength: number, random: Random) => Image | Promise<Image>;
  /** What `apply` is given at each level, in the unit that it documents. */
  readonly strength: ByLevel;
  /** What the strength must be; a level between two whole ones is rounded to it. */
  readonly isWhole?: true;
  /** The mean opinion, 1 (bad) to 5 (imperceptible), that viewers of KADID-10k had of this type at this strength. */
  readonly opinion: ByLevel;
}

/**
 * The 25 types of KADID-10k (Lin, Hosu, Saupe, QoMEX 2019) under the names of LIQE's lists.
 *
 * Strengths are those of KADID's published code (`imdist_generator.m`) except where its level 1 is the untouched
 * picture or its levels do not run from weak to strong (gaussian blur, motion, oversaturation, desaturation, shifting
 * the mean, contrast): there they were chosen anew. Opinions are the means over the 81 pictures of each type and level in
 * KADID's published scores, rounded to 0.05; where the strength differs they are read off between the neighbours, or
 * a little beyond them, and "shifting the mean" and "contrast" above 0.15 and 2 are continued in a straight line.
 * In LIQE's lists "oversaturation" and "desaturation" stand for KADID's types 7 and 8, which are the other way round;
 * here each name means what it says.
 */
const RECIPES: Readonly<Record<SyntheticType, Recipe>> = {
  "gaussian blur": {
    apply: gaussianBlur,
    strength: byLevel(0.5, 1, 2, 3, 5),
    opinion: byLevel(4.4, 2.9, 1.85, 1.6, 1.3),
  },
  lens: { apply: lensBlur, strength: byLevel(1, 2, 4, 6, 8), opinion: byLevel(3.85, 2.65, 1.75, 1.45, 1.3) },
  motion: { apply: motionBlur, strength: byLevel(2, 4, 6, 8, 10), opinion: byLevel(4.1, 2.85, 2.15, 1.9, 1.65) },
  shifting: { apply: shiftGreen, strength: byLevel(1, 3, 6, 8, 12), opinion: byLevel(4.2, 2.5, 1.95, 1.9, 1.85) },
  diffusion: { apply: diffuseColor, strength: byLevel(1, 3, 6, 8, 12), opinion: byLevel(4.5, 2.6, 1.75, 1.6, 1.35) },
  oversaturation: {
    apply: oversaturate,
    strength: byLevel(1.5, 2, 3, 6, 9),
    opinion: byLevel(3.95, 3.3, 2.65, 1.8, 1.5),
  },
  desaturation: {
    apply: desaturate,
    strength: byLevel(0.6, 0.4, 0.2, 0, -0.4),
    opinion: byLevel(3.1, 2.75, 2.35, 2.25, 2),
  },
  "color quantization": {
    apply: quantizeColors,
    isWhole: true,
    strength: byLevel(64, 48, 32, 16, 8),
    opinion: byLevel(4.1, 3.95, 3.7, 3.2, 2.4),
  },
  quantization: {
    apply: quantizeSamples,
    isWhole: true,
    strength: byLevel(20, 16, 13, 10, 7),
    opinion: byLevel(4.15, 3.9, 3.65, 3.35, 2.8),
  },
  "jpeg2000 compression": {
    apply: jpeg2000,
    isWhole: true,
    strength: byLevel(16, 32, 45, 120, 400),
    opinion: byLevel(4.55, 4.2, 3.85, 2.4, 1.4),
  },
  "jpeg compression": {
    apply: jpeg,
    isWhole: true,
    strength: byLevel(43, 36, 24, 7, 4),
    opinion: byLevel(4.35, 4.25, 3.85, 1.95, 1.35),
  },
  "white noise": {
    apply: whiteNoise,
    strength: byLevel(0.001, 0.002, 0.003, 0.005, 0.01),
    opinion: byLevel(3.9, 3.4, 3.05, 2.7, 2.3),
  },
  "white with color": {
    apply: whiteNoiseInColor,
    strength: byLevel(0.0001, 0.0005, 0.001, 0.002, 0.003),
    opinion: byLevel(4.45, 3.7, 3.15, 2.7, 2.4),
  },
  impulse: {
    apply: impulseNoise,
    strength: byLevel(0.001, 0.005, 0.01, 0.02, 0.03),
    opinion: byLevel(3.6, 2.95, 2.65, 2.3, 2.15),
  },
  multiplicative: {
    apply: multiplicativeNoise,
    strength: byLevel(0.001, 0.005, 0.01, 0.02, 0.05),
    opinion: byLevel(4.4, 3.55, 3.1, 2.65, 2.1),
  },
  "white noise with denoise": {
    apply: denoisedNoise,
    strength: byLevel(0.01, 0.03, 0.05, 0.1, 0.15),
    opinion: byLevel(3.65, 2.7, 2.2, 1.65, 1.45),
  },
  brighten: { apply: brighten, strength: byLevel(0.1, 0.2, 0.4, 0.7, 1.1), opinion: byLevel(4.5, 4.3, 3.6, 2.7, 1.8) },
  darken: { apply: darken, strength: byLevel(0.05, 0.1, 0.2, 0.4, 0.8), opinion: byLevel(4.6, 4.5, 4.25, 3.5, 2.2) },
  "shifting the mean": {
    apply: shiftMean,
    strength: byLevel(0.08, 0.15, 0.22, 0.29, 0.36),
    opinion: byLevel(4.45, 4.05, 3.65, 3.25, 2.85),
  },
  jitter: { apply: jitter, strength: byLevel(0.05, 0.1, 0.2, 0.5, 1), opinion: byLevel(4.4, 4.1, 3.25, 1.85, 1.35) },
  "noneccentricity patch": {
    apply: misplacePatches,
    isWhole: true,
    strength: byLevel(20, 40, 60, 80, 100),
    opinion: byLevel(4.35, 3.95, 3.75, 3.45, 3.25),
  },
  pixelate: {
    apply: pixelate,
    strength: byLevel(0.01, 0.05, 0.1, 0.2, 0.5),
    opinion: byLevel(3.9, 3.1, 2.9, 2.8, 1.5),
  },
  "color blocking": {
    apply: colorBlocks,
    isWhole: true,
    strength: byLevel(2, 4, 6, 8, 10),
    opinion: byLevel(2.7, 2.35, 2.3, 2.1, 2.05),
  },
  sharpness: { apply: sharpen, strength: byLevel(1, 2, 3, 6, 12), opinion: byLevel(3.55, 2.65, 2.15, 1.6, 1.35) },
  contrast: {
    apply: changeContrast,
    strength: byLevel(1.3, 1.6, 2, 2.6, 3.4),
    opinion: byLevel(4.1, 3.7, 3.3, 2.7, 2.1),
  },
};

/**
 * One distorted picture; the same arguments give the same pixels.
 *
 * Levels of one type differ in strength alone when given equal generators: the same grains, direction or places.
 *
 * @param image   at least 64 pixels a side, borrowed
 * @param level   1 to 5; between whole levels the strength is, too
 * @param random  used up; what it decides is named at each type
 */
export async function distort(image: Image, type: SyntheticType, level: number, random: Random): Promise<Image> {
  return RECIPES[type].apply(image, strengthOf(type, level), random);
}

/** What a type's function is given at a level, whole or between, in the unit that it documents. */
function strengthOf(type: SyntheticType, level: number): number {
  const { strength, isWhole } = RECIPES[type];
  const value = betweenLevels(strength, level);
  return isWhole ? Math.round(value) : value;
}

/** The mean opinion of KADID-10k's viewers, 1 to 5. */
export function opinionOf(type: SyntheticType, level: Level): number {
  return RECIPES[type].opinion[level];
}
