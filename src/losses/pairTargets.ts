import { DataError, ShapeError } from "../base/errors.js";
import type { LossesConfig } from "./config.js";
import { normalCdf } from "./normalCdf.js";

/**
 * Smallest deviation of a MOS that the Thurstone target takes at its word; smaller ones count as this much.
 *
 * The published lists state deviations down to 0.001 (CSIQ, on the narrowest scale, 0 to 1, with three decimals), and
 * 0 for 22 images of CSIQ and 2 of KADID: there it stands for "less than we print". Two such images would otherwise
 * divide by zero; with this floor a pair is decided, as by sign, from a difference of about 0.004 on.
 */
export const DEVIATION_FLOOR = 1e-3;

/** The labels that pairs are made of: images of each database stand together, in consecutive blocks. */
export interface PairLabels {
  readonly databases: readonly { readonly name: string; readonly images: number }[];
  /** [images], each on its database's own scale, higher is better. */
  readonly mos: ArrayLike<number>;
  /** [images], on the same scale; null where none was published. */
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

/**
 * Targets of all pairs i < j inside each database (MOS scales do not mix, so never across databases).
 *
 * `sign`: 1, ½ (a tie) or 0 by the sign of mos_i − mos_j. `thurstone`: Φ((mos_i − mos_j) / √(sd_i² + sd_j²))
 * (Thurstone's case III: independent, each image with its own deviation). The released code's form of the latter,
 * `loss_m2`, leaves √2 out inside Φ; we follow the formula. The weights make it the mean over a database's pairs, then
 * over the databases, so that each database counts the same.
 *
 * @throws {ShapeError} on a database with fewer than two images (there is no pair, and its mean would be NaN), or
 *                      where blocks and labels differ in size
 * @throws {DataError}  on a MOS that is not finite, or, for `thurstone`, on a deviation that is missing or negative
 */
export function pairTargets(labels: PairLabels, target: LossesConfig["target"]): Pairs {
  const { databases, mos } = labels;
  const images = mos.length;
  checkBlocks(labels);
  checkValues(labels, target);
  const preference = target === "sign" ? bySign : byDeviation;
  const targets = new Float32Array(images * images);
  const weights = new Float32Array(images * images);
  let start = 0;
  for (const { images: size } of databases) {
    const weight = 1 / (databases.length * ((size * (size - 1)) / 2));
    for (let i = start; i < start + size; i++) {
      for (let j = i + 1; j < start + size; j++) {
        targets[i * images + j] = preference(labels, i, j);
        weights[i * images + j] = weight;
      }
    }
    start += size;
  }
  return { images, targets, weights };
}

type Preference = (labels: PairLabels, i: number, j: number) => number;

const bySign: Preference = (labels, i, j) => (1 + Math.sign(mosDifference(labels, i, j))) / 2;

const byDeviation: Preference = (labels, i, j) =>
  normalCdf(mosDifference(labels, i, j) / Math.hypot(deviation(labels, i), deviation(labels, j)));

const mosDifference: Preference = ({ mos }, i, j) => (mos[i] ?? NaN) - (mos[j] ?? NaN);

const deviation = ({ mosStd }: PairLabels, i: number): number => Math.max(mosStd[i] ?? NaN, DEVIATION_FLOOR);

function checkBlocks({ databases, mos, mosStd }: PairLabels): void {
  const total = databases.reduce((sum, { images }) => sum + images, 0);
  const problems = databases
    .filter(({ images }) => images < 2)
    .map(({ name, images }) => `${name} has ${images} in this batch and so no pair (set imagesPerStep to 2 or more)`);
  if (databases.length === 0) problems.push("there is no database in this batch");
  if (total !== mos.length) problems.push(`the databases hold ${total} images, but mos has ${mos.length} values`);
  if (mosStd.length !== mos.length) problems.push(`mos has ${mos.length} values, but mosStd ${mosStd.length}`);
  if (problems.length > 0) throw new ShapeError(`pairTargets: databases: ${problems.join("; ")}`);
}

function checkValues({ databases, mos, mosStd }: PairLabels, target: LossesConfig["target"]): void {
  const names = databases.flatMap(({ name, images }) => Array.from({ length: images }, (_, i) => `${name}[${i}]`));
  const problems = names.flatMap((name, i) => [
    ...(Number.isFinite(mos[i]) ? [] : [`mos of ${name} is ${mos[i] ?? NaN}`]),
    ...(target === "sign" || isDeviation(mosStd[i]) ? [] : [`mosStd of ${name} is ${String(mosStd[i])}`]),
  ]);
  if (problems.length === 0) return;
  const shown = problems.slice(0, 5).join(", ") + (problems.length > 5 ? `, … (${problems.length} in all)` : "");
  const help = target === "sign" ? "" : "; losses.target: sign needs no deviations";
  throw new DataError(`pairTargets: ${shown}; mos must be finite, deviations finite and not negative${help}`);
}

const isDeviation = (value: number | null | undefined): boolean =>
  typeof value === "number" && Number.isFinite(value) && value >= 0;
