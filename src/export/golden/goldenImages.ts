import { type Image, WINDOW } from "../../model/preprocess/image.js";

/** Sizes by seed, from 1, for windows of 224 pixels: with one crop, a few crops, skipped windows, a side that takes the larger stride, and one to reduce first. */
const SIZES = [
  { rows: 224, cols: 224 },
  { rows: 224, cols: 256 },
  { rows: 256, cols: 256 },
  { rows: 231, cols: 263 },
  { rows: 288, cols: 224 },
  { rows: 300, cols: 260 },
  { rows: 384, cols: 384 },
  { rows: 230, cols: 1024 },
  { rows: 1200, cols: 900 }, // becomes 1024 x 768: its stride is the larger one by a pixel
] as const;

/** Sides up to which the sizes depend on the window; the others are there for strides and reduction. */
const LONGEST = 384;

export const GOLDEN_SEEDS: readonly number[] = SIZES.map((_, i) => i + 1);

/** Width of the grid on which colors are drawn, in pixels; between its corners they are blended. */
const CELL = 32;

/**
 * Draws the picture of one of `GOLDEN_SEEDS`: blended colors, in blocks of 8 pixels where the seed is even, under noise
 * of one of four strengths. Whole numbers of 32 bits alone: every language and machine draws the same bits.
 * @param window  side of the model's window, which the short sides go with
 * @throws {RangeError} for another seed
 */
export function goldenImage(seed: number, window = WINDOW): Image {
  const size = SIZES[seed - 1];
  if (size === undefined) throw new RangeError(`goldenImage: there are seeds 1 to ${SIZES.length}, got ${seed}`);
  const [rows, cols] = [size.rows, size.cols].map((side) => (side > LONGEST ? side : side + window - WINDOW)) as [
    number,
    number,
  ]; // of a pair
  const pixels = new Uint8Array(rows * cols * 3);
  const block = seed % 2 === 0 ? 8 : 1;
  const strength = 16 * (seed & 3);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      for (let channel = 0; channel < 3; channel++) {
        const color = blended(seed, channel, row - (row % block), col - (col % block));
        const noise = ((hash(seed, channel + 3, row, col) & 255) * strength) >> 8;
        pixels[at++] = Math.min(255, Math.max(0, color + noise - (strength >> 1)));
      }
    }
  }
  return { rows, cols, pixels };
}

/** Colors of a cell's four corners, blended by their distances: 0 to 255. */
function blended(seed: number, channel: number, row: number, col: number): number {
  const [top, left] = [Math.floor(row / CELL), Math.floor(col / CELL)];
  const [down, across] = [row % CELL, col % CELL];
  const corner = (i: number, j: number) => hash(seed, channel, top + i, left + j) & 255;
  const upper = corner(0, 0) * (CELL - across) + corner(0, 1) * across;
  const lower = corner(1, 0) * (CELL - across) + corner(1, 1) * across;
  return (upper * (CELL - down) + lower * down) >> 10; // CELL · CELL = 2^10
}

/** Hash of four small numbers, 32 bits: each times an odd constant, then finished as in MurmurHash3. */
function hash(seed: number, channel: number, row: number, col: number): number {
  let h = Math.imul(seed, 0x9e3779b1) ^ Math.imul(channel, 0x85ebca77) ^ Math.imul(row, 0xc2b2ae3d);
  h ^= Math.imul(col, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
