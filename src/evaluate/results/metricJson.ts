import type { Result } from "../../base/types.js";
import type { MetricValue } from "../metrics/metrics.js";
import { percentileInterval } from "../statistics/bootstrap.js";

/** A measure in `results.json`: its 95 % interval, or why it has none; or why there is no value. */
export type MetricJson =
  | { readonly value: number; readonly low: number; readonly high: number }
  | { readonly value: number; readonly low: null; readonly high: null; readonly intervalReason: string }
  | { readonly value: null; readonly reason: string };

/** @param units how many contents or images there were to draw from */
export function metricJson({ result, resampled }: MetricValue, units: number): MetricJson {
  if (!result.ok) return { value: null, reason: result.reason };
  const interval = percentileInterval(resampled, units);
  return interval.ok
    ? { value: result.value, low: interval.low, high: interval.high }
    : { value: result.value, low: null, high: null, intervalReason: interval.reason };
}

/** The mean over databases: of all images, and of each resample; none where one of them has no value. */
export function meanJson(measured: readonly MetricValue[]): MetricJson {
  return metricJson(meanMeasured(measured), Infinity);
}

export function meanMeasured(measured: readonly MetricValue[]): MetricValue {
  if (measured.length === 0) return { result: { ok: false, reason: "no database" }, resampled: [] };
  const resamples = measured.map(({ resampled }) => resampled.length).reduce((a, b) => Math.min(a, b));
  const resampled = Array.from({ length: resamples }, (_, index) =>
    meanResult(measured.map((one) => one.resampled[index] ?? { ok: false, reason: "no resamples" })),
  );
  return { result: meanResult(measured.map(({ result }) => result)), resampled };
}

function meanResult(results: readonly Result[]): Result {
  const values = results.flatMap((result) => (result.ok ? [result.value] : []));
  const without = results.find((result) => !result.ok);
  if (without?.ok === false) {
    const share = results.length === 1 ? "" : `${results.length - values.length} of ${results.length} have no value: `;
    return { ok: false, reason: `${share}${without.reason}` };
  }
  return { ok: true, value: values.reduce((sum, value) => sum + value, 0) / values.length };
}
