/** Pairs of a batch's images: checked on the host, then tensors. */
import { normalCdf } from "../base/distributions.js";
import { DataError, ShapeError } from "../base/errors.js";
import * as tf from "../engine/tf.js";
import type { Task } from "../model/prompts/promptGrid.js";
import type { LossesConfig } from "./config.js";

/**
 * Lower limit of a MOS deviation in targets (Thurstone, margins). Published lists round: deviations go down to 0.001
 * (CSIQ, whose scale is 0 to 1), and 22 images of CSIQ and 2 of KADID have 0, so that two of them would divide by zero.
 * With this limit a pair is decided, as by sign, from a difference of about 0.004 on.
 */
export const DEVIATION_FLOOR = 1e-3;

/** Labels that pairs are made of: images of each database are consecutive. */
export interface PairLabels {
  readonly databases: readonly {
    readonly name: string;
    readonly images: number;
    /** Highest minus lowest MOS of its training images; `tieUnit: scale` needs it, and losses of scores. */
    readonly mosSpan?: number | undefined;
    /** Lowest MOS of its training images; losses of scores need it. */
    readonly mosLowest?: number | undefined;
    /** Of images without scores that people compared two by two, each after the other: shares that prefer the first. */
    readonly shares?: readonly number[] | undefined;
    /** Of scores by a teacher: what one of its levels is on their scale. */
    readonly perLevel?: number | undefined;
  }[];
  /**
   * Images after those of the databases, in groups: one content at several levels of a distortion, the lower always
   * better, whatever the rule for ties. `weight`: of all groups together, where each database has 1.
   */
  readonly rankings?: { readonly groups: readonly { readonly levels: readonly number[] }[]; readonly weight: number };
  /** [images of the databases], each on its database's own scale, higher is better; not looked at where it has shares. */
  readonly mos: ArrayLike<number>;
  /** [images of the databases], on the same scale; null where none was published. */
  readonly mosStd: readonly (number | null)[];
  /** [images of the databases and of the groups], a teacher's probabilities of labels; null for images without. */
  readonly soft?: readonly (SoftTargets | null)[];
}

/** Probabilities of each task's labels; empty where they are not known. */
type SoftTargets = Readonly<Record<Task, readonly number[]>>;

/** Targets and weights of every pair (i, j) of a batch, on the host: row-major [images, images]. */
interface Pairs {
  readonly images: number;
  /** Probability that image i is better than image j. */
  readonly targets: Float32Array;
  /** Weight of the pair in the mean; 0 unless i < j and both are of one database. They sum to 1. */
  readonly weights: Float32Array;
}

/** `Pairs` on the device. (A type alias: `tf.tidy` accepts no interface.) */
export type PairTensors = {
  /** [images, images]: probability that image i is better than image j. */
  readonly targets: tf.Tensor2D;
  /** [images, images]: weight of the pair in the mean; see `Pairs`. */
  readonly weights: tf.Tensor2D;
};

/** Part of the losses' config that pairs depend on. */
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
 * A database with shares has those pairs alone that people compared, whose targets are the shares, whatever the rules.
 * Scores by a teacher give Φ(d) of its difference d in levels, which is what it says of the pair itself, whatever the
 * rules.
 *
 * The weights form the mean over a database's pairs (weighted by `pairWeight`), then over the databases, so that each
 * database counts the same. Rankings count as one more database, times their weight.
 * @throws {ShapeError} on a database with fewer than two images (its mean over no pair would be NaN), or where blocks
 *                      and labels differ in size
 * @throws {DataError}  on a MOS that is not finite, or where the rules need deviations and one is missing or negative
 */
export function pairTargets(labels: PairLabels, rules: PairRules): Pairs {
  const { databases, mos, rankings: { groups, weight } = NO_RANKINGS } = labels;
  const images = groups.reduce((sum, { levels }) => sum + levels.length, mos.length);
  const blocks = databases.length + (groups.length > 0 ? weight : 0);
  checkBlocks(labels);
  checkValues(labels, rules);
  const targets = new Float32Array(images * images);
  const weights = new Float32Array(images * images);
  let start = 0;
  for (const database of databases) {
    const { shares } = database;
    const pairs = shares === undefined ? ratedPairs(labels, { database, start }, rules) : comparedPairs(shares, start);
    const total = blocks * pairs.reduce((sum, pair) => sum + pair.weight, 0);
    for (const { i, j, target, weight: own } of pairs) {
      targets[i * images + j] = target;
      weights[i * images + j] = own / total;
    }
    start += database.images;
  }
  for (const { levels } of groups) {
    const pairsOfGroup = (levels.length * (levels.length - 1)) / 2;
    const each = weight / (blocks * groups.length * pairsOfGroup);
    forPairs(levels, (i, j, above) => {
      targets[(start + i) * images + start + j] = above;
      weights[(start + i) * images + start + j] = each;
    });
    start += levels.length;
  }
  return { images, targets, weights };
}

/** Pair of a batch's images, with its weight beside the other pairs of its database. */
type Pair = { readonly i: number; readonly j: number; readonly target: number; readonly weight: number };

type Block = { readonly database: PairLabels["databases"][number]; readonly start: number };

/** All pairs of a database's images by their scores. @param block  whose first image is number `start` of the batch */
function ratedPairs(labels: PairLabels, { database, start }: Block, rules: PairRules): Pair[] {
  const { images: size, mosSpan, perLevel } = database;
  const deviations = labels.mosStd.slice(start, start + size).map((sd) => sd ?? NaN); // as published, without a floor
  const weightOf = perLevel === undefined ? pairWeight(deviations, rules.pairWeight) : () => 1;
  const pairs: Pair[] = [];
  for (let i = start; i < start + size; i++) {
    for (let j = i + 1; j < start + size; j++) {
      const target = preference({ ...differenceOf(labels, i, j), mosSpan, perLevel }, rules);
      pairs.push({ i, j, target, weight: weightOf(i - start, j - start) });
    }
  }
  return pairs;
}

/** Pairs that people compared, of neighboring images from number `start` of the batch on. */
function comparedPairs(shares: readonly number[], start: number): Pair[] {
  return shares.map((target, k) => ({ i: start + 2 * k, j: start + 2 * k + 1, target, weight: 1 }));
}

/** Pairs as tensors, given. */
export function pairTensors({ images, targets, weights }: Pairs): PairTensors {
  return { targets: tf.tensor2d(targets, [images, images]), weights: tf.tensor2d(weights, [images, images]) };
}

const NO_RANKINGS: NonNullable<PairLabels["rankings"]> = { groups: [], weight: 0 };

/** MOS difference of two images and its standard deviation, NaN where one has none published. */
type MosDifference = { readonly difference: number; readonly deviation: number };

function differenceOf({ mos, mosStd }: PairLabels, i: number, j: number): MosDifference {
  const deviation = (image: number) => Math.max(mosStd[image] ?? NaN, DEVIATION_FLOOR);
  return { difference: (mos[i] ?? NaN) - (mos[j] ?? NaN), deviation: Math.hypot(deviation(i), deviation(j)) };
}

/** Probability that the first image of a pair is better. */
function preference(pair: MosDifference & Pick<Block["database"], "mosSpan" | "perLevel">, rules: PairRules): number {
  const { difference, deviation, mosSpan, perLevel } = pair;
  if (perLevel !== undefined) return normalCdf(difference / perLevel);
  const unit = rules.tieUnit === "deviation" ? deviation : mosSpan;
  if (rules.tieMargin > 0) {
    if (unit === undefined) throw new Error("internal: pairTargets: tieUnit scale needs each database's mosSpan");
    if (Math.abs(difference) < rules.tieMargin * unit) return 0.5;
  }
  return rules.target === "sign" ? (1 + Math.sign(difference)) / 2 : normalCdf(difference / deviation);
}

/** Calls `pair` with every i < j of a ranking and the probability that i is better: 1, 0, or ½ for equal levels. */
function forPairs(levels: readonly number[], pair: (i: number, j: number, above: number) => void): void {
  levels.forEach((level, i) => {
    levels.slice(i + 1).forEach((other, k) => {
      pair(i, i + 1 + k, (1 + Math.sign(other - level)) / 2);
    });
  });
}

function checkBlocks({ databases, mos, mosStd, rankings = NO_RANKINGS }: PairLabels): void {
  const total = databases.reduce((sum, { images }) => sum + images, 0);
  const problems = databases
    .filter(({ images }) => images < 2)
    .map(({ name, images }) => `${name} has ${images} in this batch and so no pair (set imagesPerStep to 2 or more)`);
  if (rankings.groups.some(({ levels }) => levels.length < 2)) problems.push("a ranking of one image has no pair");
  for (const { name, images, shares } of databases) {
    if (shares === undefined || images === 2 * shares.length) continue;
    problems.push(`${name} has ${images} images, and shares of ${shares.length} pairs`);
  }
  if (databases.length === 0) problems.push("there is no database in this batch");
  if (total !== mos.length) problems.push(`the databases hold ${total} images, but mos has ${mos.length} values`);
  if (mosStd.length !== mos.length) problems.push(`mos has ${mos.length} values, but mosStd ${mosStd.length}`);
  if (problems.length > 0) throw new ShapeError(`pairTargets: databases: ${problems.join("; ")}`);
}

function checkValues({ databases, mos, mosStd }: PairLabels, rules: PairRules): void {
  const remedies = deviationRemedies(rules);
  const problems: string[] = [];
  let start = 0;
  for (const { name, images, shares, perLevel } of databases) {
    for (let i = 0; i < images && shares === undefined; i++) {
      const [score, deviation] = [mos[start + i], mosStd[start + i]];
      if (!Number.isFinite(score)) problems.push(`mos of ${name}[${i}] is ${score ?? NaN}`);
      if (remedies.length > 0 && perLevel === undefined && !isDeviation(deviation))
        problems.push(`mosStd of ${name}[${i}] is ${String(deviation)}`);
    }
    start += images;
  }
  if (problems.length === 0) return;
  const shown = problems.slice(0, 5).join(", ") + (problems.length > 5 ? `, … (${problems.length} in all)` : "");
  const help = remedies.length === 0 ? "" : `; ${remedies.join(" with ")} needs no deviations`;
  throw new DataError(`pairTargets: ${shown}; mos must be finite, deviations finite and not negative${help}`);
}

/** Settings that make deviations of pairs unnecessary; empty where none are needed. */
export function deviationRemedies({ target, pairWeight: rule, tieMargin, tieUnit }: PairRules): string[] {
  return [
    ...(target === "thurstone" ? ["losses.target: sign"] : []),
    ...(rule === "deviation" ? ["losses.pairWeight: none"] : []),
    ...(tieMargin > 0 && tieUnit === "deviation" ? ["losses.tieUnit: scale"] : []),
  ];
}

const isDeviation = (value: number | null | undefined): boolean =>
  typeof value === "number" && Number.isFinite(value) && value >= 0;

/**
 * Lower limit of a deviation in a pair's weight, as a part of the database's root mean square over the batch. Published
 * deviations of 0 are rounded ones: without the limit, one pair of them would outweigh all others of its database. With
 * it, no pair counts for more than 16 typical ones.
 */
const SMALLEST_PART = 1 / 4;

/** Weight of the pair (i, j) among the pairs of one database's images; above 0. */
type PairWeight = (i: number, j: number) => number;

/**
 * Relative weights of one database's pairs; the caller divides by their sum.
 *
 * `none`: equal. `deviation`: inverse variance of the pair's MOS difference, 1 / (sd_i² + sd_j²), the weights under
 * which a mean of independent values of unequal precision has the least variance (A. C. Aitken, On Least Squares and
 * Linear Combinations of Observations, 1935). Deviations of single opinions serve as well as those of their means where
 * all images had as many observers: a common factor cancels.
 * @param deviations  of the database's images in the batch, on its own scale, not negative; not read for `none`
 */
export function pairWeight(deviations: readonly number[], rule: LossesConfig["pairWeight"]): PairWeight {
  if (rule === "none") return () => 1;
  const typical = Math.sqrt(deviations.reduce((sum, sd) => sum + sd * sd, 0) / deviations.length);
  if (typical === 0) return () => 1; // no pair is surer than another
  const variances = deviations.map((sd) => Math.max(sd, SMALLEST_PART * typical) ** 2);
  return (i, j) => (typical * typical) / ((variances[i] ?? NaN) + (variances[j] ?? NaN));
}
