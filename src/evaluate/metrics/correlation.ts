import type { Result } from "../../base/types.js";
import { centeredRanks, type RankedPairs, rankPairs } from "./ranks.js";
import { mean } from "./vectors.js";

type Scores = ArrayLike<number>;

/** Spearman rank correlation (SRCC), ties averaged. @throws {RangeError} where the lists differ in length */
export function srcc(predicted: Scores, mos: Scores): Result {
  const reason = whyNoCorrelation("srcc", predicted, mos);
  return reason === undefined ? weightedSrcc(rankPairs(predicted, mos)) : { ok: false, reason };
}

/** SRCC where image i counts `weights[i]` times (once without weights). */
export function weightedSrcc({ predicted, mos }: RankedPairs, weights?: Float64Array): Result {
  const p = centeredRanks(predicted, weights);
  const m = centeredRanks(mos, weights);
  if (p.spread === 0) return { ok: false, reason: "constant predictions" };
  if (m.spread === 0) return { ok: false, reason: "constant MOS" };
  let sum = 0;
  for (let i = 0; i < predicted.group.length; i++) {
    const product = (p.ranks[predicted.group[i] ?? 0] ?? NaN) * (m.ranks[mos.group[i] ?? 0] ?? NaN);
    sum += weights === undefined ? product : (weights[i] ?? NaN) * product;
  }
  return { ok: true, value: withinOne(sum / Math.sqrt(p.spread * m.spread)) };
}

/**
 * Pearson's linear correlation; image i counts `weights[i]` times (once without weights). PLCC is this, of MOS and
 * predictions that a protocol has mapped to the scale of MOS.
 * @throws {RangeError} where the lists differ in length
 */
export function pearson(predicted: Scores, mos: Scores, weights?: Float64Array): Result {
  const p = spreadOf(predicted, weights);
  const m = spreadOf(mos, weights);
  // A score that is not finite shows in the spread: a scan of all scores would cost as much again.
  const isPlain = predicted.length === mos.length && Number.isFinite(p.largest) && Number.isFinite(m.largest);
  if (!isPlain || isConstant(predicted) || isConstant(mos)) {
    const reason = whyNoCorrelation("pearson", predicted, mos);
    if (reason !== undefined) return { ok: false, reason };
  }
  // A resample may have drawn one image alone from a list that is not constant.
  if (p.largest === 0) return { ok: false, reason: "constant predictions" };
  if (m.largest === 0) return { ok: false, reason: "constant MOS" };
  let [own, other, both] = [0, 0, 0];
  for (let i = 0; i < mos.length; i++) {
    const weight = weights === undefined ? 1 : (weights[i] ?? NaN);
    if (weight === 0) continue;
    const x = ((predicted[i] ?? NaN) - p.middle) / p.largest;
    const y = ((mos[i] ?? NaN) - m.middle) / m.largest;
    own += weight * x * x;
    other += weight * y * y;
    both += weight * x * y;
  }
  return { ok: true, value: withinOne(both / Math.sqrt(own * other)) };
}

/**
 * Mean, and the largest distance from it: scores over that, whether 1e-200 or 1e200, stay in float64 when squared. Scores
 * that are all the same have none, though their mean may be rounded: a third of 0.1 + 0.1 + 0.1 is not 0.1.
 */
function spreadOf(scores: Scores, weights?: Float64Array): { readonly middle: number; readonly largest: number } {
  const middle = mean(scores, weights);
  let largest = 0;
  let first: number | null = null;
  let isSame = true;
  for (let i = 0; i < scores.length; i++) {
    if (weights !== undefined && weights[i] === 0) continue;
    const score = scores[i] ?? NaN;
    first ??= score;
    if (score !== first) isSame = false; // NaN too
    largest = Math.max(largest, Math.abs(score - middle));
  }
  return { middle, largest: isSame ? 0 : largest };
}

/** Rounding can end one unit in the last place outside [-1, 1]. */
function withinOne(r: number): number {
  return Math.min(1, Math.max(-1, r));
}

type NoResult =
  "too few images" | "constant predictions" | "constant MOS" | "non-finite predictions" | "non-finite MOS";

/** Reason for no correlation, or undefined. @throws {RangeError} where the lists differ in length */
export function whyNoCorrelation(where: string, predicted: Scores, mos: Scores): NoResult | undefined {
  const reason = whyNoDeviation(where, predicted, mos);
  if (reason !== undefined) return reason;
  if (mos.length < 2) return "too few images";
  if (isConstant(predicted)) return "constant predictions";
  return isConstant(mos) ? "constant MOS" : undefined;
}

/** Reason for no error of predictions, or undefined. @throws {RangeError} where the lists differ in length */
export function whyNoDeviation(where: string, predicted: Scores, mos: Scores): NoResult | undefined {
  if (predicted.length !== mos.length) {
    throw new RangeError(`${where}: ${predicted.length} predictions for ${mos.length} MOS values; pair them by image`);
  }
  if (mos.length === 0) return "too few images";
  if (!isFinite(predicted)) return "non-finite predictions";
  return isFinite(mos) ? undefined : "non-finite MOS";
}

function isFinite(scores: Scores): boolean {
  for (let i = 0; i < scores.length; i++) if (!Number.isFinite(scores[i])) return false;
  return true;
}

function isConstant(scores: Scores): boolean {
  for (let i = 1; i < scores.length; i++) if (scores[i] !== scores[0]) return false;
  return true;
}
