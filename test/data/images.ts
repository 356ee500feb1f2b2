import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import type { DecodedImage } from "../../src/data/image.js";

interface Packed {
  readonly rows: number;
  readonly cols: number;
  readonly rgb: string;
}

/** test/fixtures/images/expected.json, made by scripts/reference/images.py with PIL. */
interface Expected {
  readonly decoded: readonly (Packed & { readonly file: string })[];
  readonly resized: readonly { readonly from: Packed; readonly to: Packed }[];
}

export const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/images/${name}`, import.meta.url));

export const expected = JSON.parse(readFileSync(fixture("expected.json"), "utf8")) as Expected; // by its script

export function unpack({ rows, cols, rgb }: Packed): DecodedImage {
  return { rows, cols, pixels: inflateSync(Buffer.from(rgb, "base64")) };
}

/** [rows, cols, 3]: every pixel says where it is, red by row, green by column, blue by both and `tint`. */
export function mapImage(rows: number, cols: number, tint = 0): DecodedImage {
  const pixels = new Uint8Array(rows * cols * 3);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      pixels.set([row & 255, col & 255, ((row >> 8) * 16 + (col >> 8) + tint) & 255], (row * cols + col) * 3);
    }
  }
  return { rows, cols, pixels };
}
