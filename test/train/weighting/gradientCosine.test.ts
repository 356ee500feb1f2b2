import { describe, expect, it } from "vitest";
import * as tf from "../../../src/engine/tf.js";
import { cosineFactors } from "../../../src/train/weighting/taskWeights.js";

const TASKS = ["quality", "scene"] as const;

/** Factors where quality's gradient is (3, 0) and scene's (x, y). */
const weights = (x: number, y: number) => {
  const gram = tf.tensor2d([9, 3 * x, 3 * x, x * x + y * y], [2, 2]);
  const [quality = NaN, scene = NaN] = cosineFactors(TASKS, gram).dataSync();
  return { quality, scene };
};

describe("gradientCosineWeights", () => {
  it("counts a task by the cosine of its gradient with quality's, whatever its length", () => {
    expect(weights(4, 3).quality).toBe(1);
    expect(weights(4, 3).scene).toBeCloseTo(0.8, 6); // 3·4 / (3·5)
    expect(weights(0.04, 0.03).scene).toBeCloseTo(0.8, 6);
    expect(weights(5, 0)).toEqual({ quality: 1, scene: 1 });
  });

  it("leaves a task out that pulls away from quality, or sideways", () => {
    expect(weights(-4, 3)).toEqual({ quality: 1, scene: 0 });
    expect(weights(0, 3)).toEqual({ quality: 1, scene: 0 });
  });

  it("leaves a task out that has no gradient, and passes NaN on to be stopped at", () => {
    expect(weights(0, 0)).toEqual({ quality: 1, scene: 0 });
    expect(weights(NaN, 1).scene).toBeNaN();
  });
});
