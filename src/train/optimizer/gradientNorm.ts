import * as tf from "../../engine/tf.js";

/** In the denominator, as in PyTorch's clip_grad_norm_: a norm of 0 divides nothing by zero. */
const NORM_EPSILON = 1e-6;

/**
 * Euclidean norm of all gradients together, as if they were one vector.
 *
 * @param gradients  by parameter name, borrowed
 * @returns          scalar, given, not yet read: the step reads it with its losses in one go
 */
export function globalNorm(gradients: ReadonlyMap<string, tf.Tensor>): tf.Scalar {
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
export function clipByGlobalNorm(
  gradients: ReadonlyMap<string, tf.Tensor>,
  norm: number,
  clipNorm: number | null,
): Map<string, tf.Tensor> {
  const factor = clipFactor(norm, clipNorm);
  return new Map(
    [...gradients].map(([name, gradient]) => [name, factor === 1 ? tf.clone(gradient) : tf.mul(gradient, factor)]),
  );
}

/** What there is to say about one parameter's gradient when a step went wrong. */
export interface GradientSummary {
  readonly parameter: string;
  /** Euclidean norm of its finite entries, in float64: it does not overflow where float32 did. */
  readonly norm: number;
  /** Entries that are not finite. */
  readonly nonFinite: number;
  readonly entries: number;
}

/**
 * Reads every gradient, one after the other: slow, and meant for a step that is not taken.
 *
 * @param gradients  by parameter name, borrowed
 */
export function summarizeGradients(gradients: ReadonlyMap<string, tf.Tensor>): GradientSummary[] {
  return [...gradients].map(([parameter, gradient]) => {
    let squares = 0;
    let nonFinite = 0;
    for (const value of gradient.dataSync()) {
      if (Number.isFinite(value)) squares += value * value;
      else nonFinite++;
    }
    return { parameter, norm: Math.sqrt(squares), nonFinite, entries: gradient.size };
  });
}
