/** Losses of the quality in levels: against the scores, and between the images of a pair. */
import { checkShape } from "../engine/shape.js";
import * as tf from "../engine/tf.js";
import type { PairTensors } from "./pairs.js";
import type { ScoreTensors } from "./scores.js";

/**
 * Huber's loss of the quality against the MOS on the levels' scale (P. J. Huber, Robust Estimation of a Location
 * Parameter, Annals of Mathematical Statistics 35(1), 1964): e²/2 of an error e up to δ, δ·(|e| − δ/2) beyond.
 * @param quality  [images], borrowed: predicted quality, 1 (worst) to the number of levels
 * @param scores   of the same images, borrowed
 * @param delta    δ, in levels, above 0
 * @returns        scalar, given, in squared levels: mean over the images of each database, then over the databases
 * @throws {ShapeError} where `quality` is not one number for each image
 */
export function huberLoss(quality: tf.Tensor1D, { realigned, weights }: ScoreTensors, delta: number): tf.Scalar {
  checkShape("huberLoss: quality", quality, realigned.shape);
  return tf.tidy(() => {
    const error = tf.abs(tf.sub(quality, realigned)); // [images]
    const curved = tf.minimum(error, delta);
    const losses = tf.mul(curved, tf.sub(error, tf.div(curved, 2)));
    return tf.sum<tf.Scalar>(tf.mul(losses, weights));
  });
}

/**
 * Cross-entropy of the pairs of a batch under the model of R. A. Bradley and M. E. Terry (Biometrika 39, 1952):
 * −g·log σ(d) − (1 − g)·log σ(−d), with d = q_i − q_j, σ the logistic function and g the pair's target.
 * @param quality  [images], borrowed: predicted quality, 1 (worst) to the number of levels
 * @param pairs    targets and weights of the pairs, borrowed
 * @returns        scalar, given, in nats: weighted mean over the pairs of each database, then over the databases
 * @throws {ShapeError} where `quality` is not one number for each image of `pairs`
 */
export function bradleyTerryLoss(quality: tf.Tensor1D, { targets: g, weights }: PairTensors): tf.Scalar {
  checkShape("bradleyTerryLoss: quality", quality, [g.shape[0]]);
  return tf.tidy(() => {
    const ahead = tf.sub(tf.expandDims(quality, 1), tf.expandDims(quality, 0)); // [images, images]
    const ifBetter = tf.mul(g, tf.softplus(tf.neg(ahead)));
    const ifWorse = tf.mul(tf.sub(1, g), tf.softplus(ahead));
    return tf.sum<tf.Scalar>(tf.mul(weights, tf.add(ifBetter, ifWorse)));
  });
}

/**
 * Margin ranking loss over the pairs of a batch, as PyTorch's `MarginRankingLoss` where one image is better:
 * g·max(0, m − d) + (1 − g)·max(0, m + d), with d = q_i − q_j and g the pair's target. A tie, g = ½, loses m up to a
 * difference of m and more beyond it.
 * @param quality  [images], borrowed: predicted quality, 1 (worst) to the number of levels
 * @param pairs    targets and weights of the pairs, borrowed
 * @param margin   m, in levels, above 0
 * @returns        scalar, given, in levels: weighted mean over the pairs of each database, then over the databases
 * @throws {ShapeError} where `quality` is not one number for each image of `pairs`
 */
export function marginRankingLoss(
  quality: tf.Tensor1D,
  { targets: g, weights }: PairTensors,
  margin: number,
): tf.Scalar {
  checkShape("marginRankingLoss: quality", quality, [g.shape[0]]);
  return tf.tidy(() => {
    const ahead = tf.sub(tf.expandDims(quality, 1), tf.expandDims(quality, 0)); // [images, images]
    const ifBetter = tf.mul(g, tf.relu(tf.sub(margin, ahead)));
    const ifWorse = tf.mul(tf.sub(1, g), tf.relu(tf.add(margin, ahead)));
    return tf.sum<tf.Scalar>(tf.mul(weights, tf.add(ifBetter, ifWorse)));
  });
}
