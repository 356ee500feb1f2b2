import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { copyLine } from "../../../src/model/preprocess/crops.js";

const random = seededRandom(1, "pixels");
const source = Uint8Array.from({ length: 400 }, () => random.integer(256));

/** A line of so many pixels, copied from and to places that are no whole words; what is beside it stays. */
function copied(
  copy: typeof copyLine.swapped,
  pixels: number,
): { readonly line: number[][]; readonly beside: Set<number> } {
  const out = new Uint8Array(400).fill(77);
  copy(source.subarray(5, 5 + 3 * pixels), out, 7);
  const line = Array.from({ length: pixels }, (_, i) => [...out.subarray(7 + 3 * i, 10 + 3 * i)]);
  return { line, beside: new Set([...out.subarray(0, 7), ...out.subarray(7 + 3 * pixels)]) };
}

const pixel = (i: number) => [...source.subarray(5 + 3 * i, 8 + 3 * i)];

/** Whole threes of words, and one, two or three pixels more; now longer, now shorter than the line before. */
const WIDTHS = [1, 4, 3, 2, 8, 5, 112, 113, 114, 115, 6];

describe("copySwapped", () => {
  it("puts red before blue in each pixel of a line of any width", () => {
    for (const width of WIDTHS) {
      const { line, beside } = copied(copyLine.swapped, width);
      expect(line, `${width} pixels`).toEqual(Array.from({ length: width }, (_, i) => pixel(i).reverse()));
      expect(beside).toEqual(new Set([77]));
    }
  });
});

describe("copyMirrored", () => {
  it("puts the last pixel first in a line of any width", () => {
    for (const width of WIDTHS) {
      const { line, beside } = copied(copyLine.mirrored, width);
      expect(line, `${width} pixels`).toEqual(Array.from({ length: width }, (_, i) => pixel(width - 1 - i)));
      expect(beside).toEqual(new Set([77]));
    }
  });
});
