import { describe, expect, it } from "vitest";
import { gradientCosineWeights } from "../../../src/train/weighting/taskWeights.js";

const TASKS = ["quality", "scene"] as const;

/** Weights where quality's gradient is (3, 0) and scene's (x, y). */
const weights = (x: number, y: number) =>
  gradientCosineWeights(TASKS, {
    tasks: TASKS,
    values: [
      [9, 3 * x],
      [3 * x, x * x + y * y],
    ],
  });

describe("gradientCosineWeights", () => {
  it("counts a task by the cosine of its gradient with quality's, whatever its length", () => {
    expect(weights(4, 3)).toEqual({ quality: 1, scene: 0.8 }); // 3·4 / (3·5)
    expect(weights(0.04, 0.03).scene).toBeCloseTo(0.8, 12);
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
