import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import type { Image } from "../../src/model/preprocess/image.js";

interface Packed {
  readonly rows: number;
  readonly cols: number;
  readonly rgb: string;
}

/** test/fixtures/images/expected.json, made by scripts/reference/images.py with PIL. */
interface Expected {
  readonly decoded: readonly (Omit<Packed, "rgb"> & {
    readonly file: string;
    readonly rgb?: string;
    /** The file of equal pixels, earlier in the list. */
    readonly sameAs?: string;
  })[];
  readonly resized: readonly { readonly from: Packed; readonly to: Packed }[];
}

export const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/images/${name}`, import.meta.url));

export const expected = JSON.parse(readFileSync(fixture("expected.json"), "utf8")) as Expected; // by its script

export function unpack({ rows, cols, rgb }: Packed): Image {
  return { rows, cols, pixels: inflateSync(Buffer.from(rgb, "base64")) };
}

/** What PIL makes of a file of the fixtures. */
export function expectedOf(file: string): Image {
  const found = expected.decoded.find((one) => one.file === file);
  if (found?.sameAs !== undefined) return expectedOf(found.sameAs);
  if (found?.rgb === undefined) throw new Error(`no expected pixels of ${file}`);
  return unpack({ ...found, rgb: found.rgb });
}

/** [rows, cols, 3]: every pixel says where it is, red by row, green by column, blue by both and `tint`. */
export function mapImage(rows: number, cols: number, tint = 0): Image {
  const pixels = new Uint8Array(rows * cols * 3);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      pixels.set([row & 255, col & 255, ((row >> 8) * 16 + (col >> 8) + tint) & 255], (row * cols + col) * 3);
    }
  }
  return { rows, cols, pixels };
}
