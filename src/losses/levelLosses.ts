/** Losses of the levels' probabilities with soft levels; see `softLevels`. */
import { exactMatMul } from "../engine/ops.js";
import { checkShape } from "../engine/shape.js";
import * as tf from "../engine/tf.js";
import type { ScoreTensors } from "./scores.js";

/** Probability below which a level's logarithm is that of this one; times the level's own 0 it is 0 either way. */
const LEAST_PROBABILITY = 1e-30;

/**
 * Kullback-Leibler divergence of the levels' probabilities p from the soft levels t: Σ_k t_k·(log t_k − log p_k), with
 * 0·log 0 = 0 (DeQA-Score, CVPR 2025, arXiv 2501.11561).
 * @param logProbabilities  [images, levels], borrowed: natural logarithms, each row normalized
 * @param scores            borrowed
 * @returns                 scalar, given: mean over the images of each database, then over the databases; 0 where p = t
 * @throws {ShapeError}     where the two differ in size
 */
export function klDivergence(logProbabilities: tf.Tensor2D, { softLevels: t, weights }: ScoreTensors): tf.Scalar {
  checkShape("klDivergence: logProbabilities", logProbabilities, t.shape);
  return tf.tidy(() => {
    const logTargets = tf.log(tf.maximum(t, LEAST_PROBABILITY)); // [images, levels]
    const losses = tf.sum(tf.mul(t, tf.sub(logTargets, logProbabilities)), 1); // [images]
    return tf.sum<tf.Scalar>(tf.mul(losses, weights));
  });
}

/**
 * Squared earth mover's distance of the levels' probabilities p to the soft levels t, one level being one apart:
 * Σ_k (P_k − T_k)² of their cumulative sums (Hou, Yu and Samaras, arXiv 1611.05916; NIMA, arXiv 1709.05424, has its root,
 * whose gradient is infinite where the two are equal).
 * @param logProbabilities  [images, levels], borrowed: natural logarithms, each row normalized
 * @param scores            borrowed
 * @returns                 scalar, given: mean over the images of each database, then over the databases; 0 to levels − 1
 * @throws {ShapeError}     where the two differ in size
 */
export function earthMoversDistance(
  logProbabilities: tf.Tensor2D,
  { softLevels: t, weights }: ScoreTensors,
): tf.Scalar {
  checkShape("earthMoversDistance: logProbabilities", logProbabilities, t.shape);
  return tf.tidy(() => {
    const difference = tf.sub<tf.Tensor2D>(tf.exp(logProbabilities), t); // [images, levels]
    const levels = t.shape[1];
    const upTo = tf.tensor2d(Float32Array.from({ length: levels ** 2 }, upToOf(levels)), [levels, levels]);
    const losses = tf.sum(tf.square(exactMatMul(difference, upTo)), 1); // [images]
    return tf.sum<tf.Scalar>(tf.mul(losses, weights));
  });
}

/** Entries of the matrix whose column k sums the levels up to k. */
function upToOf(levels: number): (_: unknown, entry: number) => number {
  return (_, entry) => (Math.floor(entry / levels) <= entry % levels ? 1 : 0);
}
