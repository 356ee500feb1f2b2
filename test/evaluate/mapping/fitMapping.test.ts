import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fitMapping, type Mapping, refitMapping } from "../../../src/evaluate/mapping/fitMapping.js";
import { pearson } from "../../../src/evaluate/metrics/correlation.js";
import { rmse } from "../../../src/evaluate/metrics/errors.js";
import { PROTOCOLS } from "../../../src/evaluate/protocols.js";
import { keptEntries, referenceCases } from "../reference.js";

/** Of the range of MOS; SciPy's derivatives are differences. */
const CURVE = 1e-6;
const PLCC = { rtol: 1e-9, atol: 0 };
/** The release's own call stops before the minimum: up to this far from it in PLCC on the fixtures. */
const RELEASED_PLCC = 2e-6;

/** A resample's curve is searched only as far as an interval needs. */
const REFITTED_CURVE = 1e-4;

/** Of the root mean square error, relative: the best end of SciPy's starts is not to be beaten, nor to beat ours. */
const BEST_RMSE = 1e-8;
const BEST_PLCC = { rtol: 0, atol: 1e-6 };
/** Its best curve lies in a valley so flat that ends of one error, to 1e-8, are further apart than CURVE. */
const FLAT_VALLEY = { name: "both rounded", protocol: "logistic5", curve: 5e-6 };

/** Squared error over SciPy's: above this it is worse; within SAME_MINIMUM both have reached one minimum. */
const NOT_ABOVE = 1 + 1e-9;
const SAME_MINIMUM = 1e-7;
const SAME_PLCC = 1e-6;

/** A list of scripts/reference/curve_fit.py; null where SciPy has no fit. */
interface CurveFit {
  readonly kind: string;
  readonly predicted: readonly number[];
  readonly mos: readonly number[];
  readonly squaredError: number | null;
  readonly plcc: number | null;
}

const CURVE_FITS = JSON.parse(
  readFileSync(new URL("../../fixtures/mapping/curve_fit.json", import.meta.url), "utf8"),
) as readonly CurveFit[]; // as its script wrote it

describe("fitMapping", () => {
  it.each(["monotone", "exponential", "step", "noise", "inverted", "ties"])(
    "liqe: fits every list, never worse than curve_fit from the same start, and alike at one minimum: %s",
    (wanted) => {
      const lists = CURVE_FITS.filter(({ kind }) => kind === wanted);
      expect(lists).toHaveLength(12);
      for (const { predicted, mos, squaredError, plcc: expected } of lists) {
        const apply = fit("liqe", predicted, mos).apply(predicted);
        if (squaredError === null || expected === null) continue;
        const own = mos.reduce((sum, value, i) => sum + (value - (apply[i] ?? NaN)) ** 2, 0);
        expect(own / squaredError, `${mos.length} images`).toBeLessThanOrEqual(NOT_ABOVE);
        if (own / squaredError < 1 - SAME_MINIMUM) continue;
        expect(Math.abs(plcc(apply, mos) - expected), `${mos.length} images`).toBeLessThanOrEqual(SAME_PLCC);
      }
    },
  );

  it("liqe: fits where the release's start is an exponential's far end, which leaves float64 without scaling", () => {
    const predicted = Array.from({ length: 125 }, (_, i) => 1 + ((i * 0.6180339887) % 4));
    const mos = predicted.map((x) => Math.exp(12 * (x - 3)));
    const apply = fit("liqe", predicted, mos).apply(predicted);
    expect(plcc(apply, mos)).toBeGreaterThan(0.9999);
  });

  it("liqe: tries other starts where its own ends on the flat of a curve, above SciPy's end", () => {
    const predicted = [1.9424, 4.3046, 1.995, 2.8652, 3.2747, 4.2741, 4.4839, 3.8663, 1.6192, 2.2153, 1.7952, 4.2123];
    const mos = [82.477, 44.383, 75.238, 64.83, 91.696, 43.933, 51.623, 36.167, 39.823, 49.967, 10.193, 40.852];
    const apply = fit("liqe", predicted, mos).apply(predicted);
    const own = mos.reduce((sum, value, i) => sum + (value - (apply[i] ?? NaN)) ** 2, 0);
    expect(own).toBeLessThan(4876.797478057142); // curve_fit's, of a list of scripts/reference/curve_fit.py --lists 1000
  });

  const fitted = referenceCases().filter(({ liqe }) => liqe !== null);

  it.each(fitted)("liqe: SciPy's curve and PLCC from the release's start: $name", ({ predicted, mos, liqe }) => {
    const apply = fit("liqe", predicted, mos).apply(predicted);
    expect(curveDistance(apply, liqe?.fitted ?? [], mos)).toBeLessThan(CURVE);
    expect([plcc(apply, mos)]).toBeAllClose([liqe?.plcc ?? NaN], PLCC);
    expect(Math.abs(plcc(apply, mos) - (liqe?.released ?? NaN))).toBeLessThan(RELEASED_PLCC);
  });

  it.each(fitted)("vqeg4 and logistic5: the best curve that SciPy finds from many starts: $name", (reference) => {
    const { name, predicted, mos } = reference;
    for (const protocol of ["vqeg4", "logistic5"] as const) {
      const expected = reference[protocol];
      if (expected === null) continue;
      const apply = fit(protocol, predicted, mos).apply(predicted);
      const error = rmse(apply, mos);
      expect(Math.abs((error.ok ? error.value : NaN) / expected.rmse - 1), protocol).toBeLessThan(BEST_RMSE);
      expect([plcc(apply, mos)], protocol).toBeAllClose([expected.plcc], BEST_PLCC);
      const isFlat = name === FLAT_VALLEY.name && protocol === FLAT_VALLEY.protocol;
      const tolerance = isFlat ? FLAT_VALLEY.curve : CURVE;
      expect(curveDistance(apply, expected.fitted, mos), protocol).toBeLessThan(tolerance);
    }
  });

  it("finds the parameters that made the points, whatever their scale", () => {
    const predicted = Array.from({ length: 41 }, (_, i) => 1 + i / 10);
    const curve = (x: number) => 900 / (1 + Math.exp(-(x - 2.5) / 0.4)) + 50;
    const mapping = fit("liqe", predicted, predicted.map(curve));
    expect(mapping.parameters).toBeAllClose([950, 50, 2.5, 0.4], { rtol: 1e-7, atol: 0 });
  });

  it("leaves predictions alone under the raw protocol", () => {
    expect([...fit("raw", [1, 2], [3, 4]).apply([1, 2])]).toEqual([1, 2]);
  });

  it("has no curve but a reason for too few images and for constant ones", () => {
    expect(fitMapping(PROTOCOLS.liqe, [1, 2, 3, 4], [1, 2, 3, 4])).toEqual({
      ok: false,
      reason: "too few images: 4 for a curve of 4 parameters",
    });
    expect(fitMapping(PROTOCOLS.liqe, [2, 2, 2, 2, 2], [1, 2, 3, 4, 5])).toEqual({
      ok: false,
      reason: "constant predictions",
    });
  });
});

describe("fitMapping of scores beyond float64", () => {
  it("has no curve, and says from how many starts it looked for one", () => {
    const mos = [1, 1.1, 1.2, 1.4, 1.5, 1.7].map((score) => score * 1e308); // their sum is infinite
    const reasonOf = (protocol: "vqeg4" | "liqe") => {
      const result = fitMapping(PROTOCOLS[protocol], [1, 2, 3, 4, 5, 6], mos);
      return result.ok ? "" : result.reason;
    };
    expect(reasonOf("vqeg4")).toBe("the logistic fit did not converge from any of its 15 start(s)");
    expect(reasonOf("liqe")).toBe("the logistic fit did not converge from any of its 1 start(s)");
  });
});

describe("refitMapping", () => {
  it("gives the curve of the points that stand as often as their weights say", () => {
    const { predicted, mos } = referenceCases().find(({ name }) => name === "20 images") ?? { predicted: [], mos: [] };
    const weights = Float64Array.from(predicted, (_, i) => [1, 2, 0, 1][i % 4] ?? NaN);
    const repeated = [...weights].flatMap((weight, i) => Array.from({ length: weight }, () => i));
    const at = (values: readonly number[]) => repeated.map((i) => values[i] ?? NaN);
    const expected = fit("liqe", at(predicted), at(mos)).apply(predicted);
    const refitted = refitMapping(PROTOCOLS.liqe, fit("liqe", predicted, mos), weights);
    expect(refitted.ok).toBe(true);
    if (refitted.ok)
      expect(curveDistance(refitted.mapping.apply(predicted), [...expected], mos)).toBeLessThan(REFITTED_CURVE);
  });

  it.each(["falling", "rising"] as const)(
    "goes on from a curve that is a %s exponential, the logistic's limit",
    (way) => {
      const predicted = Array.from({ length: 41 }, (_, i) => 1 + i / 10);
      const sign = way === "falling" ? -1 : 1;
      const mos = predicted.map((x, i) => sign * (Math.exp((sign * x) / 2) + 0.05 * Math.sin(7 * i)));
      const full = fit("liqe", predicted, mos);
      const refitted = refitMapping(PROTOCOLS.liqe, full, new Float64Array(mos.length).fill(1));
      expect(refitted.ok).toBe(true);
      const wanted = full.apply(predicted);
      expect(plcc(wanted, mos)).toBeGreaterThan(0.9);
      if (refitted.ok)
        expect(curveDistance(refitted.mapping.apply(predicted), [...wanted], mos)).toBeLessThan(REFITTED_CURVE);
    },
  );
});

function fit(protocol: keyof typeof PROTOCOLS, predicted: readonly number[], mos: readonly number[]): Mapping {
  const result = fitMapping(PROTOCOLS[protocol], predicted, mos);
  if (!result.ok) throw new Error(`${protocol}: ${result.reason}`);
  return result.mapping;
}

function plcc(mapped: Float64Array, mos: readonly number[]): number {
  const result = pearson(mapped, mos);
  return result.ok ? result.value : NaN;
}

/** The largest distance of two curves over the range of MOS; NaN where they are not of one length. */
function curveDistance(mapped: Float64Array, expected: readonly number[], mos: readonly number[]): number {
  const range = mos.reduce((a, b) => Math.max(a, b)) - mos.reduce((a, b) => Math.min(a, b));
  const kept = mapped.length === expected.length ? [...mapped] : keptEntries(mapped);
  if (kept.length !== expected.length) return NaN;
  return kept.map((value, i) => Math.abs(value - (expected[i] ?? NaN)) / range).reduce((a, b) => Math.max(a, b));
}
