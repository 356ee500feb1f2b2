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
  unitsOfMean,
} from "../../../src/evaluate/statistics/bootstrap.js";

const EXACT = { rtol: 1e-12, atol: 0 };
const SEED = { seed: 7 };

/** A database's list of images with these contents, named in their order. */
function list(contents: readonly (string | null)[], name = "mine", first = 0) {
  return { name, predictions: contents.map((content, i) => ({ image: `${first + i}.png`, content })) };
}

function plan(contents: readonly (string | null)[], options: { seed: number; resamples?: number } = SEED) {
  return only(planResampling([list(contents)], options));
}

function only<T>([first]: readonly T[]): T {
  if (first === undefined) throw new Error("none");
  return first;
}

const images = (count: number) => Array.from({ length: count }, () => null);

describe("planResampling", () => {
  it("draws contents where every image's is known, else images, and says which", () => {
    expect(plan(["a", "b", "a"])).toMatchObject({ of: "contents", units: 2 });
    expect(plan(["a", null, "a"])).toMatchObject({ of: "images", units: 3 });
  });

  it("draws a database once for all its lists: an image of two splits is in both, or in neither", () => {
    const [one, two] = planResampling([list(images(60)), list(images(60), "mine", 30)], SEED);
    if (one === undefined || two === undefined) throw new Error("two plans");
    expect([one.units, one.drawnFrom]).toEqual([60, 90]);
    const [ofOne, ofTwo] = [drawnWeights(one, 4), drawnWeights(two, 4)];
    expect(ofOne.subarray(30)).toEqual(ofTwo.subarray(0, 30));
    expect(ofOne.subarray(0, 30)).not.toEqual(ofTwo.subarray(30));
  });

  it("draws a thousand times where nothing else is said, and images where there are none", () => {
    expect(plan(["a"])).toMatchObject({ resamples: 1000, seed: 7, key: "mine" });
    expect(plan([])).toMatchObject({ of: "images", units: 0, drawnFrom: 0 });
  });

  it("does not depend on the order of lists or images, and draws databases apart", () => {
    const [forward] = planResampling([list(images(9))], SEED);
    const reversed = { name: "mine", predictions: list(images(9)).predictions.toReversed() };
    const other = list(images(9), "other");
    const [ofOther, backward] = planResampling([other, reversed], SEED);
    if (forward === undefined || backward === undefined || ofOther === undefined) throw new Error("three plans");
    expect([...drawnWeights(backward, 2)].reverse()).toEqual([...drawnWeights(forward, 2)]);
    expect([...drawnWeights(ofOther, 2)]).not.toEqual([...drawnWeights(forward, 2)]);
  });

  it("warns below 60 units of what simulations cover, and below 20 that intervals are not to be relied on", () => {
    expect(plan(images(60)).note).toBeNull();
    expect(plan(images(59)).note).toMatch(
      /^only 59 images: in simulations they cover the true value in \d\d %, and say 95 %$/,
    );
    expect(plan(images(20)).note).not.toContain("too few");
    expect(plan(images(59)).note).toContain("in 92 %, and");
    expect(plan(images(20)).note).toBe(
      "only 20 images: in simulations they cover the true value in 92 %, and say 95 %",
    );
    expect(plan(images(19)).note).toBe("only 19 images, too few to rely on intervals: in simulations they cover the true value in 94 %, and say 95 %"); // prettier-ignore
    expect(plan(images(6)).note).toContain("in 94 %, and");
    expect(plan(["a", "b", "c", "d", "e"]).note).toBe("only 5 contents, too few to rely on intervals");
    expect(plan(["a"]).note).toBe("only 1 content, too few to rely on intervals");
    expect(plan(images(1)).note).toBe("only 1 image, too few to rely on intervals");
  });
});

describe("drawnWeights", () => {
  const abc = plan(["a", "b", "a", "c"]);

  it("draws as many units as there are, a content with all its images", () => {
    for (let index = 0; index < 20; index++) {
      const [a, b, secondA, c] = drawnWeights(abc, index);
      expect(secondA).toBe(a);
      expect((a ?? NaN) + (b ?? NaN) + (c ?? NaN)).toBe(3);
    }
  });

  it("gives the same draw for the same seed, and others for another seed, database or resample", () => {
    const draw = (seed: number, name: string, index: number) => [
      ...drawnWeights(only(planResampling([list(images(50), name)], { seed })), index),
    ];
    expect(draw(1, "a", 0)).toEqual(draw(1, "a", 0));
    for (const other of [draw(2, "a", 0), draw(1, "b", 0), draw(1, "a", 1)]) expect(other).not.toEqual(draw(1, "a", 0));
  });
});

describe("weights", () => {
  it("give the correlations of lists in which the images stand that often", () => {
    const random = seededRandom(5, "weights");
    const predicted = Array.from({ length: 40 }, () => random.integer(15));
    const mos = predicted.map((p) => p + random.integer(12));
    const weights = drawnWeights(plan(images(predicted.length)), 3);
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

  /** 0 to 1 in a thousand equal steps: the quantile of a share p is (1002 p - 1) / 1000. */
  const shares = values(Array.from({ length: 1001 }, (_, i) => i / 1000));
  const ends = (value: number, units: number) => {
    const interval = percentileInterval(value, shares, units);
    return interval.ok ? [interval.low, interval.high] : [];
  };

  it("is the middle 95 % of many units where half of the resamples are below the value, linear between neighbors", () => {
    expect(ends(0.5, 100_000)).toBeAllClose([0.02405, 0.97595], { rtol: 1e-4, atol: 0 }); // of t's 99,999 degrees
  });

  it("is moved by the bias of the resamples, and widened for few units", () => {
    // scipy 1.17: norm.cdf(2 norm.ppf(share) ± t.ppf(.975, 29) √(30 / 29)), share = 600.5 / 1001
    expect(ends(0.6, 30)).toBeAllClose([0.0568573242, 0.9961406693], { rtol: 1e-8, atol: 0 });
    expect(ends(0.5, 30)).toBeAllClose([0.0177914081, 0.9822085919], { rtol: 1e-8, atol: 0 });
  });

  it("goes with the values where they are turned round, and stays finite where all resamples are on one side", () => {
    const turned = shares.map((one): Result => (one.ok ? { ok: true, value: -one.value } : one));
    const interval = percentileInterval(-0.6, turned, 30);
    expect(interval.ok && [-interval.high, -interval.low]).toBeAllClose(ends(0.6, 30), { rtol: 1e-9, atol: 0 });
    expect(ends(2, 30)).toBeAllClose([1, 1], { rtol: 1e-3, atol: 0 });
    expect(percentileInterval(1, values([1, 1, 1]), 30)).toEqual({ ok: true, low: 1, middle: 1, high: 1, lost: 0 });
  });

  it("covers the true mean of normal numbers about 19 times in 20", () => {
    let covered = 0;
    const trials = 200;
    for (let trial = 0; trial < trials; trial++) {
      const random = seededRandom(trial, "coverage");
      const numbers = Array.from({ length: 60 }, () => random.normal());
      const draw = plan(images(numbers.length), { seed: trial, resamples: 200 });
      const mean = (weights: Float64Array): Result => ({
        ok: true,
        value: numbers.reduce((sum, x, i) => sum + x * (weights[i] ?? NaN), 0) / numbers.length,
      });
      const whole = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
      const interval = percentileInterval(whole, bootstrap([draw], mean), draw.units);
      if (interval.ok && interval.low <= 0 && interval.high >= 0) covered++;
    }
    // 190 are expected, with a deviation of 3; the percentile interval of 60 numbers covers a little less.
    expect(covered).toBeGreaterThan(175);
    expect(covered).toBeLessThan(200);
  });

  it("has a reason for one unit, and for resamples without a value", () => {
    expect(percentileInterval(1, values([1, 1]), 1)).toMatchObject({
      ok: false,
      reason: "nothing to resample: one unit",
    });
    expect(percentileInterval(1, values([1, 1]), 2)).toMatchObject({ ok: true });
    expect(percentileInterval(1, [], 3)).toMatchObject({ ok: false, reason: "more than 10 % of the resamples have no value (no resamples)" }); // prettier-ignore
    const tenth: Result[] = [...values([1, 2, 3, 4, 5, 6, 7, 8, 9]), { ok: false, reason: "constant MOS" }];
    expect(percentileInterval(5, tenth, 3)).toMatchObject({ ok: true, lost: 1 });
    const some: Result[] = [...values([1, 2, 3]), { ok: false, reason: "constant MOS" }];
    expect(percentileInterval(2, some, 3)).toEqual({
      ok: false,
      reason: "more than 10 % of the resamples have no value (constant MOS)",
      lost: 1,
    });
  });
});

describe("unitsOfMean", () => {
  it("is the number that lists are drawn from together, and that of a list with nothing to draw from", () => {
    const splits = [list(images(60)), list(images(60), "mine", 30)];
    expect(unitsOfMean(planResampling(splits, SEED))).toBe(90);
    expect(unitsOfMean(planResampling([...splits, list(images(70), "other")], SEED))).toBe(70);
    expect(unitsOfMean(planResampling([...splits, list(images(1), "other")], SEED))).toBe(1);
  });
});

describe("lost resamples", () => {
  it("are counted where the interval leaves them out", () => {
    const some: Result[] = Array.from({ length: 20 }, (_, i) =>
      i === 7 ? { ok: false, reason: "constant MOS" } : { ok: true, value: i },
    );
    expect(percentileInterval(9, some, 20)).toMatchObject({ ok: true, lost: 1 });
  });
});

function valueOf(result: Result): number {
  return result.ok ? result.value : NaN;
}
