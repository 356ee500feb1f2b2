import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import type { Result } from "../../../src/base/types.js";
import { srcc, weightedSrcc } from "../../../src/evaluate/metrics/correlation.js";
import { krcc, weightedKrcc } from "../../../src/evaluate/metrics/kendall.js";
import { ascendingOrder, rankPairs } from "../../../src/evaluate/metrics/ranks.js";
import {
  bootstrap,
  drawnWeights,
  percentileInterval,
  planResampling,
} from "../../../src/evaluate/statistics/bootstrap.js";

const EXACT = { rtol: 1e-12, atol: 0 };
const SEED = { seed: 7, key: "mine" };

describe("planResampling", () => {
  it("draws contents where every image's is known, else images, and says which", () => {
    expect(planResampling(["a", "b", "a"], SEED)).toMatchObject({ of: "contents", units: 2 });
    expect(planResampling(["a", null, "a"], SEED)).toMatchObject({ of: "images", units: 3 });
  });
});

describe("drawnWeights", () => {
  const plan = planResampling(["a", "b", "a", "c"], SEED);

  it("draws as many units as there are, a content with all its images", () => {
    for (let index = 0; index < 20; index++) {
      const [a, b, secondA, c] = drawnWeights(plan, index);
      expect(secondA).toBe(a);
      expect((a ?? NaN) + (b ?? NaN) + (c ?? NaN)).toBe(3);
    }
  });

  it("gives the same draw for the same seed, and others for another seed, database or resample", () => {
    const draw = (seed: number, key: string, index: number) => {
      const images = Array.from({ length: 50 }, () => null);
      return [...drawnWeights(planResampling(images, { seed, key }), index)];
    };
    expect(draw(1, "a", 0)).toEqual(draw(1, "a", 0));
    for (const other of [draw(2, "a", 0), draw(1, "b", 0), draw(1, "a", 1)]) expect(other).not.toEqual(draw(1, "a", 0));
  });
});

describe("weights", () => {
  it("give the correlations of lists in which the images stand that often", () => {
    const random = seededRandom(5, "weights");
    const predicted = Array.from({ length: 40 }, () => random.integer(15));
    const mos = predicted.map((p) => p + random.integer(12));
    const weights = drawnWeights(planResampling(predicted.map(() => null), SEED), 3); // prettier-ignore
    const repeated = [...weights].flatMap((weight, i) => Array.from({ length: weight }, () => i));
    const at = (values: readonly number[]) => repeated.map((i) => values[i] ?? NaN);
    const ranked = rankPairs(predicted, mos);
    const pairs: [Result, Result][] = [
      [weightedSrcc(ranked, weights), srcc(at(predicted), at(mos))],
      [weightedKrcc(ranked, ascendingOrder(ranked.predicted), weights), krcc(at(predicted), at(mos))],
    ];
    for (const [fast, slow] of pairs) expect([valueOf(fast)]).toBeAllClose([valueOf(slow)], EXACT);
  });
});

describe("percentileInterval", () => {
  const values = (list: readonly number[]): Result[] => list.map((value) => ({ ok: true, value }));

  it("is the middle 95 %, linear between neighbours", () => {
    const hundredths = values(Array.from({ length: 101 }, (_, i) => i / 100));
    const interval = percentileInterval(hundredths, 30);
    expect(interval.ok && [interval.low, interval.high]).toBeAllClose([0.025, 0.975], EXACT);
  });

  it("covers the true mean of normal numbers about 19 times in 20", () => {
    let covered = 0;
    const trials = 200;
    for (let trial = 0; trial < trials; trial++) {
      const random = seededRandom(trial, "coverage");
      const numbers = Array.from({ length: 60 }, () => random.normal());
      const plan = planResampling(numbers.map(() => null), { seed: trial, key: "", resamples: 200 }); // prettier-ignore
      const mean = (weights: Float64Array): Result => ({
        ok: true,
        value: numbers.reduce((sum, x, i) => sum + x * (weights[i] ?? NaN), 0) / numbers.length,
      });
      const interval = percentileInterval(bootstrap([plan], mean), plan.units);
      if (interval.ok && interval.low <= 0 && interval.high >= 0) covered++;
    }
    // 190 are expected, with a deviation of 3; the percentile interval of 60 numbers covers a little less.
    expect(covered).toBeGreaterThan(175);
    expect(covered).toBeLessThan(200);
  });

  it("has a reason for one unit, and for resamples without a value", () => {
    expect(percentileInterval(values([1, 1]), 1)).toEqual({ ok: false, reason: "nothing to resample: one unit" });
    const some: Result[] = [...values([1, 2, 3]), { ok: false, reason: "constant MOS" }];
    expect(percentileInterval(some, 3)).toEqual({
      ok: false,
      reason: "1 of 4 resamples have no value (constant MOS)",
    });
  });
});

function valueOf(result: Result): number {
  return result.ok ? result.value : NaN;
}
