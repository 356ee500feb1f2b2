import type { Result } from "../../base/types.js";
import type { RankGroups } from "./ranks.js";
import { groupRanks, groupWeights, rankGroups } from "./ranks.js";
import { centred, dot } from "./vectors.js";

/** Two paired lists of scores, ranked once, so that every resample of the pairs costs no further sorting. */
export interface RankedPairs {
  readonly predicted: RankGroups;
  readonly mos: RankGroups;
}

/** Ranks finite scores, both in the same image order. */
export function rankPairs(predicted: ArrayLike<number>, mos: ArrayLike<number>): RankedPairs {
  return { predicted: rankGroups(predicted), mos: rankGroups(mos) };
}

/**
 * Spearman rank correlation (SRCC): Pearson's, of the ranks, ties averaged. Both in the same image order.
 *
 * @throws {RangeError} where the two are not of one length
 */
export function srcc(predicted: ArrayLike<number>, mos: ArrayLike<number>): Result {
  const reason = whyNoCorrelation("srcc", predicted, mos);
  return reason === undefined ? weightedSrcc(rankPairs(predicted, mos)) : { ok: false, reason };
}

/** SRCC where image i stands `weights[i]` times (once without weights). */
export function weightedSrcc({ predicted, mos }: RankedPairs, weights?: Float64Array): Result {
  const p = centredRanks(predicted, weights);
  const m = centredRanks(mos, weights);
  if (p.spread === 0) return { ok: false, reason: "constant predictions" };
  if (m.spread === 0) return { ok: false, reason: "constant MOS" };
  let sum = 0;
  for (let i = 0; i < predicted.group.length; i++) {
    const product = (p.ranks[predicted.group[i] ?? 0] ?? NaN) * (m.ranks[mos.group[i] ?? 0] ?? NaN);
    sum += weights === undefined ? product : (weights[i] ?? NaN) * product;
  }
  return { ok: true, value: withinOne(sum / Math.sqrt(p.spread * m.spread)) };
}

/** Each group's mean rank less the mean of all, and the sum of their squares over the images. */
function centredRanks(grouping: RankGroups, weights?: Float64Array): { ranks: Float64Array; spread: number } {
  const totals = groupWeights(grouping, weights);
  const ranks = centred(groupRanks(totals), totals);
  return { ranks, spread: dot(ranks, ranks, totals) };
}

/**
 * Pearson's linear correlation; image i stands `weights[i]` times (once without weights). PLCC is this, of MOS and
 * predictions that a protocol has mapped to the scale of MOS.
 *
 * @throws {RangeError} where the two are not of one length
 */
export function pearson(predicted: ArrayLike<number>, mos: ArrayLike<number>, weights?: Float64Array): Result {
  const reason = whyNoCorrelation("pearson", predicted, mos);
  if (reason !== undefined) return { ok: false, reason };
  const p = deviations(predicted, weights);
  const m = deviations(mos, weights);
  const spread = Math.sqrt(dot(p, p, weights) * dot(m, m, weights));
  // The pairs that a resample drew may all be one image, though those it was drawn from are not.
  if (spread === 0) return { ok: false, reason: dot(p, p, weights) === 0 ? "constant predictions" : "constant MOS" };
  return { ok: true, value: withinOne(dot(p, m, weights) / spread) };
}

/** Less the mean, over the largest that is left: neither 1e-200 nor 1e200 leaves the range of float64 when squared. */
function deviations(scores: ArrayLike<number>, weights?: Float64Array): Float64Array {
  const out = centred(scores, weights);
  let largest = 0;
  for (let i = 0; i < out.length; i++) {
    if (weights === undefined || weights[i] !== 0) largest = Math.max(largest, Math.abs(out[i] ?? NaN));
  }
  if (largest === 0) return out;
  for (let i = 0; i < out.length; i++) out[i] = (out[i] ?? NaN) / largest;
  return out;
}

/** Rounding can end a unit in the last place outside [-1, 1]. */
function withinOne(r: number): number {
  return Math.min(1, Math.max(-1, r));
}

/** What must hold of predictions and MOS before any measure of their agreement means something. */

/** Why a measure has no value. */
type NoResult =
  "too few images" | "constant predictions" | "constant MOS" | "non-finite predictions" | "non-finite MOS";

/**
 * @returns the reason why no correlation can be had, or undefined where one can
 * @throws {RangeError} where the two are not of one length
 */
export function whyNoCorrelation(
  where: string,
  predicted: ArrayLike<number>,
  mos: ArrayLike<number>,
): NoResult | undefined {
  const reason = whyNoDeviation(where, predicted, mos);
  if (reason !== undefined) return reason;
  if (mos.length < 2) return "too few images";
  if (isConstant(predicted)) return "constant predictions";
  return isConstant(mos) ? "constant MOS" : undefined;
}

/**
 * @returns the reason why no error measure can be had, or undefined where one can
 * @throws {RangeError} where the two are not of one length
 */
export function whyNoDeviation(
  where: string,
  predicted: ArrayLike<number>,
  mos: ArrayLike<number>,
): NoResult | undefined {
  if (predicted.length !== mos.length) {
    throw new RangeError(`${where}: ${predicted.length} predictions for ${mos.length} MOS values; pair them by image`);
  }
  if (mos.length === 0) return "too few images";
  if (!isFinite(predicted)) return "non-finite predictions";
  return isFinite(mos) ? undefined : "non-finite MOS";
}

function isFinite(scores: ArrayLike<number>): boolean {
  for (let i = 0; i < scores.length; i++) if (!Number.isFinite(scores[i])) return false;
  return true;
}

function isConstant(scores: ArrayLike<number>): boolean {
  for (let i = 1; i < scores.length; i++) if (scores[i] !== scores[0]) return false;
  return true;
}
