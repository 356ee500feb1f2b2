/** Ranks with ties averaged, made once and weighed often: a bootstrap resample is a weight for each image. */
import { mapNumbers } from "./vectors.js";

/** Which group of equal scores each image is in; groups count from 0, lowest score first. */
export interface RankGroups {
  readonly group: Uint32Array;
  readonly groups: number;
}

/** The indices that put finite scores in ascending order; equal scores in any order. */
export function ascendingOrder(scores: ArrayLike<number>): Uint32Array {
  const at = Float64Array.from(scores);
  const order = new Uint32Array(at.length);
  for (let i = 0; i < order.length; i++) order[i] = i;
  return order.sort((a, b) => (at[a] ?? NaN) - (at[b] ?? NaN));
}

/** Groups of equal scores: [20, 10, 20] → group [1, 0, 1] of 2. Scores are finite. */
export function rankGroups(scores: ArrayLike<number>): RankGroups {
  const group = new Uint32Array(scores.length);
  let current = -1;
  let previous = NaN; // equals nothing, so the lowest score opens the first group
  for (const image of ascendingOrder(scores)) {
    const score = scores[image] ?? NaN;
    if (score !== previous) current++;
    previous = score;
    group[image] = current;
  }
  return { group, groups: current + 1 };
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
