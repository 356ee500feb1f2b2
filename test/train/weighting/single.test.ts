import { describe, expect, it } from "vitest";
import { singleTaskFactors } from "../../../src/train/weighting/taskWeights.js";

describe("singleTaskFactors", () => {
  it("is 1 for the task that has a weight, whatever the weight, and 0 for the others", () => {
    const weights = { quality: 0, scene: 0, distortion: 0.3 };
    expect(singleTaskFactors(["quality", "scene", "distortion"], weights)).toEqual({
      quality: 0,
      scene: 0,
      distortion: 1,
    });
  });
});
