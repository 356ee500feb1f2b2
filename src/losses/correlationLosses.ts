/** Losses of each database's images together: what matters is how quality follows the scores, not on which scale. */
import { exactMatMul } from "../engine/ops.js";
import { checkShape } from "../engine/shape.js";
import * as tf from "../engine/tf.js";
import type { ScoreTensors } from "./scores.js";

/**
 * ε, in squared levels: images that all look the same have no correlation, and this keeps the gradient finite there. It
 * is the square of a thousandth of a level, far below the spread of any batch.
 */
const SPREAD_EPSILON = 1e-6;

/** Fewest images of a database in a step: two always correlate by 1 or -1, whatever their scores are. */
export const FEWEST_CORRELATED = 3;

/**
 * Pearson's linear correlation as a loss: (1 − ρ)/2, with ρ = Σ x·y / √(Σ x² + ε), x the centered quality and y the
 * centered scores of norm 1. Of images whose scores are all equal ρ is 0, without a gradient.
 * @param quality  [images], borrowed: predicted quality, 1 (worst) to the number of levels
 * @param scores   of the same images, borrowed
 * @returns        scalar, given: mean over the databases; 0 where quality is a rising line of the scores, 1 on a falling one
 * @throws {ShapeError} where `quality` is not one number for each image
 */
export function linearCorrelationLoss(quality: tf.Tensor1D, scores: ScoreTensors): tf.Scalar {
  checkShape("linearCorrelationLoss: quality", quality, scores.realigned.shape);
  return tf.tidy(() => {
    const { centered, norms } = centerBlocks(quality, scores.blocks);
    const products = sumBlocks(tf.mul<tf.Tensor1D>(centered, scores.normalized), scores.blocks);
    const correlations = tf.div(products, norms); // [databases]
    return tf.mean<tf.Scalar>(tf.div(tf.sub(1, correlations), 2));
  });
}

/**
 * Norm-in-norm loss (Li, Jiang and Jiang, ACM MM 2020, arXiv 2008.03889) with the paper's p = 1 and q = 2:
 * Σ |x/√(Σ x² + ε) − y| / (2·√n) over the n images of a database, x the centered quality and y the centered scores of
 * norm 1. The divisor is the largest value that the sum can have.
 * @param quality  [images], borrowed: predicted quality, 1 (worst) to the number of levels
 * @param scores   of the same images, borrowed
 * @returns        scalar, given: mean over the databases; 0 where quality is a rising line of the scores, at most 1
 * @throws {ShapeError} where `quality` is not one number for each image
 */
export function normInNormLoss(quality: tf.Tensor1D, { realigned, normalized, blocks }: ScoreTensors): tf.Scalar {
  checkShape("normInNormLoss: quality", quality, realigned.shape);
  return tf.tidy(() => {
    const { centered, norms } = centerBlocks(quality, blocks);
    const errors = tf.abs<tf.Tensor1D>(tf.sub(tf.div(centered, spreadBlocks(norms, blocks)), normalized)); // [images]
    const images = tf.sum(blocks, 1); // [databases]
    return tf.mean<tf.Scalar>(tf.div(sumBlocks(errors, blocks), tf.mul(2, tf.sqrt(images))));
  });
}

/** Values less their block's mean, [images], and the norms of the blocks, [blocks]. Runs in the caller's tidy. */
function centerBlocks(values: tf.Tensor1D, blocks: tf.Tensor2D) {
  const means = tf.div<tf.Tensor1D>(sumBlocks(values, blocks), tf.sum(blocks, 1));
  const centered = tf.sub<tf.Tensor1D>(values, spreadBlocks(means, blocks));
  const squares = sumBlocks(tf.square(centered), blocks);
  return { centered, norms: tf.sqrt<tf.Tensor1D>(tf.add(squares, SPREAD_EPSILON)) };
}

/** [images] → [blocks] */
function sumBlocks(values: tf.Tensor1D, blocks: tf.Tensor2D): tf.Tensor1D {
  return tf.reshape<tf.Rank.R1>(exactMatMul(blocks, tf.expandDims<tf.Tensor2D>(values, 1)), [-1]);
}

/** [blocks] → [images]: each image's of its block. */
function spreadBlocks(values: tf.Tensor1D, blocks: tf.Tensor2D): tf.Tensor1D {
  return tf.reshape<tf.Rank.R1>(exactMatMul(tf.expandDims<tf.Tensor2D>(values, 0), blocks), [-1]);
}
