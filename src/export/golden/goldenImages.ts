import type { Image } from "../../model/preprocess/image.js";

/**
 * Pictures that any program can draw for itself, bit by bit: what exported weights are tried on. Whole numbers of 32
 * bits alone, so that every language and machine draws the same ones.
 */

/** One crop; a few crops; windows that are skipped; a side that takes the larger stride. Seeds count from 1. */
const SIZES = [
  { rows: 224, cols: 224 },
  { rows: 224, cols: 256 },
  { rows: 256, cols: 256 },
  { rows: 231, cols: 263 },
  { rows: 288, cols: 224 },
  { rows: 300, cols: 260 },
  { rows: 384, cols: 384 },
  { rows: 230, cols: 1024 },
] as const;

/** The seeds of the golden images. */
export const GOLDEN_SEEDS: readonly number[] = SIZES.map((_, i) => i + 1);

/** Colours stand on a grid this wide, in pixels, and are blended between. */
const CELL = 32;

/**
 * The picture of one seed: blended colours, in blocks of 8 pixels where the seed is even, under noise of one of four
 * strengths.
 *
 * @throws {RangeError} for another seed than those of `GOLDEN_SEEDS`
 */
export function goldenImage(seed: number): Image {
  const size = SIZES[seed - 1];
  if (size === undefined) {
    throw new RangeError(`goldenImage: there are seeds 1 to ${SIZES.length}, got ${seed}`);
  }
  const { rows, cols } = size;
  const pixels = new Uint8Array(rows * cols * 3);
  const block = seed % 2 === 0 ? 8 : 1;
  const strength = 16 * (seed & 3);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      for (let channel = 0; channel < 3; channel++) {
        const colour = blended(seed, channel, row - (row % block), col - (col % block));
        const noise = ((hash(seed, channel + 3, row, col) & 255) * strength) >> 8;
        pixels[at++] = Math.min(255, Math.max(0, colour + noise - (strength >> 1)));
      }
    }
  }
  return { rows, cols, pixels };
}

/** The colours of the four corners of a cell, each weighted by its distance: 0 to 255. */
function blended(seed: number, channel: number, row: number, col: number): number {
  const [top, left] = [Math.floor(row / CELL), Math.floor(col / CELL)];
  const [down, across] = [row % CELL, col % CELL];
  const corner = (i: number, j: number) => hash(seed, channel, top + i, left + j) & 255;
  const upper = corner(0, 0) * (CELL - across) + corner(0, 1) * across;
  const lower = corner(1, 0) * (CELL - across) + corner(1, 1) * across;
  return (upper * (CELL - down) + lower * down) >> 10; // CELL · CELL = 2^10
}

/** 32 bits of four small numbers: each times an odd constant, then finished as in MurmurHash3. */
function hash(seed: number, channel: number, row: number, col: number): number {
  let h = Math.imul(seed, 0x9e3779b1) ^ Math.imul(channel, 0x85ebca77) ^ Math.imul(row, 0xc2b2ae3d);
  h ^= Math.imul(col, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
