/**
 * Layers of both encoders, on matrices: rows are tokens, columns are features. They run inside the caller's tidy. Layer
 * norm has a hand-written gradient: TensorFlow.js would keep the intermediates of each of its elementwise operations.
 */
import { matMulTransposed, withGradients } from "../../engine/ops.js";
import * as tf from "../../engine/tf.js";

/** Constant inside the square root of layer norm, as in CLIP (PyTorch's default). */
export const LAYER_NORM_EPSILON = 1e-5;

/** QuickGELU's slope: x·σ(1.702 x) (OpenAI CLIP, model.py). */
export const QUICK_GELU_SLOPE = 1.702;

/** Linear map in PyTorch's layout: weight [out, in], bias [out]. */
export interface LinearMap {
  readonly weight: tf.Tensor2D;
  readonly bias: tf.Tensor1D;
}

/** x·Wᵀ + b: x [rows, in], weight [out, in], bias [out] → [rows, out]. */
export function linear(x: tf.Tensor2D, weight: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor2D {
  const product = matMulTransposed(x, weight);
  return bias === undefined ? product : tf.add<tf.Tensor2D>(product, bias);
}

/** Normalizes each row to mean 0 and deviation 1, then scales and shifts: [rows, width] → [rows, width]. */
export function layerNorm(x: tf.Tensor2D, gain: tf.Tensor1D, shift: tf.Tensor1D): tf.Tensor2D {
  return layerNormOp(x, gain, shift) as tf.Tensor2D; // as its input
}

const layerNormOp = withGradients((x: tf.Tensor2D, gain: tf.Tensor1D, shift: tf.Tensor1D) => {
  const centered = tf.sub<tf.Tensor2D>(x, tf.mean(x, 1, true)); // [rows, width]
  const perDeviation = inverseDeviation(centered); // [rows, 1]
  const normalized = tf.mul(centered, perDeviation); // [rows, width]
  return {
    value: tf.add(tf.mul(normalized, gain), shift),
    saved: [normalized, perDeviation, gain],
    gradients: (dy, n, r, g) => {
      const dn = tf.mul(dy, g); // [rows, width]
      const alongOnes = tf.mean(dn, 1, true); // [rows, 1]
      const alongNormalized = tf.mean(tf.mul(dn, n), 1, true); // [rows, 1]
      const dx = tf.mul(tf.sub(tf.sub(dn, alongOnes), tf.mul(n, alongNormalized)), r);
      return [dx, tf.sum(tf.mul(dy, n), 0), tf.sum(dy, 0)];
    },
  };
});

/** Factors that bring rows of mean 0 to deviation 1: [rows, width] → [rows, 1]. */
export function inverseDeviation(centered: tf.Tensor2D): tf.Tensor2D {
  const variance = tf.mean(tf.square(centered), 1, true);
  return tf.rsqrt(tf.add<tf.Tensor2D>(variance, LAYER_NORM_EPSILON));
}

/** x·factor, of any shape, keeping nothing: TensorFlow.js would keep x for the gradient by the factor. */
export function scale<T extends tf.Tensor>(x: T, factor: number): T {
  const op = withGradients((input: T) => ({
    value: tf.mul(input, factor),
    saved: [],
    gradients: (dy) => [tf.mul(dy, factor)],
  }));
  return op(x) as T;
}

/** Rows at unit length, as CLIP compares them: [rows, width] → [rows, width]. */
export function l2Normalize(x: tf.Tensor2D): tf.Tensor2D {
  return tf.div<tf.Tensor2D>(x, tf.sqrt(tf.sum(tf.square(x), 1, true)));
}
