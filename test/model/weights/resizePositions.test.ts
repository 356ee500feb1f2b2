import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { resizePositions } from "../../../src/model/weights/loadParameters.js";

/** By scripts/reference/weights_positions.py. */
const { cases } = JSON.parse(readFileSync("test/fixtures/weights/positions.json", "utf8")) as {
  cases: { from: number; to: number; values: number[]; resized: number[] }[]; // our own file
};

/** One cubic of float32 numbers near 1. */
const BICUBIC = { rtol: 1e-5, atol: 1e-6 };

describe("resizePositions", () => {
  it.each(cases)("interpolates a grid of $from to $to as PyTorch does", ({ from, to, values, resized }) => {
    expect(resizePositions(Float32Array.from(values), from, to)).toBeAllClose(resized, BICUBIC);
  });

  it("leaves a grid of the same size as it is", () => {
    const values = Float32Array.from({ length: 10 * 3 }, (_, i) => Math.sin(i));
    expect(resizePositions(values, 3, 3)).toEqual(values);
  });
});
