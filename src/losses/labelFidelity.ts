import { checkShape } from "../engine/shape.js";
import * as tf from "../engine/tf.js";
import type { LabelMatrix } from "./labelMatrix.js";
import { labelledWeights } from "./labelMatrix.js";
import { overlap } from "./overlap.js";

/**
 * Fidelity loss of several labels an image: each class by itself present or absent (LIQE, CVPR 2023;
 * `Multi_Fidelity_Loss` of the released MNL_Loss.py). Per class 1 − √(p·g + ε) − √((1−p)·(1−g) + ε), mean over the classes.
 *
 * 1 − p is the sum of the other classes, which loses no digits and never falls below 0.
 *
 * @param logProbabilities  [images, classes], borrowed: natural logarithms, each row normalised
 * @param labels            on the host
 * @returns                 scalar, given: mean over the labelled images; where there are none, 0 with gradient 0
 * @throws {ShapeError}     where the two differ in size
 */
export function multiLabelFidelity(logProbabilities: tf.Tensor2D, labels: LabelMatrix): tf.Scalar {
  const { images, classes } = labels;
  checkShape("multiLabelFidelity: logProbabilities", logProbabilities, [images, classes]);
  return tf.tidy(() => {
    const p = tf.exp(logProbabilities); // [images, classes]
    const others = tf.sub<tf.Tensor2D>(1, tf.eye(classes)); // [classes, classes]
    const rest = tf.matMul(p, others); // [images, classes]: 1 − p
    const g = tf.tensor2d(labels.values, [images, classes]);
    const losses = tf.sub(1, tf.add(overlap(p, g), overlap(rest, tf.sub(1, g))));
    return weightedSum(tf.mean(losses, 1), labels);
  });
}

/**
 * Fidelity loss of one label an image: 1 − Σ_c √(p_c·g_c + ε), the form of the paper (LIQE, CVPR 2023). Since ε
 * counts once for each class, it falls to about −classes·1e-4 where the label is certain.
 *
 * @param logProbabilities  [images, classes], borrowed: natural logarithms, each row normalised
 * @param labels            on the host, at most one an image
 * @returns                 scalar, given: mean over the labelled images; where there are none, 0 with gradient 0
 * @throws {ShapeError}     where the two differ in size
 */
export function singleLabelFidelity(logProbabilities: tf.Tensor2D, labels: LabelMatrix): tf.Scalar {
  const { images, classes } = labels;
  checkShape("singleLabelFidelity: logProbabilities", logProbabilities, [images, classes]);
  return tf.tidy(() => {
    const g = tf.tensor2d(labels.values, [images, classes]);
    const losses = tf.sub(1, tf.sum(overlap(tf.exp(logProbabilities), g), 1)); // [images]
    return weightedSum(losses, labels);
  });
}

/** The same divided by the number of classes, as `Fidelity_Loss_distortion` of the released MNL_Loss.py has it. */
export function releasedSingleLabelFidelity(logProbabilities: tf.Tensor2D, labels: LabelMatrix): tf.Scalar {
  return tf.tidy(() => tf.div<tf.Scalar>(singleLabelFidelity(logProbabilities, labels), labels.classes));
}

/** [images] → the mean over the labelled ones. */
function weightedSum(losses: tf.Tensor, labels: LabelMatrix): tf.Scalar {
  return tf.sum<tf.Scalar>(tf.mul(losses, tf.tensor1d(labelledWeights(labels))));
}
