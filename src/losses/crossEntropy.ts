import { checkShape } from "../engine/shape.js";
import * as tf from "../engine/tf.js";
import type { LabelTensors } from "./targets.js";

/**
 * Cross-entropy against the uniform distribution over an image's labels: −Σ_c g_c·log p_c, with g_c = 1/(number of
 * labels). For one label it is −log p of that class; its least value for n labels is log n.
 * @param logProbabilities  [images, classes], borrowed: natural logarithms, each row normalized
 * @param labels            borrowed
 * @returns                 scalar, given: mean over the labeled images; without any, 0 with gradient 0
 * @throws {ShapeError}     where the two differ in size
 */
export function crossEntropy(logProbabilities: tf.Tensor2D, { shares }: LabelTensors): tf.Scalar {
  checkShape("crossEntropy: logProbabilities", logProbabilities, shares.shape);
  return tf.tidy(() => tf.neg<tf.Scalar>(tf.sum(tf.mul(shares, logProbabilities))));
}
