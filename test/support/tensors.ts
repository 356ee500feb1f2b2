import { expect } from "vitest";
import * as tf from "../../src/engine/tf.js";

/** Runs `make` and expects it to leave exactly `kept` tensors behind, what it returned among them. */
export function expectTensorsKept(kept: number, make: () => unknown): void {
  const before = tf.memory().numTensors;
  make();
  expect(tf.memory().numTensors - before).toBe(kept);
}

/**
 * Distance of two arrays by their Euclidean norms, |found − expected| / |expected|: what is left of sums in another order.
 * Entry by entry the least of them would tell of the processor and its number of threads, not of the program.
 */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) throw new Error(`test: ${found.length} values for ${expected.length}`);
  let [squares, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    squares += ((found[i] ?? NaN) - (expected[i] ?? NaN)) ** 2;
    size += (expected[i] ?? NaN) ** 2;
  }
  return Math.sqrt(squares) / Math.sqrt(size);
}
