import type { LossesConfig } from "./config.js";

/**
 * Smallest part of a database's typical deviation (root mean square over its images of the batch) that a deviation
 * counts with in a pair's weight. Published deviations of 0 mean "less than we print": taken at their word, one pair
 * of such images would outweigh all others of its database. With this part, no pair counts for more than 16 typical
 * ones.
 */
export const SMALLEST_PART = 1 / 4;

/** What the pair (i, j) of one database's images counts beside the others of that database; above 0. */
export type PairWeight = (i: number, j: number) => number;

/**
 * How much the pairs of one database count against each other; whoever uses them divides by their sum.
 *
 * `none`: all the same. `deviation`: the inverse of the variance of the pair's MOS difference, 1 / (sd_i² + sd_j²),
 * the weights under which a mean of independent values of unequal precision has the least variance (A. C. Aitken, On
 * Least Squares and Linear Combinations of Observations, 1935). Deviations of single opinions serve as well as those
 * of their means where all images had as many observers: a common factor cancels.
 *
 * @param deviations  of the database's images in the batch, on its own scale, not negative; not read for `none`
 */
export function pairWeight(deviations: readonly number[], rule: LossesConfig["pairWeight"]): PairWeight {
  if (rule === "none") return () => 1;
  const typical = Math.sqrt(deviations.reduce((sum, sd) => sum + sd * sd, 0) / deviations.length);
  if (typical === 0) return () => 1; // no pair is surer than another
  const variances = deviations.map((sd) => Math.max(sd, SMALLEST_PART * typical) ** 2);
  return (i, j) => (typical * typical) / ((variances[i] ?? NaN) + (variances[j] ?? NaN));
}
