import type { Result } from "../../base/types.js";
import { whyNoDeviation } from "./pairs.js";

/** Deviations of the opinions beyond which a prediction is an outlier. */
const OUTLIER_DEVIATIONS = 2;

/** Whether the deviation of an image's opinions is known; 0 is no deviation, but that of one opinion, or a gap. */
export function isKnownDeviation(mosStd: number): boolean {
  return Number.isFinite(mosStd) && mosStd > 0;
}

/**
 * The share of images whose prediction, on the scale of MOS, is further from MOS than twice the standard deviation of its
 * opinions: VQEG's outlier ratio, with the deviation that databases publish. (VQEG's own reports divide it by the root of
 * the number of opinions, which the lists do not have.) Images without a deviation are left out; image i stands
 * `weights[i]` times (once without weights).
 *
 * @throws {RangeError} where predictions and MOS are not of one length
 */
export function outlierRatio(
  predicted: ArrayLike<number>,
  mos: ArrayLike<number>,
  mosStd: ArrayLike<number>,
  weights?: Float64Array,
): Result {
  const reason = whyNoDeviation("outlierRatio", predicted, mos);
  if (reason !== undefined) return { ok: false, reason };
  let outliers = 0;
  let total = 0;
  for (let i = 0; i < mos.length; i++) {
    const deviation = mosStd[i] ?? NaN;
    if (!isKnownDeviation(deviation)) continue;
    const weight = weights === undefined ? 1 : (weights[i] ?? NaN);
    const error = Math.abs((predicted[i] ?? NaN) - (mos[i] ?? NaN));
    if (error > OUTLIER_DEVIATIONS * deviation) outliers += weight;
    total += weight;
  }
  if (total === 0) return { ok: false, reason: "no deviations of the opinion scores" };
  return { ok: true, value: outliers / total };
}
