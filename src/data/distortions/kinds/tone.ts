import type { Random } from "../../../base/random.js";
import type { Image } from "../../../model/preprocess/image.js";
import { luma, mapSamples, toImage } from "../field.js";
import type { RecipeTable } from "../types.js";
import { convolve, gaussianKernel } from "./convolve.js";

export const TONES = {
  brighten: { apply: brighten, strength: [0.1, 0.2, 0.4, 0.7, 1.1], mos: [4.5, 4.3, 3.6, 2.7, 1.8] },
  darken: { apply: darken, strength: [0.05, 0.1, 0.2, 0.4, 0.8], mos: [4.6, 4.5, 4.25, 3.5, 2.2] },
  "shifting the mean": {
    apply: shiftMean,
    strength: [0.08, 0.15, 0.22, 0.29, 0.36],
    mos: [4.45, 4.05, 3.65, 3.25, 2.85],
  },
  sharpness: { apply: sharpen, strength: [1, 2, 3, 6, 12], mos: [3.55, 2.65, 2.15, 1.6, 1.35] },
  contrast: { apply: changeContrast, strength: [1.3, 1.6, 2, 2.6, 3.4], mos: [4.1, 3.7, 3.3, 2.7, 2.1] },
} satisfies RecipeTable;

/** Standard deviation of the blur that is subtracted when sharpening, in pixels. */
const SHARPEN_SIGMA = 1;

/** Unsharp mask, far too much, as KADID-10k's "high sharpen": x + amount·(y − blurred y), y the luma. */
function sharpen(image: Image, amount: number): Image {
  const y = luma(image);
  const blurred = convolve(convolve(y, gaussianKernel(SHARPEN_SIGMA, "right")), gaussianKernel(SHARPEN_SIGMA, "down"));
  const values = new Float32Array(image.pixels.length);
  for (let i = 0, p = 0; i < y.values.length; i++, p += 3) {
    const detail = amount * ((y.values[i] ?? 0) - (blurred.values[i] ?? 0));
    for (let channel = p; channel < p + 3; channel++) values[channel] = (image.pixels[channel] ?? 0) + detail;
  }
  return toImage({ ...y, channels: 3, values });
}

/** Raises or lowers contrast about the mean luma, at random. @param factor above 1: the slope, or its inverse */
function changeContrast(image: Image, factor: number, random: Random): Image {
  const slope = random.uniform() < 0.5 ? factor : 1 / factor;
  const { values } = luma(image);
  const mean = values.reduce((sum, y) => sum + y, 0) / values.length;
  return mapSamples(image, (sample) => mean + slope * (sample - mean));
}

/** Lightens mid-tones, white and black fixed. @param amount twice the rise of mid-gray, on a scale of 0 to 1 */
function brighten(image: Image, amount: number): Image {
  return mapSamples(image, (sample) => toneCurve(sample, 0.5 + amount / 2));
}

/** Darkens mid-tones, white and black fixed. @param amount twice the fall of mid-gray, on a scale of 0 to 1 */
function darken(image: Image, amount: number): Image {
  return mapSamples(image, (sample) => toneCurve(sample, 0.5 - amount / 2));
}

/** Raises or lowers every sample by the same number, at random. @param amount on a scale of 0 to 1 */
function shiftMean(image: Image, amount: number, random: Random): Image {
  const step = 255 * amount * (random.uniform() < 0.5 ? -1 : 1);
  return mapSamples(image, (sample) => sample + step);
}

/**
 * Parabola through (0, 0), (½, middle) and (1, 1): KADID-10k's curve for both. It does so on the samples as here
 * and, for brightening, mixes in one third of the same curve on L*.
 */
function toneCurve(sample: number, middle: number): number {
  const x = sample / 255;
  return 255 * ((4 * middle - 1) * x + (2 - 4 * middle) * x * x);
}
