import type { Random } from "../../../base/random.js";
import type { Image } from "../../../model/preprocess/image.js";
import { luma, mapSamples, toImage } from "../field.js";
import { convolve } from "./convolve.js";
import { gaussianKernel } from "./kernels.js";

/** Standard deviation of the blur that is subtracted when sharpening, in pixels. */
const SHARPEN_SIGMA = 1;

/**
 * Sharpened far too much: x + amount·(y − blurred y), y the luma; halos and amplified grain.
 *
 * KADID-10k's "high sharpen" is the same unsharp mask with these amounts.
 */
export function sharpen(image: Image, amount: number): Image {
  const y = luma(image);
  const blurred = convolve(convolve(y, gaussianKernel(SHARPEN_SIGMA, "right")), gaussianKernel(SHARPEN_SIGMA, "down"));
  const values = new Float32Array(image.pixels.length);
  for (let i = 0, p = 0; i < y.values.length; i++, p += 3) {
    const detail = amount * ((y.values[i] ?? 0) - (blurred.values[i] ?? 0));
    for (let channel = p; channel < p + 3; channel++) values[channel] = (image.pixels[channel] ?? 0) + detail;
  }
  return toImage({ ...y, channels: 3, values });
}

/**
 * Contrast about the picture's mean luma, raised or lowered at random.
 *
 * @param factor above 1: the slope when raised; lowered, the slope is its inverse
 */
export function changeContrast(image: Image, factor: number, random: Random): Image {
  const slope = random.uniform() < 0.5 ? factor : 1 / factor;
  const { values } = luma(image);
  const mean = values.reduce((sum, y) => sum + y, 0) / values.length;
  return mapSamples(image, (sample) => mean + slope * (sample - mean));
}

/** Lighter mid-tones, white and black fixed. @param amount half of it is what mid-grey rises by, on a scale of 0 to 1 */
export function brighten(image: Image, amount: number): Image {
  return mapSamples(image, (sample) => toneCurve(sample, 0.5 + amount / 2));
}

/** Darker mid-tones, white and black fixed. @param amount half of it is what mid-grey falls by, on a scale of 0 to 1 */
export function darken(image: Image, amount: number): Image {
  return mapSamples(image, (sample) => toneCurve(sample, 0.5 - amount / 2));
}

/** Every sample raised, or lowered, by the same number: up or down at random. @param amount on a scale of 0 to 1 */
export function shiftMean(image: Image, amount: number, random: Random): Image {
  const step = 255 * amount * (random.uniform() < 0.5 ? -1 : 1);
  return mapSamples(image, (sample) => sample + step);
}

/**
 * The parabola through (0, 0), (½, middle) and (1, 1): KADID-10k's curve for both. It does so on the samples as here
 * and, for brightening, mixes in one third of the same curve on L*.
 */
function toneCurve(sample: number, middle: number): number {
  const x = sample / 255;
  return 255 * ((4 * middle - 1) * x + (2 - 4 * middle) * x * x);
}
