import { describe, expect, it } from "vitest";
import type { GradientGram } from "../../../src/train/weighting/gradientGram.js";
import { gradientCosine, gradientLength, product } from "../../../src/train/weighting/gradientGram.js";

/** Of (3, 4) and (0, −2). */
const PRODUCTS: GradientGram = {
  tasks: ["quality", "distortion"],
  values: [
    [25, -8],
    [-8, 4],
  ],
};

describe("TaskProducts", () => {
  it("tells lengths and cosines by the tasks' names", () => {
    expect(gradientLength(PRODUCTS, "quality")).toBe(5);
    expect(gradientLength(PRODUCTS, "distortion")).toBe(2);
    expect(product(PRODUCTS, "distortion", "quality")).toBe(-8);
    expect(gradientCosine(PRODUCTS, "quality", "distortion")).toBe(-0.8);
  });

  it("takes float32's cosines past 1 for 1", () => {
    const values = [
      [1, 1.0000001],
      [1.0000001, 1],
    ];
    expect(gradientCosine({ ...PRODUCTS, values }, "quality", "distortion")).toBe(1);
  });

  it("refuses a task that was not measured", () => {
    expect(() => gradientLength(PRODUCTS, "scene")).toThrow('internal: product: the gradients of "scene"');
  });
});
