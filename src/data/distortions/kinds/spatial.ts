import type { Random } from "../../../base/random.js";
import type { Image } from "../../../model/preprocess/image.js";
import { normalSamples, toImage } from "../field.js";
import type { RecipeTable } from "../types.js";

export const SPATIAL_CHANGES = {
  jitter: { apply: jitter, strength: [0.05, 0.1, 0.2, 0.5, 1], mos: [4.4, 4.1, 3.25, 1.85, 1.35] },
  "noneccentricity patch": {
    apply: misplacePatches,
    strength: [20, 40, 60, 80, 100],
    mos: [4.35, 3.95, 3.75, 3.45, 3.25],
  },
  pixelate: { apply: pixelate, strength: [0.01, 0.05, 0.1, 0.2, 0.5], mos: [3.9, 3.1, 2.9, 2.8, 1.5] },
  "color blocking": { apply: colorBlocks, strength: [2, 4, 6, 8, 10], mos: [2.7, 2.35, 2.3, 2.1, 2.05] },
} satisfies RecipeTable;

/** Displacements of every pixel in KADID-10k; independent ones add up in variance. */
const JITTER_ROUNDS = 5;

/**
 * Takes every pixel from a random spot near it (bilinear).
 * KADID-10k does so five times over with `amount`; one displacement of √5 times the size is as far, but blurs less.
 * @param amount standard deviation of one of the five displacements, in pixels along each axis
 */
function jitter({ rows, cols, pixels }: Image, amount: number, random: Random): Image {
  const offsets = normalSamples(2 * rows * cols, random);
  const spread = amount * Math.sqrt(JITTER_ROUNDS);
  const values = new Float32Array(pixels.length);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++, at++) {
      const y = Math.min(rows - 1, Math.max(0, row + spread * (offsets[2 * at] ?? 0)));
      const x = Math.min(cols - 1, Math.max(0, col + spread * (offsets[2 * at + 1] ?? 0)));
      const top = Math.floor(y);
      const left = Math.floor(x);
      const below = y - top;
      const beside = x - left;
      const p = (top * cols + left) * 3;
      const right = left + 1 < cols ? 3 : 0;
      const down = top + 1 < rows ? 3 * cols : 0;
      for (let c = 0; c < 3; c++) {
        const upper = (1 - beside) * (pixels[p + c] ?? 0) + beside * (pixels[p + right + c] ?? 0);
        const lower = (1 - beside) * (pixels[p + down + c] ?? 0) + beside * (pixels[p + down + right + c] ?? 0);
        values[3 * at + c] = (1 - below) * upper + below * lower;
      }
    }
  }
  return toImage({ rows, cols, channels: 3, values });
}

/** Side of a displaced square and length of its way, in pixels. */
const PATCH = 16;

/** Copies squares of 16 pixels 16 pixels away in a random direction: a pattern in the wrong place. */
function misplacePatches(image: Image, patches: number, random: Random): Image {
  const { rows, cols, pixels } = image;
  const moved = Uint8Array.from(pixels);
  for (let i = 0; i < Math.round(patches); i++) {
    const top = PATCH + random.integer(Math.max(1, rows - 3 * PATCH));
    const left = PATCH + random.integer(Math.max(1, cols - 3 * PATCH));
    const angle = 2 * Math.PI * random.uniform();
    const toTop = top + Math.round(PATCH * Math.sin(angle));
    const toLeft = left + Math.round(PATCH * Math.cos(angle));
    for (let row = 0; row < PATCH; row++) {
      const from = ((top + row) * cols + left) * 3;
      moved.set(pixels.subarray(from, from + PATCH * 3), ((toTop + row) * cols + toLeft) * 3);
    }
  }
  return { rows, cols, pixels: moved };
}

/** Reduces and enlarges a picture by taking the nearest pixel. The scale is KADID-10k's, 0.95 − amount^0.6. */
function pixelate({ rows, cols, pixels }: Image, amount: number): Image {
  const scale = 0.95 - amount ** 0.6;
  const sourceRows = nearestOfSmaller(rows, scale);
  const sourceCols = nearestOfSmaller(cols, scale);
  const blocky = new Uint8Array(pixels.length);
  for (let row = 0, to = 0; row < rows; row++) {
    const start = (sourceRows[row] ?? 0) * cols;
    for (let col = 0; col < cols; col++, to += 3) {
      const from = (start + (sourceCols[col] ?? 0)) * 3;
      blocky[to] = pixels[from] ?? 0;
      blocky[to + 1] = pixels[from + 1] ?? 0;
      blocky[to + 2] = pixels[from + 2] ?? 0;
    }
  }
  return { rows, cols, pixels: blocky };
}

/** Source of each position of an axis after reducing and enlarging it: centers of pixels map to centers. */
export function nearestOfSmaller(length: number, scale: number): number[] {
  const smaller = Math.max(1, Math.floor(length * scale));
  return Array.from({ length }, (_, position) => {
    const small = Math.floor(((position + 0.5) * smaller) / length);
    return Math.floor(((small + 0.5) * length) / smaller);
  });
}

/** Side of an opaque square, in pixels. */
const BLOCK = 32;

/** Covers random places with opaque squares of 32 pixels in random colors. */
function colorBlocks({ rows, cols, pixels }: Image, blocks: number, random: Random): Image {
  const covered = Uint8Array.from(pixels);
  for (let i = 0; i < Math.round(blocks); i++) {
    const color = [random.integer(256), random.integer(256), random.integer(256)];
    const top = random.integer(Math.max(1, rows - BLOCK + 1));
    const left = random.integer(Math.max(1, cols - BLOCK + 1));
    for (let row = top; row < Math.min(rows, top + BLOCK); row++) {
      for (let col = left; col < Math.min(cols, left + BLOCK); col++) covered.set(color, (row * cols + col) * 3);
    }
  }
  return { rows, cols, pixels: covered };
}
