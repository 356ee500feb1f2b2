import { checkShape } from "../engine/shape.js";
import * as tf from "../engine/tf.js";
import { overlap } from "./overlap.js";
import type { Pairs } from "./pairs.js";

/**
 * Fidelity loss over the pairs of a batch (fidelity loss of LIQE, CVPR 2023, arXiv 2303.14968).
 *
 * With d = q_i − q_j and g the pair's target: p = Φ(d), loss = 1 − √(p·g + ε) − √((1−p)·(1−g) + ε). Follows
 * `loss_m4` of the released MNL_Loss.py for the scale inside Φ: d itself, where Thurstone's
 * model of two scores of variance 1 would have d/√2.
 *
 * @param quality  [images], borrowed: predicted quality, 1 (worst) to the number of levels
 * @param pairs    targets and weights of the pairs, on the host
 * @returns        scalar, given: mean over the pairs of each database by their weights, then over the databases; near
 *                 0 when all are surely right, near 1 when all are surely wrong
 * @throws {ShapeError} where `quality` is not one number for each image of `pairs`
 */
export function pairwiseFidelity(quality: tf.Tensor1D, pairs: Pairs): tf.Scalar {
  const { images } = pairs;
  checkShape("pairwiseFidelity: quality", quality, [images]);
  return tf.tidy(() => {
    const g = tf.tensor2d(pairs.targets, [images, images]);
    const weights = tf.tensor2d(pairs.weights, [images, images]);
    const signed = tf.erf(tf.mul(pairDifferences(quality), Math.SQRT1_2)); // [images, images]: 2p − 1
    const p = tf.div(tf.add(1, signed), 2);
    const rest = tf.div(tf.sub(1, signed), 2); // 1 − p, with a bit more of it left than 1 − p itself keeps
    const fidelity = tf.add(overlap(p, g), overlap(rest, tf.sub(1, g)));
    return tf.sum<tf.Scalar>(tf.mul(weights, tf.sub(1, fidelity)));
  });
}

/** d[i, j] = x[i] − x[j]: [n] → [n, n]. */
function pairDifferences(x: tf.Tensor1D): tf.Tensor2D {
  return tf.sub<tf.Tensor2D>(tf.expandDims(x, 1), tf.expandDims(x, 0));
}
