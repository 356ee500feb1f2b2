import { DataError, ShapeError } from "../base/errors.js";
import type { LossesConfig } from "./config.js";

/**
 * Smallest deviation of a MOS that targets (Thurstone, margins) take at its word; smaller ones count as this much.
 *
 * The published lists state deviations down to 0.001 (CSIQ, on the narrowest scale, 0 to 1, with three decimals), and
 * 0 for 22 images of CSIQ and 2 of KADID: there it stands for "less than we print". Two such images would otherwise
 * divide by zero; with this floor a pair is decided, as by sign, from a difference of about 0.004 on.
 */
export const DEVIATION_FLOOR = 1e-3;

/** The labels that pairs are made of: images of each database stand together, in consecutive blocks. */
export interface PairLabels {
  readonly databases: readonly {
    readonly name: string;
    readonly images: number;
    /** Highest minus lowest MOS of its training images; `tieUnit: scale` needs it. */
    readonly mosSpan?: number;
  }[];
  /**
   * Blocks of images behind those of the databases, each one content at several levels of a distortion: of two, the
   * lower level is surely better, whatever the rules say of ties. `weight`: what all of them together count, where each
   * database counts 1.
   */
  readonly rankings?: { readonly groups: readonly { readonly levels: readonly number[] }[]; readonly weight: number };
  /** [images of the databases], each on its database's own scale, higher is better. */
  readonly mos: ArrayLike<number>;
  /** [images of the databases], on the same scale; null where none was published. */
  readonly mosStd: readonly (number | null)[];
}

/** What is known of every pair (i, j) of a batch, on the host: row-major [images, images]. */
export interface Pairs {
  readonly images: number;
  /** The probability that image i is better than image j. */
  readonly targets: Float32Array;
  /** What the pair counts in the mean; 0 unless i < j and both are of one database. All together 1. */
  readonly weights: Float32Array;
}

/** The part of the losses' config that pairs depend on. */
export type PairRules = Pick<LossesConfig, "target" | "pairWeight" | "tieMargin" | "tieUnit">;

/**
 * Targets of all pairs i < j inside each database (MOS scales do not mix, so never across databases).
 *
 * `sign`: 1, ½ (a tie) or 0 by the sign of mos_i − mos_j. `thurstone`: Φ((mos_i − mos_j) / √(sd_i² + sd_j²))
 * (Thurstone's case III: independent, each image with its own deviation). The released code's form of the latter,
 * `loss_m2`, leaves √2 out inside Φ; we follow the formula.
 *
 * A pair whose |mos_i − mos_j| is below `tieMargin` is a tie under either target, ½: times the database's `mosSpan`
 * (`tieUnit: scale`), or times √(sd_i² + sd_j²), the deviation of the difference (`deviation`).
 *
 * The weights make it a mean over a database's pairs (a weighted one, see `pairWeight`), then over the databases, so
 * that each database counts the same. Rankings count beside them as one more, times their weight.
 *
 * @throws {ShapeError} on a database with fewer than two images (there is no pair, and its mean would be NaN), or
 *                      where blocks and labels differ in size
 * @throws {DataError}  on a MOS that is not finite, or where the rules need deviations and one is missing or negative
 */
export function pairTargets(labels: PairLabels, rules: PairRules): Pairs {
  const { databases, mos, rankings: { groups, weight } = NO_RANKINGS } = labels;
  const images = groups.reduce((sum, { levels }) => sum + levels.length, mos.length);
  const shares = databases.length + (groups.length > 0 ? weight : 0);
  checkBlocks(labels);
  checkValues(labels, rules);
  const preference = rules.target === "sign" ? bySign : byDeviation;
  const targets = new Float32Array(images * images);
  const weights = new Float32Array(images * images);
  let start = 0;
  for (const { images: size, mosSpan } of databases) {
    const counts = pairWeight(deviationsOf(labels, start, size, rules), rules.pairWeight);
    const total = shares * sumOverPairs(size, counts);
    for (let i = start; i < start + size; i++) {
      for (let j = i + 1; j < start + size; j++) {
        const isTie = Math.abs(mosDifference(labels, i, j)) < tieBelow(labels, i, j, rules, mosSpan);
        targets[i * images + j] = isTie ? 0.5 : preference(labels, i, j);
        weights[i * images + j] = counts(i - start, j - start) / total;
      }
    }
    start += size;
  }
  for (const { levels } of groups) {
    const each = weight / (shares * groups.length * sumOverPairs(levels.length, () => 1));
    forPairs(levels, (i, j, above) => {
      targets[(start + i) * images + start + j] = above;
      weights[(start + i) * images + start + j] = each;
    });
    start += levels.length;
  }
  return { images, targets, weights };
}

const NO_RANKINGS: NonNullable<PairLabels["rankings"]> = { groups: [], weight: 0 };

/** Calls `pair` with every i < j of a ranking and how surely i is above j: 1, 0, or ½ for equal levels. */
function forPairs(levels: readonly number[], pair: (i: number, j: number, above: number) => void): void {
  levels.forEach((level, i) => {
    levels.slice(i + 1).forEach((other, k) => {
      pair(i, i + 1 + k, (1 + Math.sign(other - level)) / 2);
    });
  });
}

type Preference = (labels: PairLabels, i: number, j: number) => number;

const bySign: Preference = (labels, i, j) => (1 + Math.sign(mosDifference(labels, i, j))) / 2;

const byDeviation: Preference = (labels, i, j) =>
  normalCdf(mosDifference(labels, i, j) / differenceDeviation(labels, i, j));

const mosDifference: Preference = ({ mos }, i, j) => (mos[i] ?? NaN) - (mos[j] ?? NaN);

/** Of mos_i − mos_j. */
const differenceDeviation: Preference = (labels, i, j) => Math.hypot(deviation(labels, i), deviation(labels, j));

const deviation = ({ mosStd }: PairLabels, i: number): number => Math.max(mosStd[i] ?? NaN, DEVIATION_FLOOR);

/** The difference, on the database's own scale, below which a pair is a tie. */
function tieBelow(labels: PairLabels, i: number, j: number, rules: PairRules, mosSpan: number | undefined): number {
  const { tieMargin, tieUnit } = rules;
  if (tieMargin === 0) return 0;
  if (tieUnit === "deviation") return tieMargin * differenceDeviation(labels, i, j);
  if (mosSpan === undefined) throw new Error("internal: pairTargets: tieUnit scale needs each database's mosSpan");
  return tieMargin * mosSpan;
}

/** As published, without a floor; empty where the pairs' weights do not depend on them. */
function deviationsOf({ mosStd }: PairLabels, start: number, size: number, { pairWeight: rule }: PairRules): number[] {
  return rule === "none" ? [] : mosStd.slice(start, start + size).map((sd) => sd ?? NaN);
}

function sumOverPairs(size: number, value: (i: number, j: number) => number): number {
  let sum = 0;
  for (let i = 0; i < size; i++) for (let j = i + 1; j < size; j++) sum += value(i, j);
  return sum;
}

function checkBlocks({ databases, mos, mosStd, rankings = NO_RANKINGS }: PairLabels): void {
  const total = databases.reduce((sum, { images }) => sum + images, 0);
  const problems = databases
    .filter(({ images }) => images < 2)
    .map(({ name, images }) => `${name} has ${images} in this batch and so no pair (set imagesPerStep to 2 or more)`);
  if (rankings.groups.some(({ levels }) => levels.length < 2)) problems.push("a ranking of one image has no pair");
  if (databases.length === 0) problems.push("there is no database in this batch");
  if (total !== mos.length) problems.push(`the databases hold ${total} images, but mos has ${mos.length} values`);
  if (mosStd.length !== mos.length) problems.push(`mos has ${mos.length} values, but mosStd ${mosStd.length}`);
  if (problems.length > 0) throw new ShapeError(`pairTargets: databases: ${problems.join("; ")}`);
}

function checkValues({ databases, mos, mosStd }: PairLabels, rules: PairRules): void {
  const names = databases.flatMap(({ name, images }) => Array.from({ length: images }, (_, i) => `${name}[${i}]`));
  const remedies = deviationRemedies(rules);
  const problems = names.flatMap((name, i) => [
    ...(Number.isFinite(mos[i]) ? [] : [`mos of ${name} is ${mos[i] ?? NaN}`]),
    ...(remedies.length === 0 || isDeviation(mosStd[i]) ? [] : [`mosStd of ${name} is ${String(mosStd[i])}`]),
  ]);
  if (problems.length === 0) return;
  const shown = problems.slice(0, 5).join(", ") + (problems.length > 5 ? `, … (${problems.length} in all)` : "");
  const help = remedies.length === 0 ? "" : `; ${remedies.join(" with ")} needs no deviations`;
  throw new DataError(`pairTargets: ${shown}; mos must be finite, deviations finite and not negative${help}`);
}

/** What to set so that no deviation is needed; empty where none is. */
export function deviationRemedies({ target, pairWeight: rule, tieMargin, tieUnit }: PairRules): string[] {
  return [
    ...(target === "thurstone" ? ["losses.target: sign"] : []),
    ...(rule === "deviation" ? ["losses.pairWeight: none"] : []),
    ...(tieMargin > 0 && tieUnit === "deviation" ? ["losses.tieUnit: scale"] : []),
  ];
}

const isDeviation = (value: number | null | undefined): boolean =>
  typeof value === "number" && Number.isFinite(value) && value >= 0;

/** Beyond it, Φ is 0 or 1 to within 7e-16. */
const LARGEST = 8;

/**
 * Φ, the standard normal distribution function, on the host in float64; absolute error below 1e-15.
 *
 * Φ(x) = ½ + φ(x)·(x + x³/3 + x⁵/(3·5) + x⁷/(3·5·7) + …) (G. Marsaglia, Evaluating the Normal Distribution, Journal of
 * Statistical Software 11(4), 2004). NaN gives NaN.
 */
export function normalCdf(x: number): number {
  if (x < -LARGEST) return 0;
  if (x > LARGEST) return 1;
  let term = x;
  let sum = x;
  for (let k = 3; Math.abs(term) > Number.EPSILON * Math.abs(sum); k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + (sum * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}

/**
 * Smallest part of a database's typical deviation (root mean square over its images of the batch) that a deviation
 * counts with in a pair's weight. Published deviations of 0 mean "less than we print": taken at their word, one pair
 * of such images would outweigh all others of its database. With this part, no pair counts for more than 16 typical
 * ones.
 */
const SMALLEST_PART = 1 / 4;

/** What the pair (i, j) of one database's images counts beside the others of that database; above 0. */
type PairWeight = (i: number, j: number) => number;

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
