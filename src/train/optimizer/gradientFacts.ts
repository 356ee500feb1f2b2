import type * as tf from "../../engine/tf.js";

/** What there is to say about one parameter's gradient when a step went wrong. */
export interface GradientFacts {
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
export function gradientFacts(gradients: ReadonlyMap<string, tf.Tensor>): GradientFacts[] {
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
