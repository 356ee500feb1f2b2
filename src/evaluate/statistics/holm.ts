import type { Comparison } from "./compareRuns.js";
import { CORRELATIONS, recordOf } from "../metrics/metrics.js";

/**
 * Holm's p of the mean differences over all comparisons of a leaderboard (S. Holm, "A simple sequentially rejective
 * multiple test procedure", 1979): the chance of one or more false alarms among them is at most the level. That takes
 * all pairs, or comparisons with one that was named beforehand: pairs with the best one, once it is seen, are too few.
 */
export function withHolm(comparisons: readonly Comparison[]): Comparison[] {
  const adjusted = recordOf(CORRELATIONS, (metric) =>
    holm(comparisons.map(({ mean }) => (mean[metric].difference === null ? null : mean[metric].p))),
  );
  return comparisons.map((comparison, i) => ({
    ...comparison,
    mean: recordOf(CORRELATIONS, (metric) => {
      const difference = comparison.mean[metric];
      const pHolm = adjusted[metric][i] ?? null;
      if (difference.difference === null || difference.low === null || pHolm === null) return difference;
      return { ...difference, pHolm };
    }),
  }));
}

/** Each p times the number of hypotheses not yet rejected, never falling from the smallest up; null stays null. */
export function holm(ps: readonly (number | null)[]): (number | null)[] {
  const known = ps.flatMap((p, index) => (p === null ? [] : [{ p, index }])).sort((a, b) => a.p - b.p);
  const adjusted: (number | null)[] = ps.map(() => null);
  let highest = 0;
  known.forEach(({ p, index }, rank) => {
    highest = Math.max(highest, Math.min(1, p * (known.length - rank)));
    adjusted[index] = highest;
  });
  return adjusted;
}
