import * as tf from "../engine/tf.js";

/** Keeps √ differentiable at probability 0. The LIQE release has the same value; results depend on it. */
const SQRT_EPSILON = 1e-8;

/** √(p·g + ε), elementwise: one outcome's part of the fidelity of two distributions. Runs inside the caller's tidy. */
export function overlap(p: tf.Tensor, g: tf.Tensor): tf.Tensor {
  return tf.sqrt(tf.add(tf.mul(p, g), SQRT_EPSILON));
}
