/** Ranks with ties averaged, made once and weighted often: a bootstrap resample is a weight for each image. */
import { mapNumbers } from "./vectors.js";

/** Group of equal scores that each image is in; groups count from 0, lowest score first. */
type RankGroups = { readonly group: Uint32Array; readonly groups: number };

/** Two paired lists of scores, ranked once, so that resamples of the pairs cost no further sorting. */
export type RankedPairs = { readonly predicted: RankGroups; readonly mos: RankGroups };

export function rankPairs(predicted: ArrayLike<number>, mos: ArrayLike<number>): RankedPairs {
  return { predicted: rankGroups(predicted), mos: rankGroups(mos) };
}

/** Images in ascending order of score, those of a group in their own order: a counting sort. */
export function ascendingOrder({ group, groups }: RankGroups): Uint32Array {
  const next = new Uint32Array(groups + 1); // where the next image of each group goes
  for (const at of group) next[at + 1] = (next[at + 1] ?? 0) + 1;
  for (let at = 1; at <= groups; at++) next[at] = (next[at] ?? 0) + (next[at - 1] ?? 0);
  const order = new Uint32Array(group.length);
  for (let image = 0; image < group.length; image++) {
    const at = group[image] ?? 0;
    const place = next[at] ?? 0;
    order[place] = image;
    next[at] = place + 1;
  }
  return order;
}

/** Number of pairs of images less that of pairs within a group; image i counts `weights[i]` times. */
export function untiedPairs(grouping: RankGroups, weights?: Float64Array): number {
  const totals = groupWeights(grouping, weights);
  let images = 0;
  let tied = 0;
  for (let group = 0; group < totals.length; group++) {
    const weight = totals[group] ?? NaN;
    images += weight;
    tied += weight * (weight - 1);
  }
  return (images * (images - 1) - tied) / 2;
}

/** Each group's mean rank less the mean of all, and the sum of their squares over the images. */
export function centeredRanks(grouping: RankGroups, weights?: Float64Array): { ranks: Float64Array; spread: number } {
  const totals = groupWeights(grouping, weights);
  let images = 0;
  for (let group = 0; group < totals.length; group++) images += totals[group] ?? NaN;
  const ranks = new Float64Array(totals.length);
  let spread = 0;
  for (let group = 0, below = 0; group < ranks.length; group++) {
    const weight = totals[group] ?? NaN;
    const rank = below + (weight - images) / 2; // below + (weight + 1) / 2, less the mean (images + 1) / 2
    ranks[group] = rank;
    spread += weight * rank * rank;
    below += weight;
  }
  return { ranks, spread };
}

/** Ranks from 1 of finite scores; ties share their mean: [10, 20, 20] → [1, 2.5, 2.5]. */
export function averageRanks(scores: ArrayLike<number>): Float64Array {
  const grouping = rankGroups(scores);
  const ranks = groupRanks(groupWeights(grouping));
  return mapNumbers(grouping.group, (group) => ranks[group] ?? NaN);
}

/** Groups of equal finite scores: [20, 10, 20] → group [1, 0, 1] of 2. */
function rankGroups(scores: ArrayLike<number>): RankGroups {
  const distinct = ascendingDistinct(scores);
  const group = new Uint32Array(scores.length);
  for (let i = 0; i < group.length; i++) group[i] = placeOf(scores[i] ?? NaN, distinct);
  return { group, groups: distinct.length };
}

/** Each score once. Sorted as numbers: a comparing function takes ten times as long for a million. */
function ascendingDistinct(scores: ArrayLike<number>): Float64Array {
  const sorted = Float64Array.from(scores).sort();
  let count = 0;
  for (const score of sorted) {
    if (count === 0 || score !== sorted[count - 1]) sorted[count++] = score;
  }
  return sorted.subarray(0, count);
}

/** Index of a score in the ascending `distinct`, which holds it. */
function placeOf(score: number, distinct: Float64Array): number {
  let low = 0;
  let high = distinct.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((distinct[middle] ?? NaN) < score) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Newest weights of each grouping and their totals: SRCC and KRCC of one resample ask for the same. */
const newest = new WeakMap<RankGroups, { readonly weights: Float64Array | undefined; readonly totals: Float64Array }>();

/** Number of images in each group, image i counted `weights[i]` times (once without weights). Not to be changed. */
function groupWeights(grouping: RankGroups, weights?: Float64Array): Float64Array {
  const known = newest.get(grouping);
  if (known !== undefined && known.weights === weights) return known.totals;
  const { group, groups } = grouping;
  const totals = new Float64Array(groups);
  for (let i = 0; i < group.length; i++) {
    const at = group[i] ?? 0;
    totals[at] = (totals[at] ?? 0) + (weights === undefined ? 1 : (weights[i] ?? 0));
  }
  newest.set(grouping, { weights, totals });
  return totals;
}

/** Mean rank of each group's members, from 1, given the groups' weights: [1, 2] → [1, 2.5]. */
function groupRanks(weights: Float64Array): Float64Array {
  const ranks = new Float64Array(weights.length);
  let below = 0;
  for (let group = 0; group < ranks.length; group++) {
    const weight = weights[group] ?? NaN;
    ranks[group] = below + (weight + 1) / 2;
    below += weight;
  }
  return ranks;
}
