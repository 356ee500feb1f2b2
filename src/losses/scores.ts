/** Scores of a batch on the scale of the levels: checked on the host, then tensors. */
import { softLevels } from "../base/distributions.js";
import { DataError } from "../base/errors.js";
import * as tf from "../engine/tf.js";
import { isOfLevels, type LossesConfig } from "./config.js";
import type { PairLabels } from "./pairs.js";

/** Scores of every image of a batch, on the host. */
interface Scores {
  readonly levels: number;
  /** Row-major [images, levels]: soft levels; see `softLevels`. Empty where the loss does not look at them. */
  readonly softLevels: Float32Array;
  /** [images]: MOS on the levels' scale, 1 to the number of levels. */
  readonly realigned: Float32Array;
  /** [images]: realigned MOS less the mean of its database's images, divided by the norm of theirs; 0 where all agree. */
  readonly normalized: Float32Array;
  /** [images]: 1 / (databases · images of the database); they sum to 1. */
  readonly weights: Float32Array;
  /** Row-major [databases, images]: 1 where the image is of the database, else 0. */
  readonly blocks: Float32Array;
}

/** `Scores` on the device. (A type alias: `tf.tidy` accepts no interface.) */
export type ScoreTensors = {
  /** [images, levels]; no rows where the loss does not look at them. */
  readonly softLevels: tf.Tensor2D;
  /** [images] */
  readonly realigned: tf.Tensor1D;
  /** [images] */
  readonly normalized: tf.Tensor1D;
  /** [images] */
  readonly weights: tf.Tensor1D;
  /** [databases, images] */
  readonly blocks: tf.Tensor2D;
};

/**
 * Scores of a batch's images, each database's scale aligned with the levels: the lowest MOS of its training images is
 * level 1, the highest the last level, linearly between.
 * @param labels  without rankings, which have no scores
 * @param levels  number of quality levels
 * An image that a teacher told the probabilities of levels of has those as its soft levels.
 * @throws {DataError} where a database's scores do not differ, or soft levels are asked for and a deviation is missing
 */
export function scoreTargets(labels: PairLabels, levels: number, config: Pick<LossesConfig, "quality">): Scores {
  const { databases, mos, mosStd, rankings } = labels;
  if ((rankings?.groups.length ?? 0) > 0) throw new Error("internal: scoreTargets: rankings have no scores");
  const images = mos.length;
  const placed = databases.flatMap((database) => {
    const { perLevel, lowest } = scaleOf(database, levels);
    return Array.from({ length: database.images }, () => ({ database, perLevel, lowest }));
  });
  const realigned = placed.map(({ perLevel, lowest }, i) => 1 + ((mos[i] ?? NaN) - lowest) / perLevel);
  const soft = placed.flatMap(({ perLevel, database }, i) => {
    if (!isOfLevels(config)) return [];
    const told = labels.soft?.[i]?.quality ?? [];
    if (told.length === levels) return told;
    return softLevels(realigned[i] ?? NaN, deviationOf(mosStd[i], database.name) / perLevel, levels);
  });
  const blocks = databases.flatMap((one) => placed.map(({ database }) => (database === one ? 1 : 0)));
  const weights = placed.map(({ database }) => 1 / (databases.length * database.images));
  if (placed.length !== images) throw new Error(`internal: scoreTargets: ${images} scores for ${placed.length} images`);
  return {
    levels,
    softLevels: Float32Array.from(soft),
    realigned: Float32Array.from(realigned),
    normalized: Float32Array.from(normalizedBlocks(realigned, databases)),
    weights: Float32Array.from(weights),
    blocks: Float32Array.from(blocks),
  };
}

/** Scores as tensors, given. */
export function scoreTensors({
  levels,
  softLevels: soft,
  realigned,
  normalized,
  weights,
  blocks,
}: Scores): ScoreTensors {
  const images = realigned.length;
  return {
    softLevels: tf.tensor2d(soft, [soft.length / levels, levels]),
    realigned: tf.tensor1d(realigned),
    normalized: tf.tensor1d(normalized),
    weights: tf.tensor1d(weights),
    blocks: tf.tensor2d(blocks, [blocks.length / images, images]),
  };
}

/** Difference of scores that is one of `levels` levels, where the scores' whole span is from the lowest to the highest. */
export function perLevelOf(mosSpan: number, levels: number): number {
  return mosSpan / (levels - 1);
}

function scaleOf({ name, mosSpan, mosLowest }: PairLabels["databases"][number], levels: number) {
  if (mosSpan === undefined || mosLowest === undefined)
    throw new Error("internal: scoreTargets: needs mosSpan, mosLowest");
  if (mosSpan > 0) return { perLevel: perLevelOf(mosSpan, levels), lowest: mosLowest };
  const remedy = "leave the database out, or set losses.quality: fidelity";
  throw new DataError(`scoreTargets: ${name}: all training scores are ${mosLowest}, which is no scale; ${remedy}`);
}

function deviationOf(deviation: number | null | undefined, name: string): number {
  if (typeof deviation === "number" && Number.isFinite(deviation) && deviation >= 0) return deviation;
  throw new DataError(
    `scoreTargets: ${name}: mosStd is ${String(deviation)}; soft levels need deviations, finite and not negative; ` +
      "losses.quality: fidelity needs none",
  );
}

function normalizedBlocks(values: readonly number[], databases: PairLabels["databases"]): number[] {
  let start = 0;
  return databases.flatMap(({ images }) => {
    const block = values.slice(start, (start += images));
    const mean = block.reduce((sum, value) => sum + value, 0) / images;
    const norm = Math.hypot(...block.map((value) => value - mean));
    return block.map((value) => (norm === 0 ? 0 : (value - mean) / norm));
  });
}
