import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { sumsAt } from "../../../src/evaluate/mapping/projectedSums.js";
import { bestCurve, linearizeProjected } from "../../../src/evaluate/mapping/variableProjection.js";

/** Sums lose six of sixteen digits at most. */
const SUMS = { rtol: 1e-8, atol: 1e-8 };

const random = seededRandom(3, "sums");
const x = Float64Array.from({ length: 200 }, () => random.normal());
const y = x.map((value) => Math.tanh(value) + 0.3 * random.normal());
const weights = x.map(() => random.integer(3));

describe("sumsAt", () => {
  it.each([
    { what: "a bend among the points", center: 0.3, width: 0.8 },
    { what: "one to their left", center: -2, width: 0.5 },
    { what: "a negative width", center: 0.5, width: -0.7 },
    { what: "a wide one", center: 1.5, width: 6 },
    { what: "a wide one far away", center: -20, width: 8 },
  ])("gives the model and the curve of the slower way: $what", ({ center, width }) => {
    const points = { x: x.slice(), y, weights };
    for (const parameters of [Float64Array.of(center, width), Float64Array.of(center + 0.1, width)]) {
      const sums = sumsAt(parameters, points);
      const { squaredError, normal, gradient } = linearizeProjected(parameters, points, false);
      if (sums === undefined) throw new Error("no sums");
      expect([sums.model.squaredError]).toBeAllClose([squaredError], SUMS);
      expect([0, 2, 3].map((i) => sums.model.normal[i] ?? NaN)).toBeAllClose([0, 2, 3].map((i) => normal[i] ?? NaN), SUMS); // prettier-ignore
      expect([...sums.model.gradient]).toBeAllClose([...gradient], SUMS);
      const { at } = bestCurve(parameters, points, false);
      expect([-2, 0, 1.7].map(sums.at)).toBeAllClose([-2, 0, 1.7].map(at), SUMS);
    }
  });

  it("has no result where its digits would be lost: a sigmoid far from all points, a perfect fit", () => {
    expect(sumsAt(Float64Array.of(300, 0.5), { x: x.slice(), y, weights })).toBeUndefined();
    const perfect = x.map((value) => 1 / (1 + Math.exp(-value)));
    expect(sumsAt(Float64Array.of(0, 1), { x: x.slice(), y: perfect, weights })).toBeUndefined();
  });

  it("gives each resample its own result at the same place", () => {
    const parameters = Float64Array.of(0.3, 0.8);
    const points = { x: x.slice(), y };
    const [one, two] = [weights, weights.toReversed()].map((own) => sumsAt(parameters, { ...points, weights: own }));
    expect(one?.model.squaredError).not.toBe(two?.model.squaredError);
  });
});
