import { probit } from "simple-statistics";
import type { Random } from "../../base/random.js";
import { type Image, lumaOf } from "../../model/preprocess/image.js";

/** Real-valued samples [rows, cols, channels], on the scale of their source (0 to 255 unless said otherwise). */
export interface Field {
  readonly rows: number;
  readonly cols: number;
  readonly channels: number;
  readonly values: Float32Array;
}

/** Samples of a picture as real numbers, 0 to 255; a copy. */
export function toField({ rows, cols, pixels }: Image): Field {
  return { rows, cols, channels: 3, values: Float32Array.from(pixels) };
}

/** Picture of samples on the scale 0 to 255, rounded (halves to even) and clipped. */
export function toImage({ rows, cols, values }: Field): Image {
  const clipped = new Uint8ClampedArray(values.length);
  clipped.set(values); // the conversion of Uint8ClampedArray rounds and clips
  return { rows, cols, pixels: new Uint8Array(clipped.buffer) };
}

/** Replaces each sample through one table of 256 values (0 to 255, rounded and clipped). */
export function mapSamples({ rows, cols, pixels }: Image, curve: (sample: number) => number): Image {
  const table = Uint8ClampedArray.from({ length: 256 }, (_, sample) => curve(sample));
  const mapped = new Uint8Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) mapped[i] = table[pixels[i] ?? 0] ?? 0;
  return { rows, cols, pixels: mapped };
}

/** Luma of a picture, 0 to 255: one channel. */
export function luma({ rows, cols, pixels }: Image): Field {
  const values = new Float32Array(rows * cols);
  for (let i = 0, p = 0; i < values.length; i++, p += 3) {
    values[i] = lumaOf(pixels[p] ?? 0, pixels[p + 1] ?? 0, pixels[p + 2] ?? 0);
  }
  return { rows, cols, channels: 1, values };
}

const QUANTILES = 65_536;
let quantiles: Float32Array | undefined;

/**
 * Standard normal numbers: quantiles at 65,536 equally likely points, looked up by a uniform number. One look-up a
 * sample is quicker than a logarithm, a root and a cosine; the largest magnitude is 4.2.
 */
export function normalSamples(count: number, random: Random): Float32Array {
  const table = (quantiles ??= normalQuantiles());
  const samples = new Float32Array(count);
  for (let i = 0; i < count; i++) samples[i] = table[random.integer(QUANTILES)] ?? 0;
  return samples;
}

/** Quantiles scaled to a variance of exactly 1, since the tails beyond the last one are missing. */
function normalQuantiles(): Float32Array {
  const raw = Float32Array.from({ length: QUANTILES }, (_, i) => probit((i + 0.5) / QUANTILES));
  const variance = raw.reduce((sum, x) => sum + x * x, 0) / QUANTILES;
  return raw.map((x) => x / Math.sqrt(variance));
}
