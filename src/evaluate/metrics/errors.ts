import type { Result } from "../../base/types.js";
import { whyNoDeviation } from "./pairs.js";

/**
 * Root mean square error, in units of MOS where the predictions are mapped to its scale; image i stands `weights[i]`
 * times (once without weights).
 *
 * @throws {RangeError} where the two are not of one length
 */
export function rmse(predicted: ArrayLike<number>, mos: ArrayLike<number>, weights?: Float64Array): Result {
  const mean = meanOf("rmse", predicted, mos, (error) => error * error, weights);
  return mean.ok ? { ok: true, value: Math.sqrt(mean.value) } : mean;
}

/** Mean absolute error; otherwise as `rmse`. */
export function mae(predicted: ArrayLike<number>, mos: ArrayLike<number>, weights?: Float64Array): Result {
  return meanOf("mae", predicted, mos, Math.abs, weights);
}

function meanOf(
  where: string,
  predicted: ArrayLike<number>,
  mos: ArrayLike<number>,
  cost: (error: number) => number,
  weights?: Float64Array,
): Result {
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
}
