import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { pearson, srcc } from "../../../src/evaluate/metrics/correlation.js";
import { mae, outlierRatio, rmse } from "../../../src/evaluate/metrics/errors.js";
import { krcc } from "../../../src/evaluate/metrics/kendall.js";
import { averageRanks } from "../../../src/evaluate/metrics/ranks.js";
import { referenceCases } from "../reference.js";

const CLOSED_FORM = { rtol: 1e-12, atol: 1e-15 }; // atol for correlations near 0
const SCIPY = { rtol: 1e-9, atol: 1e-12 }; // SciPy sums in another order

const CORRELATIONS = { srcc, krcc, pearson };

describe("averageRanks", () => {
  it("gives ties the mean of their ranks", () => {
    expect([...averageRanks([10, 20, 20, 5])]).toEqual([2, 3.5, 3.5, 1]);
  });
  it("takes -0 and 0 for a tie", () => {
    expect([...averageRanks([0, -0, 1])]).toEqual([1.5, 1.5, 3]);
  });
});

describe("srcc, krcc and pearson", () => {
  it.each(referenceCases())("are SciPy's, or have none where SciPy has none: $name", (reference) => {
    for (const name of ["srcc", "krcc", "pearson"] as const) {
      const result = CORRELATIONS[name](reference.predicted, reference.mos);
      const expected = reference[name];
      if (expected === null) expect(result, name).toMatchObject({ ok: false });
      else expect([result.ok ? result.value : NaN], name).toBeAllClose([expected], SCIPY);
    }
  });

  it("have these values on five images with a tie, by hand", () => {
    const predicted = [1, 2, 2, 4, 5];
    const mos = [2, 1, 3, 5, 4];
    // Ranks 1, 2.5, 2.5, 4, 5 and 2, 1, 3, 5, 4: Σ of products of deviations 7, spreads 9.5 and 10.
    expect([valueOf(srcc(predicted, mos))]).toBeAllClose([7 / Math.sqrt(95)], CLOSED_FORM);
    // Of 10 pairs one ties in the predictions, 7 agree and 2 do not.
    expect([valueOf(krcc(predicted, mos))]).toBeAllClose([5 / Math.sqrt(90)], CLOSED_FORM);
  });

  it("tells a pair in order from one in reverse with two images", () => {
    for (const measure of Object.values(CORRELATIONS)) {
      expect(measure([1, 2], [30, 40])).toEqual({ ok: true, value: 1 });
      expect(measure([1, 2], [40, 30])).toEqual({ ok: true, value: -1 });
    }
  });

  it.each([
    [[1], [2], "too few images"],
    [[], [], "too few images"],
    [[3, 3, 3], [1, 2, 3], "constant predictions"],
    [[1, 2, 3], [0.1, 0.1, 0.1], "constant MOS"],
    [[1, NaN, 3], [1, 2, 3], "non-finite predictions"],
    [[1, 2, 3], [1, 2, Infinity], "non-finite MOS"],
  ])("of %j and %j have no value but a reason: %s", (predicted, mos, reason) => {
    for (const measure of Object.values(CORRELATIONS)) expect(measure(predicted, mos)).toEqual({ ok: false, reason });
  });

  it("reject lists of two lengths", () => {
    expect(() => srcc([1, 2], [1])).toThrow("srcc: 2 predictions for 1 MOS values; pair them by image");
  });

  it("stay the same under another order of the images, and the ranks' under a rising map", () => {
    const random = seededRandom(1, "invariance");
    const pairs = Array.from({ length: 200 }, () => [Math.round(random.normal() * 5), random.normal()] as const);
    const shuffled = random.shuffle(pairs);
    const of = (measure: typeof srcc, list: typeof pairs, map = (x: number) => x) =>
      valueOf(measure(list.map(([p]) => map(p)), list.map(([, m]) => m))); // prettier-ignore
    for (const measure of Object.values(CORRELATIONS)) {
      expect([of(measure, shuffled)]).toBeAllClose([of(measure, pairs)], CLOSED_FORM);
    }
    for (const measure of [srcc, krcc]) expect(of(measure, pairs, Math.exp)).toBe(of(measure, pairs));
  });

  it("gives krcc the value of counting every pair", () => {
    const random = seededRandom(2, "pairs");
    const predicted = Array.from({ length: 120 }, () => random.integer(30));
    const mos = predicted.map((p) => p + random.integer(25));
    expect([valueOf(krcc(predicted, mos))]).toBeAllClose([countedTauB(predicted, mos)], CLOSED_FORM);
  });

  it("survives scores of 1e200 and of 1e-200", () => {
    expect([valueOf(pearson([1e200, 2e200, 4e200], [1e-200, 2e-200, 4e-200]))]).toBeAllClose([1], CLOSED_FORM);
  });

  it("have none in a resample of equal scores, whose mean is rounded away from them", () => {
    const thrice = Float64Array.from([3, 0, 0]);
    expect(pearson([0.1, 0.2, 0.7], [0.1, 0.3, 0.2], thrice)).toEqual({ ok: false, reason: "constant predictions" });
    const twoOfThree = Float64Array.from([2, 1, 0]);
    expect(pearson([0.1, 0.1, 0.7], [0.1, 0.3, 0.2], twoOfThree)).toMatchObject({ ok: false });
    expect(pearson([0.1, 0.3, 0.2], [0.1, 0.1, 0.7], twoOfThree)).toEqual({ ok: false, reason: "constant MOS" });
  });
});

describe("rmse and mae", () => {
  it.each(referenceCases())("are NumPy's: $name", ({ predicted, mos, ...expected }) => {
    expect([valueOf(rmse(predicted, mos))]).toBeAllClose([expected.rmse], SCIPY);
    expect([valueOf(mae(predicted, mos))]).toBeAllClose([expected.mae], SCIPY);
  });
  it("have no value for no image and for one that is not finite", () => {
    expect(rmse([], [])).toEqual({ ok: false, reason: "too few images" });
    expect(mae([NaN], [1])).toEqual({ ok: false, reason: "non-finite predictions" });
  });
});

describe("outlierRatio", () => {
  it("counts images further from MOS than two deviations, of those whose deviation is known", () => {
    expect(outlierRatio([14, 6, 15, 5], [10, 10, 10, 10], [2, 2, 2, 2])).toEqual({ ok: true, value: 0.5 });
    expect(outlierRatio([15, 14, 99, 99, 99], [10, 10, 10, 10, 10], [2, 2, 0, NaN, -1])).toEqual({ ok: true, value: 0.5 }); // prettier-ignore
    expect(outlierRatio([15, 14], [10, 10], [2, 2], Float64Array.of(3, 1))).toEqual({ ok: true, value: 0.75 });
    expect(outlierRatio([1], [2], [0])).toEqual({ ok: false, reason: "no deviations of the opinion scores" });
  });
});

function valueOf(result: ReturnType<typeof srcc>): number {
  return result.ok ? result.value : NaN;
}

/** tau-b by its definition, in O(n²). */
function countedTauB(a: readonly number[], b: readonly number[]): number {
  let [excess, untiedA, untiedB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < i; j++) {
      const [p, m] = [Math.sign((a[i] ?? NaN) - (a[j] ?? NaN)), Math.sign((b[i] ?? NaN) - (b[j] ?? NaN))];
      excess += p * m;
      untiedA += Math.abs(p);
      untiedB += Math.abs(m);
    }
  }
  return excess / Math.sqrt(untiedA * untiedB);
}
