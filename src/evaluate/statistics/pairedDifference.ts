import type { MetricValue } from "../metrics/metrics.js";
import { percentileInterval } from "./bootstrap.js";

/** A difference of two runs on the same images, with its 95 % interval and p; or why it has none. */
export type DifferenceJson =
  | { readonly difference: number; readonly low: number; readonly high: number; readonly p: number }
  | {
      readonly difference: number;
      readonly low: null;
      readonly high: null;
      readonly p: null;
      readonly intervalReason: string;
    }
  | { readonly difference: null; readonly reason: string };

/**
 * The paired bootstrap: both runs were measured in the same resamples of the same images, so that what is hard in an image
 * for both takes no part. Two-sided p: twice the smaller share of resamples on either side of 0, each counted with one
 * resample more, so that p is never 0 (A. C. Davison and D. V. Hinkley, Bootstrap Methods, 1997, section 4.4).
 *
 * @param units how many contents or images there were to draw from
 */
export function pairedDifference(run: MetricValue, against: MetricValue, units: number): DifferenceJson {
  for (const { result } of [run, against]) if (!result.ok) return { difference: null, reason: result.reason };
  const difference = valueOf(run.result) - valueOf(against.result);
  const resampled = run.resampled.map((result, index) => {
    const other = against.resampled[index];
    if (other === undefined) throw new Error("internal: pairedDifference: runs of different resamples");
    if (!result.ok || !other.ok) return result.ok ? other : result;
    return { ok: true, value: result.value - other.value } as const;
  });
  const interval = percentileInterval(resampled, units);
  if (!interval.ok) return { difference, low: null, high: null, p: null, intervalReason: interval.reason };
  const values = resampled.flatMap((result) => (result.ok ? [result.value] : []));
  const share = (isIn: (value: number) => boolean) => (1 + values.filter(isIn).length) / (1 + values.length);
  const p = Math.min(1, 2 * Math.min(share((value) => value <= 0), share((value) => value >= 0))); // prettier-ignore
  return { difference, low: interval.low, high: interval.high, p };
}

function valueOf(result: MetricValue["result"]): number {
  return result.ok ? result.value : NaN;
}

/** What a t-test over splits says of the difference of two runs, or why it says nothing. */
export type SplitTest =
  | {
      /** The mean over the splits. */
      readonly difference: number;
      readonly t: number;
      readonly degreesOfFreedom: number;
      readonly p: number;
      /** Test images for each training image: what the correction is by. */
      readonly testToTrain: number;
    }
  | { readonly difference: null; readonly reason: string };

/**
 * The corrected resampled t-test (C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52,
 * 2003): splits of one database share training images, so that their differences vary less than those of new data would;
 * the variance of their mean is taken to be (1/J + test/train)·s² in place of s²/J. Two-sided.
 *
 * @param differences  of one measure, a value a split
 * @param testToTrain  the number of test images over that of training images
 */
export function resampledTTest(differences: readonly number[], testToTrain: number): SplitTest {
  const splits = differences.length;
  if (splits < 2) return { difference: null, reason: "fewer than two splits" };
  const mean = differences.reduce((sum, d) => sum + d, 0) / splits;
  const variance = differences.reduce((sum, d) => sum + (d - mean) ** 2, 0) / (splits - 1);
  const degreesOfFreedom = splits - 1;
  if (variance === 0 && mean !== 0) return { difference: null, reason: "the same difference in every split" };
  const t = variance === 0 ? 0 : mean / Math.sqrt((1 / splits + testToTrain) * variance);
  return { difference: mean, t, degreesOfFreedom, p: twoSidedP(t, degreesOfFreedom), testToTrain };
}

/**
 * P(|T| > |t|) of Student's t with a whole number of degrees of freedom, by the finite series of M. Abramowitz and
 * I. Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4. Absolute error of the order of 1e-15.
 */
export function twoSidedP(t: number, degreesOfFreedom: number): number {
  const angle = Math.atan(Math.abs(t) / Math.sqrt(degreesOfFreedom));
  const cosine2 = Math.cos(angle) ** 2;
  const isOdd = degreesOfFreedom % 2 === 1;
  let term = isOdd ? Math.cos(angle) : 1;
  let sum = degreesOfFreedom === 1 ? 0 : term;
  for (let k = isOdd ? 2 : 1; k <= degreesOfFreedom - 3; k += 2) {
    term *= (k / (k + 1)) * cosine2;
    sum += term;
  }
  const inside = isOdd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
  return Math.max(0, 1 - inside);
}
