import { matMulTransposed } from "../engine/ops.js";
import * as tf from "../engine/tf.js";

/**
 * Logits of images: the scaled cosines of their crops with every prompt, averaged over the crops. The average is
 * taken over the features, which is the same, since a cosine with a fixed prompt is linear in the feature.
 *
 * @param cropFeatures  [images·crops, embedding], borrowed: unit rows, image-major
 * @param textFeatures  [prompts, embedding], borrowed: unit rows
 * @returns             [images, prompts], given
 */
export function imageLogits(
  cropFeatures: tf.Tensor2D,
  textFeatures: tf.Tensor2D,
  images: number,
  logitScale: number,
): tf.Tensor2D {
  return tf.tidy(() => {
    const perImage = tf.reshape(cropFeatures, [images, -1, cropFeatures.shape[1]]); // [images, crops, embedding]
    const features = tf.mean<tf.Tensor2D>(perImage, 1); // [images, embedding]
    return tf.mul<tf.Tensor2D>(matMulTransposed(features, textFeatures), logitScale);
  });
}
