import { probit } from "simple-statistics";
import type { Random } from "../../base/random.js";

const QUANTILES = 65_536;
let quantiles: Float32Array | undefined;

/**
 * Standard normal numbers: quantiles at 65,536 equally likely points, looked up by a uniform number. One look-up a
 * sample instead of a logarithm, a root and a cosine, which a picture of half a million samples notices; the largest
 * magnitude is 4.2.
 */
export function normalSamples(count: number, random: Random): Float32Array {
  const table = (quantiles ??= normalQuantiles());
  const samples = new Float32Array(count);
  for (let i = 0; i < count; i++) samples[i] = table[random.integer(QUANTILES)] ?? 0;
  return samples;
}

/** Scaled to a variance of exactly 1, which the tails beyond the last quantile would have added. */
function normalQuantiles(): Float32Array {
  const raw = Float32Array.from({ length: QUANTILES }, (_, i) => probit((i + 0.5) / QUANTILES));
  const variance = raw.reduce((sum, x) => sum + x * x, 0) / QUANTILES;
  return raw.map((x) => x / Math.sqrt(variance));
}
