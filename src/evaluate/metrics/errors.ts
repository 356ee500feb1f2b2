import type { Result } from "../../base/types.js";
import { whyNoDeviation } from "./correlation.js";

type Scores = ArrayLike<number>;

/**
 * Root mean square error, in units of MOS for predictions mapped to its scale; image i counts `weights[i]` times, or once.
 * @throws {RangeError} where the lists differ in length
 */
export function rmse(predicted: Scores, mos: Scores, weights?: Float64Array): Result {
  const mean = meanSquare(predicted, mos, weights);
  return mean.ok ? { ok: true, value: Math.sqrt(mean.value) } : mean;
}

/** Mean absolute error; otherwise as `rmse`. */
export const mae = meanOf("mae", Math.abs);
const meanSquare = meanOf("rmse", (error) => error * error);

function meanOf(where: string, cost: (error: number) => number) {
  return (predicted: Scores, mos: Scores, weights?: Float64Array): Result => {
    const reason = whyNoDeviation(where, predicted, mos);
    if (reason !== undefined) return { ok: false, reason };
    let sum = 0;
    let total = 0;
    for (let i = 0; i < mos.length; i++) {
      const weight = weights === undefined ? 1 : (weights[i] ?? NaN);
      sum += weight * cost((predicted[i] ?? NaN) - (mos[i] ?? NaN));
      total += weight;
    }
    return total === 0 ? { ok: false, reason: "too few images" } : { ok: true, value: sum / total };
  };
}

/** Deviations of the opinions beyond which a prediction is an outlier. */
const OUTLIER_DEVIATIONS = 2;

/** True where the deviation of an image's opinions is known: 0 stands for one opinion, or for a gap in the data. */
export function isKnownDeviation(mosStd: number): boolean {
  return Number.isFinite(mosStd) && mosStd > 0;
}

/**
 * VQEG's outlier ratio: share of images whose prediction, on the scale of MOS, is further from MOS than twice the standard
 * deviation of its opinions, as databases publish it. (VQEG's own reports divide it by the root of the number of opinions,
 * which the lists do not have.) Images without a deviation are left out; weights and errors as for `rmse`.
 */
export function outlierRatio(predicted: Scores, mos: Scores, mosStd: Scores, weights?: Float64Array): Result {
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
