import { describe, expect, it } from "vitest";
import { adamStep, NO_MOMENTS } from "../../../src/train/weighting/state.js";

const TASKS = ["quality", "scene"] as const;

describe("adamStep", () => {
  it("moves by the rate against the sign at first, and by the moments' ratio then", () => {
    const first = adamStep(TASKS, { quality: 1, scene: -2 }, { quality: 4, scene: -0.1 }, NO_MOMENTS, 0.5);
    // m̂/√v̂ = g/|g| in the first step
    expect(Object.values(first.values)).toBeAllClose([0.5, -1.5], { rtol: 1e-6, atol: 0 });
    // quality, gradients 4 then −2: m = 0.9·0.4 − 0.2 = 0.16, m̂ = 0.16/0.19; v = 0.999·0.016 + 0.004 = 0.019984,
    // v̂ = 0.019984/0.001999; so it moves by 0.5 · 0.8421053 / √9.9969985 = 0.1331685 down
    const { values, moments } = adamStep(TASKS, first.values, { quality: -2, scene: 0 }, first.moments, 0.5);
    expect((first.values.quality ?? NaN) - (values.quality ?? NaN)).toBeCloseTo(0.1331685, 6);
    expect(moments.step).toBe(2);
    expect(moments.first.quality).toBeCloseTo(0.16, 12);
    expect(moments.second.quality).toBeCloseTo(0.019984, 12);
  });

  it("stays where it is without a gradient", () => {
    expect(adamStep(TASKS, { quality: 1, scene: 2 }, { quality: 0, scene: 0 }, NO_MOMENTS, 1).values).toEqual({
      quality: 1,
      scene: 2,
    });
  });
});
