import { describe, expect, it } from "vitest";
import * as tf from "../../../src/engine/tf.js";
import { type GradientGram, gradientLength, product } from "../../../src/train/weighting/gradientGram.js";
import { cosineFactors } from "../../../src/train/weighting/taskWeights.js";

/** Of (3, 4) and (0, −2). */
const PRODUCTS: GradientGram = {
  tasks: ["quality", "distortion"],
  values: [
    [25, -8],
    [-8, 4],
  ],
};

const cosines = (values: readonly (readonly number[])[]) => [
  ...cosineFactors(PRODUCTS.tasks, tf.tensor2d(values.flat(), [2, 2])).dataSync(),
];

describe("TaskProducts", () => {
  it("tells lengths and cosines by the tasks' names", () => {
    expect(gradientLength(PRODUCTS, "quality")).toBe(5);
    expect(gradientLength(PRODUCTS, "distortion")).toBe(2);
    expect(product(PRODUCTS, "distortion", "quality")).toBe(-8);
    expect(cosines(PRODUCTS.values)).toEqual([1, 0]); // −0.8, and what pulls away counts nothing
  });

  it("takes float32's cosines past 1 for 1", () => {
    const values = [
      [1, 1.0000001],
      [1.0000001, 1],
    ];
    expect(cosines(values)).toEqual([1, 1]);
  });

  it("refuses a task that was not measured", () => {
    expect(() => gradientLength(PRODUCTS, "scene")).toThrow('internal: product: the gradients of "scene"');
  });
});
