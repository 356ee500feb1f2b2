import type { Result } from "../../base/types.js";
import { whyNoCorrelation } from "./correlation.js";
import { ascendingOrder, type RankedPairs, rankPairs, untiedPairs } from "./ranks.js";

/**
 * Kendall rank correlation (KRCC), tau-b, in O(n log n).
 * tau-b = (concordant − discordant) / √((pairs − tied in predictions)(pairs − tied in MOS)), as M. G. Kendall,
 * "The treatment of ties in ranking problems", Biometrika 33 (1945). Both lists in the same image order.
 * @throws {RangeError} where the lists differ in length
 */
export function krcc(predicted: ArrayLike<number>, mos: ArrayLike<number>): Result {
  const reason = whyNoCorrelation("krcc", predicted, mos);
  if (reason !== undefined) return { ok: false, reason };
  const ranked = rankPairs(predicted, mos);
  return weightedKrcc(ranked, ascendingOrder(ranked.predicted));
}

/**
 * KRCC where image i counts `weights[i]` times (once without weights); the copies of an image tie with each other.
 * @param order images in ascending order of prediction: `ascendingOrder(ranked.predicted)`
 */
export function weightedKrcc(ranked: RankedPairs, order: Uint32Array, weights?: Float64Array): Result {
  const predictedPairs = untiedPairs(ranked.predicted, weights);
  const mosPairs = untiedPairs(ranked.mos, weights);
  if (predictedPairs === 0) return { ok: false, reason: "constant predictions" };
  if (mosPairs === 0) return { ok: false, reason: "constant MOS" };
  const excess = concordanceExcess(ranked, order, weights);
  return { ok: true, value: excess / Math.sqrt(predictedPairs * mosPairs) };
}

/** Concordant pairs less discordant ones: each image against those with a lower prediction, counted by their MOS. */
function concordanceExcess({ predicted, mos }: RankedPairs, order: Uint32Array, weights?: Float64Array): number {
  const lower = new CountTree(mos.groups);
  let excess = 0;
  for (let start = 0, end = 0; start < order.length; start = end) {
    const group = predicted.group[order[start] ?? 0];
    while (end < order.length && predicted.group[order[end] ?? 0] === group) end++;
    // Pairs within the group are tied: all are compared before any is added.
    for (let i = start; i < end; i++) {
      const image = order[i] ?? 0;
      const weight = weightOf(weights, image);
      if (weight > 0) excess += weight * lower.balance(mos.group[image] ?? 0);
    }
    for (let i = start; i < end; i++) {
      const image = order[i] ?? 0;
      const weight = weightOf(weights, image);
      if (weight > 0) lower.add(mos.group[image] ?? 0, weight);
    }
  }
  return excess;
}

function weightOf(weights: Float64Array | undefined, image: number): number {
  return weights === undefined ? 1 : (weights[image] ?? NaN);
}

/** Running counts by group with prefix sums in O(log groups) (P. Fenwick, Software: Practice and Experience, 1994). */
class CountTree {
  private readonly sums: Float64Array; // node i holds the counts of the groups (i - lowest bit of i, i], from 1
  private total = 0;

  constructor(groups: number) {
    this.sums = new Float64Array(groups + 1);
  }

  add(group: number, count: number): void {
    this.total += count;
    for (let node = group + 1; node < this.sums.length; node += node & -node) {
      this.sums[node] = (this.sums[node] ?? 0) + count;
    }
  }

  /** Counts below the group less counts above it. */
  balance(group: number): number {
    return this.prefix(group) - (this.total - this.prefix(group + 1));
  }

  /** Counts of the groups before `group`. */
  private prefix(group: number): number {
    let sum = 0;
    for (let node = group; node > 0; node -= node & -node) sum += this.sums[node] ?? 0;
    return sum;
  }
}
