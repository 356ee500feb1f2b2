import { expect } from "vitest";
import * as tf from "../../src/engine/tf.js";

/** Runs `make` and expects it to leave exactly `kept` tensors behind, what it returned among them. */
export function expectTensorsKept(kept: number, make: () => unknown): void {
  const before = tf.memory().numTensors;
  make();
  expect(tf.memory().numTensors - before).toBe(kept);
}
