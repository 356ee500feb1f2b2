import { checkShape } from "../engine/shape.js";
import * as tf from "../engine/tf.js";
import type { Task, TaskAxis } from "../model/prompts/promptGrid.js";

/**
 * Logarithm of one task's distribution under the softmax over the whole prompt grid.
 *
 * Sums in the logarithm, so that it stays finite, and its gradient with it, where the probability itself underflows:
 * CLIP's logit scale of 100 spreads logits over up to 200.
 *
 * @param logits  [images, prompts], borrowed: unnormalised, prompts in grid order
 * @param axes    the grid's axes, slowest first
 * @param task    the axis to keep; the others are summed away
 * @returns       [images, classes], given: natural logarithms, each row normalised
 * @throws {ShapeError} where the axes do not multiply to the prompts, or `task` is none of them
 */
export function logMarginal(logits: tf.Tensor2D, axes: readonly TaskAxis[], task: Task): tf.Tensor2D {
  const sizes = axes.map(({ labels }) => labels.length);
  checkShape(`logMarginal: ${task}: logits`, logits, ["images", sizes.reduce((product, size) => product * size, 1)]);
  const kept = axes.findIndex(({ axis }) => axis === task);
  if (kept < 0) throw new Error(`internal: logMarginal: the prompt grid has no axis "${task}"`);
  const others = sizes.flatMap((_, i) => (i === kept ? [] : [i + 1])); // + 1 skips the images
  return tf.tidy(() => {
    const grid = tf.reshape(logits, [logits.shape[0], ...sizes]);
    // With no axes to sum, logSumExp would sum all of them
    const scores = others.length === 0 ? logits : tf.logSumExp<tf.Tensor2D>(grid, others); // [images, classes]
    return tf.logSoftmax(scores);
  });
}
