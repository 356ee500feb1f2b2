import { exactMatMul } from "../engine/ops.js";
import { checkShape } from "../engine/shape.js";
import * as tf from "../engine/tf.js";
import type { LabelTensors } from "./targets.js";
import type { PairTensors } from "./pairs.js";

/**
 * Fidelity loss over the pairs of a batch (LIQE, CVPR 2023, arXiv 2303.14968).
 *
 * With d = q_i − q_j and g the pair's target: p = Φ(d), loss = 1 − √(p·g + ε) − √((1−p)·(1−g) + ε). Follows
 * `loss_m4` of the released MNL_Loss.py for the scale inside Φ: d, where Thurstone's model of variances 1 has d/√2.
 * @param quality  [images], borrowed: predicted quality, 1 (worst) to the number of levels
 * @param pairs    targets and weights of the pairs, borrowed
 * @returns        scalar, given: weighted mean over the pairs of each database, then over the databases; near 0 where
 *                 all pairs are surely right, near 1 where all are surely wrong
 * @throws {ShapeError} where `quality` is not one number for each image of `pairs`
 */
export function pairwiseFidelity(quality: tf.Tensor1D, { targets: g, weights }: PairTensors): tf.Scalar {
  checkShape("pairwiseFidelity: quality", quality, [g.shape[0]]);
  return tf.tidy(() => {
    const signed = tf.erf(tf.mul(pairDifferences(quality), Math.SQRT1_2)); // [images, images]: 2p − 1
    const p = tf.div(tf.add(1, signed), 2);
    const rest = tf.div(tf.sub(1, signed), 2); // 1 − p, with one bit more than 1 − p itself keeps
    const fidelity = tf.add(bhattacharyya(p, g), bhattacharyya(rest, tf.sub(1, g)));
    return tf.sum<tf.Scalar>(tf.mul(weights, tf.sub(1, fidelity)));
  });
}

/** Differences d[i, j] = x[i] − x[j]: [n] → [n, n]. */
function pairDifferences(x: tf.Tensor1D): tf.Tensor2D {
  return tf.sub<tf.Tensor2D>(tf.expandDims(x, 1), tf.expandDims(x, 0));
}

/**
 * Fidelity loss of several labels an image, each class present or absent by itself (LIQE, CVPR 2023;
 * `Multi_Fidelity_Loss` of the released MNL_Loss.py): 1 − √(p·g + ε) − √((1−p)·(1−g) + ε), mean over the classes.
 * 1 − p is computed as the sum of the other classes, which loses no digits and never falls below 0.
 * @param logProbabilities  [images, classes], borrowed: natural logarithms, each row normalized
 * @param labels            borrowed
 * @returns                 scalar, given: mean over the labeled images; without any, 0 with gradient 0
 * @throws {ShapeError}     where the two differ in size
 */
export function multiLabelFidelity(logProbabilities: tf.Tensor2D, { present: g, weights }: LabelTensors): tf.Scalar {
  checkShape("multiLabelFidelity: logProbabilities", logProbabilities, g.shape);
  return tf.tidy(() => {
    const p = tf.exp(logProbabilities); // [images, classes]
    const others = tf.sub<tf.Tensor2D>(1, tf.eye(g.shape[1])); // [classes, classes]
    const rest = exactMatMul(p, others); // [images, classes]: 1 − p
    const losses = tf.sub(1, tf.add(bhattacharyya(p, g), bhattacharyya(rest, tf.sub(1, g))));
    return tf.sum<tf.Scalar>(tf.mul(tf.mean(losses, 1), weights));
  });
}

/**
 * Fidelity loss of one label an image: 1 − Σ_c √(p_c·g_c + ε), the form of the paper (LIQE, CVPR 2023). ε counts
 * once a class, so the loss falls to about −classes·1e-4 where the label is certain.
 * @param logProbabilities  [images, classes], borrowed: natural logarithms, each row normalized
 * @param labels            borrowed, at most one an image
 * @returns                 scalar, given: mean over the labeled images; without any, 0 with gradient 0
 * @throws {ShapeError}     where the two differ in size
 */
export function singleLabelFidelity(logProbabilities: tf.Tensor2D, { present: g, weights }: LabelTensors): tf.Scalar {
  checkShape("singleLabelFidelity: logProbabilities", logProbabilities, g.shape);
  return tf.tidy(() => {
    const losses = tf.sub(1, tf.sum(bhattacharyya(tf.exp(logProbabilities), g), 1)); // [images]
    return tf.sum<tf.Scalar>(tf.mul(losses, weights));
  });
}

/** `singleLabelFidelity` divided by the number of classes: `Fidelity_Loss_distortion` of the released MNL_Loss.py. */
export function releasedSingleLabelFidelity(logProbabilities: tf.Tensor2D, labels: LabelTensors): tf.Scalar {
  return tf.tidy(() => tf.div<tf.Scalar>(singleLabelFidelity(logProbabilities, labels), labels.present.shape[1]));
}

/** ε: keeps √ differentiable at probability 0. The LIQE release has the same value; results depend on it. */
const SQRT_EPSILON = 1e-8;

/** √(p·g + ε), elementwise: one outcome's part of the fidelity of two distributions. Runs in the caller's tidy. */
function bhattacharyya(p: tf.Tensor, g: tf.Tensor): tf.Tensor {
  return tf.sqrt(tf.add(tf.mul(p, g), SQRT_EPSILON));
}
