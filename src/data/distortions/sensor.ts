import type { Random } from "../../base/random.js";
import type { Field, RgbImage } from "./field.js";
import { linearOf, srgbOf } from "./kinds/srgb.js";
import { normalSamples } from "./noiseSource.js";

/** Read noise beside shot noise at full light: its share of the variance, which is what dark parts show. */
const READ_SHARE = 0.02;

/** Which channel a sensor's place sees, by its row and column modulo 2: red and green above green and blue. */
const BAYER = [
  [0, 1],
  [1, 2],
] as const;

/**
 * What a sensor under a Bayer pattern records: one colour a place, in linear light, with noise whose variance grows with
 * the light (shot noise) over a constant part (read noise).
 *
 * @param variance  of the shot noise at full light
 * @returns         [rows, cols, 1], linear, 0 to 1
 */
export function exposeSensor({ rows, cols, pixels }: RgbImage, variance: number, random: Random): Field {
  const noise = normalSamples(rows * cols, random);
  const values = new Float32Array(rows * cols);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++, at++) {
      const light = linearOf(pixels[at * 3 + channelAt(row, col)] ?? 0);
      const sigma = Math.sqrt(variance * (light + READ_SHARE));
      values[at] = Math.min(1, Math.max(0, light + sigma * (noise[at] ?? 0)));
    }
  }
  return { rows, cols, channels: 1, values };
}

/** Bilinear: a colour that a place did not see is the mean of those of its eight neighbours that did. */
export function demosaic({ rows, cols, values }: Field): RgbImage {
  const pixels = new Uint8Array(rows * cols * 3);
  const sums = new Float64Array(3);
  const counts = new Int32Array(3);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      sums.fill(0);
      counts.fill(0);
      for (let y = Math.max(0, row - 1); y <= Math.min(rows - 1, row + 1); y++) {
        for (let x = Math.max(0, col - 1); x <= Math.min(cols - 1, col + 1); x++) {
          const channel = channelAt(y, x);
          sums[channel] = (sums[channel] ?? 0) + (values[y * cols + x] ?? 0);
          counts[channel] = (counts[channel] ?? 0) + 1;
        }
      }
      const at = row * cols + col;
      const own = channelAt(row, col);
      for (let channel = 0; channel < 3; channel++) {
        const light = channel === own ? (values[at] ?? 0) : (sums[channel] ?? 0) / (counts[channel] ?? 1);
        pixels[at * 3 + channel] = srgbOf(light);
      }
    }
  }
  return { rows, cols, pixels };
}

function channelAt(row: number, col: number): number {
  return BAYER[row % 2 === 0 ? 0 : 1][col % 2 === 0 ? 0 : 1];
}
