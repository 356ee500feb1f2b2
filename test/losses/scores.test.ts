import { describe, expect, it } from "vitest";
import { DataError } from "../../src/base/errors.js";
import { softLevels } from "../../src/base/distributions.js";
import { scoreTargets } from "../../src/losses/scores.js";
import reference from "../fixtures/losses/scoreLosses.json" with { type: "json" };

/** Two equations are solved, which in the middle of the scale are nearly one: 1e-16 of the density is 1e-10 there. */
const EXACT = { rtol: 1e-8, atol: 1e-12 };

const meanOf = (levels: readonly number[]) => levels.reduce((sum, p, i) => sum + p * (i + 1), 0);

describe("softLevels", () => {
  it.each(reference.softLevels)("has PyTorch's levels for $score with deviation $deviation", (point) => {
    expect(softLevels(point.score, point.deviation, 5)).toBeAllClose(point.levels, EXACT);
  });

  it("is a distribution whose mean is the score, for any score, deviation and number of levels", () => {
    for (const levels of [3, 5, 10]) {
      for (let score = 1; score <= levels; score += 0.125) {
        for (const deviation of [0, 0.15, 0.2, 0.5, 1, 3]) {
          const found = softLevels(score, deviation, levels);
          expect(found.every((p) => p >= 0)).toBe(true);
          expect(found.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
          expect(Math.abs(meanOf(found) - score)).toBeLessThanOrEqual(0.1);
        }
      }
    }
  });

  it("is symmetric, and the same just beside the middle of the scale as in it", () => {
    const [low, high] = [softLevels(2.25, 0.75, 5), softLevels(3.75, 0.75, 5)];
    expect(high.toReversed()).toBeAllClose(low, EXACT);
    const middle = softLevels(3, 0.75, 5);
    expect(softLevels(3 + 1e-5, 0.75, 5)).toBeAllClose(middle, { rtol: 0, atol: 1e-4 });
    expect(middle[2]).toBeGreaterThan(0.4); // a peak, where 0/0 taken for 0 would be flat
  });

  it("has the two levels around the score alone where nobody disagrees", () => {
    expect(softLevels(3.75, 0, 5)).toEqual([0, 0, 0.25, 0.75, 0]);
  });
});

const DATABASES = [
  { name: "live", images: 2, mosSpan: 80, mosLowest: 10 },
  { name: "csiq", images: 3, mosSpan: 1, mosLowest: 0 },
];
const LABELS = { databases: DATABASES, mos: [10, 50, 1, 0.5, 0.75], mosStd: [8, 4, 0.1, 0.2, 0] };

describe("scoreTargets", () => {
  it("aligns each database's own scale with the levels", () => {
    const { realigned, normalized, weights, blocks } = scoreTargets(LABELS, 5, { quality: "plcc" });
    expect([...realigned]).toEqual([1, 3, 5, 3, 4]);
    expect(normalized).toBeAllClose([-Math.SQRT1_2, Math.SQRT1_2, Math.SQRT1_2, -Math.SQRT1_2, 0]);
    expect(weights).toBeAllClose([1 / 4, 1 / 4, 1 / 6, 1 / 6, 1 / 6]);
    expect([...blocks]).toEqual([1, 1, 0, 0, 0, 0, 0, 1, 1, 1]);
  });

  it("takes deviations to the same scale, for the losses of levels alone", () => {
    const soft = scoreTargets(LABELS, 5, { quality: "kl" }).softLevels;
    expect(soft.subarray(10, 15)).toBeAllClose(softLevels(5, 0.4, 5)); // 0.1 of a span of 1, 4 levels wide
    expect(scoreTargets(LABELS, 5, { quality: "huber" }).softLevels).toHaveLength(0);
  });

  it("rejects missing deviations where it needs them, and scores that do not differ", () => {
    const without = { ...LABELS, mosStd: [8, null, 0.1, 0.2, 0] };
    expect(() => scoreTargets(without, 5, { quality: "emd" })).toThrow(DataError);
    expect(() => scoreTargets(without, 5, { quality: "emd" })).toThrow("live: mosStd is null");
    expect(() => scoreTargets(without, 5, { quality: "huber" })).not.toThrow();
    const flat = { ...LABELS, databases: DATABASES.map((one) => ({ ...one, mosSpan: 0 })) };
    expect(() => scoreTargets(flat, 5, { quality: "huber" })).toThrow("live: all training scores are 10");
  });
});

describe("what scoreTargets says of labels", () => {
  const of =
    (labels: object, quality: "emd" | "huber" = "huber") =>
    () =>
      scoreTargets({ ...LABELS, ...labels }, 5, { quality });

  it("is how to do without deviations, and without a scale", () => {
    for (const [wrong, shown] of [
      [undefined, "undefined"],
      [null, "null"],
      [-1, "-1"],
      [Infinity, "Infinity"],
    ] as const) {
      // prettier-ignore
      const mosStd = [8, 4, 0.1, 0.2, wrong] as number[]; // as lists that were not checked may have it
      expect(of({ mosStd }, "emd")).toThrow(
        new DataError(
          `scoreTargets: csiq: mosStd is ${shown}; soft levels need deviations, finite and not negative; losses.quality: ` +
            "fidelity needs none",
        ),
      );
    }
    expect(of({ databases: DATABASES.map((one) => ({ ...one, mosSpan: 0 })) })).toThrow(
      new DataError(
        "scoreTargets: live: all training scores are 10, which is no scale; leave the database out, or set " +
          "losses.quality: fidelity",
      ),
    );
  });

  it("is our own fault: rankings, no scale, another number of scores", () => {
    expect(of({ rankings: { groups: [{ levels: [1, 2] }], weight: 1 } })).toThrow(
      "internal: scoreTargets: rankings have no scores",
    );
    expect(of({ rankings: { groups: [], weight: 1 } })).not.toThrow();
    for (const key of ["mosSpan", "mosLowest"]) {
      expect(of({ databases: DATABASES.map((one) => ({ ...one, [key]: undefined })) })).toThrow(
        "internal: scoreTargets: needs mosSpan, mosLowest",
      );
    }
    expect(of({ mos: [1, 2, 3, 4] })).toThrow("internal: scoreTargets: 4 scores for 5 images");
  });
});

describe("a database whose images all have one score", () => {
  it("has no direction, and not NaN", () => {
    const labels = { ...LABELS, mos: [10, 50, 0.5, 0.5, 0.5] };
    const { normalized, realigned } = scoreTargets(labels, 5, { quality: "plcc" });
    expect([...normalized.subarray(2)]).toEqual([0, 0, 0]);
    expect([...realigned.subarray(2)]).toEqual([3, 3, 3]);
  });
});
