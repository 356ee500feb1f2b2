import { describe, expect, it } from "vitest";
import {
  distributionAgreement,
  divergence,
  levelShares,
  wasserstein,
} from "../../../src/evaluate/metrics/distributionAgreement.js";
import { prediction } from "../support.js";

/** Realignment by a straight line, level = 1 + mos / 25. */
const line = {
  ok: true as const,
  mapping: {
    apply: (mos: ArrayLike<number>) => Float64Array.from(mos, (one) => 1 + one / 25),
    ...{ parameters: [], iterations: 0, starts: { tried: 0, converged: 0 } },
  },
};
const image = (mos: number, mosStd: number | null, quality: readonly number[]) =>
  prediction({ mos, mosStd, probabilities: { quality, scene: [], distortion: [] } });

describe("levelShares", () => {
  it("cuts a normal distribution at the levels' middles", () => {
    const shares = levelShares(3, 1, 5);
    // scipy.stats.norm.cdf at -1.5, -0.5, 0.5, 1.5
    [0.06680720126885807, 0.24173033745712885, 0.38292492254802624, 0.24173033745712885, 0.06680720126885807].forEach((share, i) => { expect(shares[i]).toBeCloseTo(share, 12); }); // prettier-ignore
    expect(levelShares(2.2, 0, 5)).toEqual([0, 1, 0, 0, 0]);
    expect(levelShares(-3, 2, 5).reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  });
});

describe("divergence and wasserstein", () => {
  it("are 0 for equal distributions, and as computed by hand for others", () => {
    const p = [0.5, 0.5, 0];
    expect([divergence(p, p), wasserstein(p, p)]).toEqual([0, 0]);
    const q = [0.25, 0.25, 0.5];
    expect(divergence(p, q)).toBeCloseTo(Math.LN2, 12);
    expect(wasserstein(p, q)).toBeCloseTo(0.25 + 0.5, 12);
    expect(wasserstein([1, 0, 0], [0, 0, 1])).toBe(2);
  });

  it("keeps KL finite where the predicted probability is 0", () => {
    expect(divergence([1, 0], [0, 1])).toBeCloseTo(Math.log(1e7), 9);
  });
});

describe("distributionAgreement", () => {
  it("is 0 throughout for predictions that are the subjective distributions on the model's scale", () => {
    const images = [10, 40, 60, 95].map((mos) => image(mos, 20, levelShares(1 + mos / 25, 20 / 25, 5)));
    const found = distributionAgreement(images, line);
    expect(found).toMatchObject({ images: 4 });
    if (found.kl === null) throw new Error(found.reason);
    for (const value of [found.kl, found.wasserstein, found.calibration]) expect(Math.abs(value)).toBeLessThan(1e-6);
  });

  it("tells predictions that are too sure from the subjective shares", () => {
    const found = distributionAgreement([image(50, 25, [0, 0, 1, 0, 0])], line);
    if (found.kl === null) throw new Error(found.reason);
    const [outer = NaN, inner = NaN, middle = NaN] = levelShares(3, 1, 5);
    expect(found.kl).toBeCloseTo(2 * outer * Math.log(outer / 1e-7) + 2 * inner * Math.log(inner / 1e-7) + middle * Math.log(middle), 5); // prettier-ignore
    expect(found.wasserstein).toBeCloseTo(2 * (outer + (outer + inner)), 6);
    expect(found.calibration).toBeCloseTo((2 * outer + 2 * inner + (1 - middle)) / 5, 6);
  });

  it("says why there is none", () => {
    const flat = [0.2, 0.2, 0.2, 0.2, 0.2];
    expect(distributionAgreement([image(50, null, flat)], line)).toMatchObject({ reason: "no deviations of the opinion scores" }); // prettier-ignore
    expect(distributionAgreement([image(50, 3, [])], line)).toMatchObject({ reason: "no probabilities of the levels" });
    const none = distributionAgreement([image(50, 3, flat)], { ok: false, reason: "too few images" });
    expect(none).toMatchObject({ kl: null, reason: "MOS cannot be put on the model's scale: too few images" });
  });
});
