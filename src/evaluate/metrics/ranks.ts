/** Ranks with ties averaged, made once and weighed often: a bootstrap resample is a weight for each image. */
import { mapNumbers } from "./vectors.js";

/** Which group of equal scores each image is in; groups count from 0, lowest score first. */
export interface RankGroups {
  readonly group: Uint32Array;
  readonly groups: number;
}

/** The images in ascending order of score, those of a group in their own order: a counting sort. */
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

/** Groups of equal scores: [20, 10, 20] → group [1, 0, 1] of 2. Scores are finite. */
export function rankGroups(scores: ArrayLike<number>): RankGroups {
  const different = ascendingDifferent(scores);
  const group = new Uint32Array(scores.length);
  for (let i = 0; i < group.length; i++) group[i] = placeOf(scores[i] ?? NaN, different);
  return { group, groups: different.length };
}

/** Each score once. Sorted as numbers, without a function that compares: an order of a million takes ten times as long. */
function ascendingDifferent(scores: ArrayLike<number>): Float64Array {
  const sorted = Float64Array.from(scores).sort();
  let count = 0;
  for (const score of sorted) {
    if (count === 0 || score !== sorted[count - 1]) sorted[count++] = score;
  }
  return sorted.subarray(0, count);
}

/** The index of a score that `different` holds. */
function placeOf(score: number, different: Float64Array): number {
  let low = 0;
  let high = different.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((different[middle] ?? NaN) < score) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many images each group holds, an image counting as often as its weight says (once without weights). */
export function groupWeights({ group, groups }: RankGroups, weights?: Float64Array): Float64Array {
  const total = new Float64Array(groups);
  for (let i = 0; i < group.length; i++) {
    const at = group[i] ?? 0;
    total[at] = (total[at] ?? 0) + (weights === undefined ? 1 : (weights[i] ?? 0));
  }
  return total;
}

/** The mean rank of each group's members, from 1, given the groups' weights: [1, 2] → [1, 2.5]. */
export function groupRanks(weights: Float64Array): Float64Array {
  const ranks = new Float64Array(weights.length);
  let below = 0;
  for (let group = 0; group < ranks.length; group++) {
    const weight = weights[group] ?? NaN;
    ranks[group] = below + (weight + 1) / 2;
    below += weight;
  }
  return ranks;
}

/** Ranks from 1 of finite scores; ties share their mean: [10, 20, 20] → [1, 2.5, 2.5]. */
export function averageRanks(scores: ArrayLike<number>): Float64Array {
  const grouping = rankGroups(scores);
  const ranks = groupRanks(groupWeights(grouping));
  return mapNumbers(grouping.group, (group) => ranks[group] ?? NaN);
}
