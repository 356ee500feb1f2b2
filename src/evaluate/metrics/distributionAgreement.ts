/** Agreement of the predicted distribution over quality levels with the subjective one. */
import type { MappingResult } from "../mapping/fitMapping.js";
import type { Prediction } from "../scoring/predictions.js";
import { normalBelow } from "../statistics/distributions.js";
import { isKnownDeviation } from "./errors.js";
import { mean } from "./vectors.js";

/** Means over the images that have a deviation and predicted probabilities, or why there are none. */
export type DistributionAgreement =
  | {
      readonly images: number;
      /** KL(subjective, predicted) in nats. */
      readonly kl: number;
      /** Wasserstein distance of order 1, in levels. */
      readonly wasserstein: number;
      /** Expected calibration error over all levels: predicted probability against the subjective share, 0 to 1. */
      readonly calibration: number;
    }
  | { readonly kl: null; readonly reason: string };

/** Least probability in KL, about the rounding of a float32 next to 1: the predictions are float32. */
const LEAST = 1e-7;
/** Bins of predicted probabilities whose means are compared. */
const BINS = 10;
/** Step, as a share of the deviation, by which the slope of the realignment is taken. */
const SLOPE_STEP = 1e-3;

/**
 * Compares each image's probabilities of the levels with a normal distribution of its opinions, cut at the levels' middles.
 * MOS and deviation are put on the model's scale by the realignment, the deviation by its slope at the MOS.
 * @param realignment  curve from MOS to predicted quality, on the scale of the levels from 1
 */
export function distributionAgreement(
  predictions: readonly Prediction[],
  realignment: MappingResult,
): DistributionAgreement {
  if (!realignment.ok) return { kl: null, reason: `MOS cannot be put on the model's scale: ${realignment.reason}` };
  const known = predictions.filter(({ mosStd }) => mosStd !== null && isKnownDeviation(mosStd));
  if (known.length === 0) return { kl: null, reason: "no deviations of the opinion scores" };
  const judged = known.filter(({ probabilities }) => probabilities.quality.length > 1);
  if (judged.length === 0) return { kl: null, reason: "no probabilities of the levels" };
  const pairs = judged.map(({ mos, mosStd, probabilities: { quality } }) => {
    const step = SLOPE_STEP * (mosStd ?? NaN);
    const [at = NaN, below = NaN, above = NaN] = realignment.mapping.apply([mos, mos - step, mos + step]);
    const deviation = Math.abs((above - below) / (2 * step)) * (mosStd ?? NaN);
    return { subjective: levelShares(at, deviation, quality.length), predicted: quality };
  });
  return {
    images: pairs.length,
    kl: mean(pairs.map(({ subjective, predicted }) => divergence(subjective, predicted))),
    wasserstein: mean(pairs.map(({ subjective, predicted }) => wasserstein(subjective, predicted))),
    calibration: calibrationError(pairs),
  };
}

/** Shares of a normal distribution in the levels 1 to `levels`, the outer ones open. */
export function levelShares(middle: number, deviation: number, levels: number): number[] {
  const below = Array.from({ length: levels + 1 }, (_, i) => {
    if (i === 0 || i === levels) return i / levels;
    const distance = i + 0.5 - middle;
    return deviation > 0 ? normalBelow(distance / deviation) : (1 + Math.sign(distance)) / 2;
  });
  return Array.from({ length: levels }, (_, i) => (below[i + 1] ?? NaN) - (below[i] ?? NaN));
}

/** KL(p, q) in nats. */
export function divergence(p: readonly number[], q: readonly number[]): number {
  return p.reduce((sum, share, i) => {
    return share <= 0 ? sum : sum + share * Math.log(share / Math.max(q[i] ?? NaN, LEAST));
  }, 0);
}

/** Wasserstein distance of order 1 of two distributions over levels at distance 1. */
export function wasserstein(p: readonly number[], q: readonly number[]): number {
  let [difference, sum] = [0, 0];
  p.forEach((share, i) => {
    difference += share - (q[i] ?? NaN);
    sum += Math.abs(difference);
  });
  return sum;
}

/** Mean distance of predicted probabilities from subjective shares, bin by bin of the probabilities. */
function calibrationError(
  pairs: readonly { readonly subjective: readonly number[]; readonly predicted: readonly number[] }[],
): number {
  const bins = Array.from({ length: BINS }, () => ({ count: 0, subjective: 0, predicted: 0 }));
  for (const { subjective, predicted } of pairs) {
    predicted.forEach((probability, level) => {
      const bin = bins[Math.min(BINS - 1, Math.floor(BINS * probability))];
      if (bin === undefined) return;
      bin.count++;
      bin.predicted += probability;
      bin.subjective += subjective[level] ?? NaN;
    });
  }
  const total = bins.reduce((sum, { count }) => sum + count, 0);
  return bins.reduce((sum, bin) => sum + Math.abs(bin.predicted - bin.subjective), 0) / total;
}
