import { describe, expect, it } from "vitest";
import { learnUncertainty, SMALLEST_LOSS, uncertaintyWeights } from "../../../src/train/weighting/uncertainty.js";

const TASKS = ["quality", "scene"] as const;
const RATE = 0.025;

/** The weights after some steps with the same losses. */
function weightsAfter(steps: number, quality: number, scene: number): number[] {
  let state: ReturnType<typeof learnUncertainty> | null = null;
  for (let i = 0; i < steps; i++) state = learnUncertainty(TASKS, state, { quality, scene }, RATE);
  return Object.values(uncertaintyWeights(TASKS, state));
}

describe("uncertaintyWeights", () => {
  it("is 1 for all before the first step", () => {
    expect(uncertaintyWeights(TASKS, null)).toEqual({ quality: 1, scene: 1 });
  });

  it("turns down after one step what lost more than ½, and up what lost less, by the rate in s", () => {
    // s = 0: gradients ½ − 2 = −1.5 and ½ − ¼ = ¼, so s moves to +0.025 and −0.025
    expect(weightsAfter(1, 2, 0.25)).toBeAllClose([Math.exp(-0.025), Math.exp(0.025)], { rtol: 1e-8, atol: 0 });
  });

  it("tends to 1/(2·L), where ½ − exp(−s)·L is 0", () => {
    expect(weightsAfter(2000, 2, 0.25)).toBeAllClose([0.25, 2], { rtol: 1e-3, atol: 0 });
  });

  it("stays bounded where a fidelity loss falls below 0", () => {
    const [weight] = weightsAfter(3000, -1e-4, 1);
    expect([weight ?? NaN]).toBeAllClose([1 / (2 * SMALLEST_LOSS)], { rtol: 0.01, atol: 0 });
  });
});
