import { checkShape } from "../engine/shape.js";
import * as tf from "../engine/tf.js";
import type { MultiHot } from "./targets.js";
import { labelCounts, labeledWeights } from "./targets.js";

/**
 * Cross-entropy against the uniform distribution over an image's labels: −Σ_c g_c·log p_c, with g_c = 1/(number of
 * labels). For one label it is the usual −log p of that class; its least value for n labels is log n.
 *
 * @param logProbabilities  [images, classes], borrowed: natural logarithms, each row normalised
 * @param labels            on the host
 * @returns                 scalar, given: mean over the labelled images; where there are none, 0 with gradient 0
 * @throws {ShapeError}     where the two differ in size
 */
export function crossEntropy(logProbabilities: tf.Tensor2D, labels: MultiHot): tf.Scalar {
  const { images, classes } = labels;
  checkShape("crossEntropy: logProbabilities", logProbabilities, [images, classes]);
  const counts = labelCounts(labels);
  const weights = labeledWeights(labels).map((weight, image) => weight / Math.max(counts[image] ?? 0, 1));
  const targets = labels.values.map((value, i) => value * (weights[Math.floor(i / classes)] ?? NaN));
  return tf.tidy(() => {
    const products = tf.mul(tf.tensor2d(targets, [images, classes]), logProbabilities); // [images, classes]
    return tf.neg<tf.Scalar>(tf.sum(products));
  });
}
