import type { Measured } from "../metrics/metrics.js";
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
export function pairedDifference(run: Measured, against: Measured, units: number): DifferenceJson {
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

function valueOf(result: Measured["result"]): number {
  return result.ok ? result.value : NaN;
}
