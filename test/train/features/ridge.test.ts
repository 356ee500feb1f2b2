import { describe, expect, it } from "vitest";
import { ConfigError } from "../../../src/base/errors.js";
import { solveRidge } from "../../../src/train/features/ridge.js";
import reference from "../../fixtures/train/ridge.json" with { type: "json" };
import { relativeError } from "../../support/tensors.js";

type Case = (typeof reference.cases)[number];

function rowsOf({ width, features, targets, rowWeights }: Case) {
  return targets.map((target, i) => {
    return { features: features.slice(i * width, (i + 1) * width), target, weight: rowWeights[i] ?? NaN };
  });
}

describe("solveRidge", () => {
  it.each(reference.cases)("gives scikit-learn's weights and error: width $width, lambda $lambda", async (one) => {
    const { weights, error, gradientNorm } = await solveRidge(rowsOf(one), one);
    expect(relativeError(weights, one.weights)).toBeLessThan(1e-6);
    expect(Math.abs(error / one.error - 1)).toBeLessThan(1e-6);
    expect(gradientNorm).toBeLessThan(1e-9);
  });

  it("solves one feature by hand: w = Σxy / (Σx² + λ)", async () => {
    const rows = [
      { features: [1], target: 2 },
      { features: [2], target: 3 },
    ];
    const { weights, error } = await solveRidge(rows, { width: 1, lambda: 3 });
    expect(weights[0]).toBeCloseTo(1, 12);
    expect(error).toBeCloseTo(1, 12); // (1² + 1²) / 2
  });

  it("refuses a row of another width, and features that are not finite", async () => {
    await expect(solveRidge([{ features: [1, 2], target: 0 }], { width: 1, lambda: 1 })).rejects.toThrow(
      "a row has 2 features, not 1",
    );
    await expect(solveRidge([{ features: [NaN], target: 0 }], { width: 1, lambda: 1 })).rejects.toThrow("not finite");
  });

  it("refuses a lambda that vanishes beside features that say the same", async () => {
    const rows = [1, 2, 3].map((x) => ({ features: [x, 2 * x], target: x }));
    const solved = solveRidge(rows, { width: 2, lambda: 1e-16 });
    await expect(solved).rejects.toThrow(ConfigError);
    await expect(solved).rejects.toThrow("train.probe.lambda: is too small");
  });
});
