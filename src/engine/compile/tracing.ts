/** Words that code written for any engine may say to a trace; without one they change nothing. */
import type * as tf from "../tf.js";

/** Trace under way. */
export interface Tracing {
  /** Traces `work` so that it runs after these tensors are there. */
  after<T>(tensors: readonly tf.Tensor[], work: () => T): T;
  /** Traces `work` with its matrix products in float32. */
  exactly<T>(work: () => T): T;
}

let underWay: Tracing | null = null;

/** Calls `work`, whose operations are traced. */
export function whileTracing<T>(tracing: Tracing, work: () => T): T {
  underWay = tracing;
  try {
    return work();
  } finally {
    underWay = null;
  }
}

/**
 * Result of `work`, computed after `dy`: for what a backward pass computes again. TensorFlow merges two equal nodes of a
 * graph into one, which would keep the first one's result for the second one's sake, and the memory with it; nodes with
 * other control inputs are not merged.
 */
export function computedAfter<T>(dy: tf.Tensor, work: () => T): T {
  return underWay === null ? work() : underWay.after([dy], work);
}

/** Result of `work`, its products in float32 whatever the precision of others (`engine.precision`). */
export function inFloat32<T>(work: () => T): T {
  return underWay === null ? work() : underWay.exactly(work);
}
