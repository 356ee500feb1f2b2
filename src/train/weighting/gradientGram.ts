import * as tf from "../../engine/tf.js";
import type { Task } from "../../model/prompts/promptGrid.js";

/** The features of a batch: unit rows. */
export type Features = {
  /** [crops, embedding] */
  readonly crops: tf.Tensor2D;
  /** [prompts, embedding] */
  readonly text: tf.Tensor2D;
};

/** A loss as a function of the features; leaves its intermediates to the caller's tidy. */
type LossOfFeatures = (features: Features) => tf.Scalar;

/**
 * Scalar products of several losses' gradients with each other, each gradient as one vector over all features of the
 * given sides. The features are where the towers end, and so what the losses share: this costs a pass through no tower.
 * A gradient's part along its own feature is left out: features have unit length, so that no weight of a network can
 * move them that way, and what cannot be followed shall not decide anything.
 * @param losses    one a task
 * @param features  borrowed
 * @param sides     those whose tower is trained
 * @returns         [losses, losses], given, not yet read; see `GradientGram`
 */
export function gradientGram(
  losses: readonly LossOfFeatures[],
  features: Features,
  sides: readonly (keyof Features)[],
): tf.Tensor2D {
  return tf.tidy(() => {
    const vectors = tf.stack(losses.map((loss) => gradientVector(loss, features, sides))); // [losses, entries]
    // Not a matrix product: a GPU may round its factors to ten bits, and these vectors are few
    return tf.sum<tf.Tensor2D>(tf.mul(tf.expandDims(vectors, 0), tf.expandDims(vectors, 1)), 2);
  });
}

/** [entries]: the gradient by the given sides, without its parts along the features. */
function gradientVector(loss: LossOfFeatures, features: Features, sides: readonly (keyof Features)[]): tf.Tensor1D {
  const gradients = tf.grads((...xs: tf.Tensor[]) => {
    const varied = Object.fromEntries(sides.map((side, i) => [side, xs[i]]));
    return loss({ ...features, ...(varied as Partial<Features>) }); // of the ranks that went in
  })(sides.map((side) => features[side]));
  return tf.concat1d(
    sides.map((side, i) => tf.reshape(tangent(gradients[i] as tf.Tensor2D, features[side]), [-1])), // as many as sides
  );
}

/** Row by row, g without its part along the unit row f. */
function tangent(g: tf.Tensor2D, f: tf.Tensor2D): tf.Tensor2D {
  return tf.sub<tf.Tensor2D>(g, tf.mul(f, tf.sum(tf.mul(g, f), 1, true)));
}

/**
 * Scalar products of the tasks' gradients with each other: all that weightings want to know of them, namely how long
 * each is and how far two point the same way. Plain data.
 */
export interface GradientGram {
  readonly tasks: readonly Task[];
  /** [tasks, tasks]: ⟨g_i, g_j⟩, in the order of `tasks`. */
  readonly values: readonly (readonly number[])[];
}

/** ⟨g_a, g_b⟩. @throws an internal error for a task that was not measured */
export function product({ tasks, values }: GradientGram, a: Task, b: Task): number {
  const value = values[tasks.indexOf(a)]?.[tasks.indexOf(b)];
  if (value === undefined) throw new Error(`internal: product: the gradients of "${a}" and "${b}" were not measured`);
  return value;
}

/** |g|, Euclidean. */
export function gradientLength(products: GradientGram, task: Task): number {
  return Math.sqrt(product(products, task, task));
}
