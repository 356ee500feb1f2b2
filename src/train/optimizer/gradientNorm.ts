import * as tf from "../../engine/tf.js";

/** In the denominator, as in PyTorch's clip_grad_norm_: a norm of 0 divides nothing by zero. */
const NORM_EPSILON = 1e-6;

/**
 * Euclidean norm of all gradients together, as if they were one vector.
 *
 * @param gradients  by parameter name, borrowed
 * @returns          scalar, given, not yet read: the step reads it with its losses in one go
 */
export function gradientNorm(gradients: ReadonlyMap<string, tf.Tensor>): tf.Scalar {
  return tf.tidy(() => {
    const squares = [...gradients.values()].map((gradient) => tf.sum<tf.Scalar>(tf.square(gradient)));
    return squares.length === 0 ? tf.scalar(0) : tf.sqrt(tf.addN(squares));
  });
}

/**
 * The factor that brings gradients of this norm down to `clipNorm`: min(1, clipNorm / (norm + 1e-6)), as in
 * torch.nn.utils.clip_grad_norm_. 1 where nothing is to be clipped (`clipNorm` null).
 */
export function clipFactor(norm: number, clipNorm: number | null): number {
  return clipNorm === null ? 1 : Math.min(1, clipNorm / (norm + NORM_EPSILON));
}

/**
 * Gradients scaled so that their common norm is at most `clipNorm`; their direction stays.
 *
 * @param gradients  by parameter name, borrowed
 * @param norm       their `gradientNorm`, read
 * @returns          by the same names, given
 */
export function clipGradients(
  gradients: ReadonlyMap<string, tf.Tensor>,
  norm: number,
  clipNorm: number | null,
): Map<string, tf.Tensor> {
  const factor = clipFactor(norm, clipNorm);
  return new Map(
    [...gradients].map(([name, gradient]) => [name, factor === 1 ? tf.clone(gradient) : tf.mul(gradient, factor)]),
  );
}
