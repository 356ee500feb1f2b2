import { describe, expect, it } from "vitest";
import { DataError } from "../../src/base/errors.js";
import { pixelsOf } from "../../src/inference/imageInput.js";

describe("pixelsOf", () => {
  it("drops alpha, whatever it is, and keeps the colours", () => {
    const data = Uint8ClampedArray.of(1, 2, 3, 0, 4, 5, 6, 128);
    expect(pixelsOf({ width: 2, height: 1, data })).toEqual({
      rows: 1,
      cols: 2,
      pixels: Uint8Array.of(1, 2, 3, 4, 5, 6),
    });
  });

  it("takes RGB as it is, as a copy", () => {
    const data = Uint8Array.of(1, 2, 3, 4, 5, 6);
    const { rows, cols, pixels } = pixelsOf({ width: 1, height: 2, data });
    data.fill(0);
    expect({ rows, cols, pixels: [...pixels] }).toEqual({ rows: 2, cols: 1, pixels: [1, 2, 3, 4, 5, 6] });
  });

  it.each([
    ["too few bytes", { width: 2, height: 2, data: new Uint8Array(11) }, "16 bytes as RGBA and 12 as RGB, got 11"],
    ["no width", { width: 0, height: 2, data: new Uint8Array(0) }, "has 0 x 2 pixels"],
    ["half a pixel", { width: 1.5, height: 2, data: new Uint8Array(9) }, "has 1.5 x 2 pixels"],
    ["numbers that are no bytes", { width: 1, height: 1, data: new Float32Array(3) }, "got a Float32Array"],
  ])("refuses %s", (_, image, message) => {
    expect(() => pixelsOf(image as never)).toThrow(DataError); // a caller without types may hand in anything
    expect(() => pixelsOf(image as never)).toThrow(message);
  });

  it("says that there is no canvas where a bitmap is handed in outside of a browser", () => {
    expect(() => pixelsOf({ width: 2, height: 2, close: () => {} })).toThrow("there is no canvas here");
  });
});
