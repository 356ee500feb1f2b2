import type { Random } from "../../../base/random.js";
import { mapSamples, type RgbImage } from "../field.js";

/** Lighter mid-tones, white and black fixed. @param amount half of it is what mid-grey rises by, on a scale of 0 to 1 */
export function brighten(image: RgbImage, amount: number): RgbImage {
  return mapSamples(image, (sample) => toneCurve(sample, 0.5 + amount / 2));
}

/** Darker mid-tones, white and black fixed. @param amount half of it is what mid-grey falls by, on a scale of 0 to 1 */
export function darken(image: RgbImage, amount: number): RgbImage {
  return mapSamples(image, (sample) => toneCurve(sample, 0.5 - amount / 2));
}

/** Every sample raised, or lowered, by the same number: up or down at random. @param amount on a scale of 0 to 1 */
export function shiftMean(image: RgbImage, amount: number, random: Random): RgbImage {
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
