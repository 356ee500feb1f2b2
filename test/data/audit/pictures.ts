import sharp, { type Sharp } from "sharp";
import { seededRandom } from "../../../src/base/random.js";
import type { Image } from "../../../src/model/preprocess/image.js";

/** A picture of its own for each name: soft blobs of colour, as different from others as photographs are. */
export function picture(name: string, rows = 230, cols = 240): Image {
  const random = seededRandom(1, "picture", name);
  const sums = new Float64Array(rows * cols * 3).fill(128);
  for (let blob = 0; blob < 24; blob++) {
    const size = 10 + 40 * random.uniform();
    const down = bell(rows, random.uniform() * rows, size);
    const across = bell(cols, random.uniform() * cols, size);
    const color = [random.normal() * 90, random.normal() * 90, random.normal() * 90];
    down.forEach((high, row) => {
      across.forEach((wide, col) => {
        const at = 3 * (row * cols + col);
        for (let c = 0; c < 3; c++) sums[at + c] = (sums[at + c] ?? NaN) + high * wide * (color[c] ?? NaN);
      });
    });
  }
  return { rows, cols, pixels: Uint8Array.from(sums, (sum) => Math.max(0, Math.min(255, Math.round(sum)))) };
}

function bell(length: number, centre: number, size: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => Math.exp(-((i - centre) ** 2) / (2 * size ** 2)));
}

export function encoder({ rows, cols, pixels }: Image): Sharp {
  return sharp(pixels, { raw: { width: cols, height: rows, channels: 3 } });
}
