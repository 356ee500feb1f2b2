import { describe, expect, it } from "vitest";
import { pairWeight } from "../../src/losses/pairs.js";

/** w(0, 1), w(0, 2) and w(1, 2), divided by their sum. */
function shares(deviations: [number, number, number], rule: "none" | "deviation"): number[] {
  const weight = pairWeight(deviations, rule);
  const weights = [weight(0, 1), weight(0, 2), weight(1, 2)];
  const sum = weights.reduce((total, value) => total + value, 0);
  return weights.map((value) => value / sum);
}

const PLAIN = { rtol: 1e-12, atol: 0 };

describe("pairWeight", () => {
  it("counts every pair the same with none, and reads no deviation", () => {
    expect(shares([NaN, 0, -1], "none")).toEqual([1 / 3, 1 / 3, 1 / 3]);
  });

  it("counts a pair by the inverse variance of its difference", () => {
    // sd 1, 2, 3: 1/(1+4), 1/(1+9), 1/(4+9) = 26, 13 and 10 parts of 130
    expect(shares([1, 2, 3], "deviation")).toBeAllClose([26 / 49, 13 / 49, 10 / 49], PLAIN);
  });

  it("does not change with the scale of the scores", () => {
    expect(shares([100, 200, 300], "deviation")).toBeAllClose(shares([1, 2, 3], "deviation"), PLAIN);
  });

  it("takes a deviation of 0 for a quarter of the typical one, and all 0 for all the same", () => {
    // sd 0, 0, √3: root mean square 1; variances 1/16, 1/16, 3: weights 8, 16/49, 16/49
    expect(shares([0, 0, Math.sqrt(3)], "deviation")).toBeAllClose([49 / 53, 2 / 53, 2 / 53], PLAIN);
    expect(shares([0, 0, 0], "deviation")).toEqual([1 / 3, 1 / 3, 1 / 3]);
  });
});
