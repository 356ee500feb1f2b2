import { describe, expect, it } from "vitest";
import { CachedTensors } from "../../src/engine/cachedTensors.js";
import * as tf from "../../src/engine/tf.js";
import { expectTensorsKept } from "../support/tensors.js";

/** Features that are twice the weight, and how often they were encoded. */
function doubling() {
  const weight = tf.tidy(() => tf.variable(tf.tensor2d([[1, 2]])));
  const count = { encoded: 0 };
  const features = new CachedTensors(() => {
    count.encoded += 1;
    return tf.tidy(() => tf.mul<tf.Tensor2D>(weight, 2));
  }, [weight]);
  return { weight, count, features };
}

function assign(weight: tf.Variable, values: number[][]): void {
  tf.tidy(() => {
    weight.assign(tf.tensor2d(values));
  });
}

describe("Derived", () => {
  it("encodes once while the weights stay", () => {
    const { weight, count, features } = doubling();
    expect(features.get()).toBeAllClose([2, 4], { rtol: 0, atol: 0 });
    expect(features.get()).toBe(features.get());
    expect(count.encoded).toBe(1);
    features.dispose();
    weight.dispose();
  });

  it("encodes anew after an assignment, even of equal numbers", () => {
    const { weight, count, features } = doubling();
    features.get();
    assign(weight, [[3, 4]]);
    expect(features.get()).toBeAllClose([6, 8], { rtol: 0, atol: 0 });
    assign(weight, [[3, 4]]);
    features.get();
    expect(count.encoded).toBe(3);
    features.dispose();
    weight.dispose();
  });

  it("keeps one tensor, also when asked inside a tidy, and gives it up", () => {
    const { weight, features } = doubling();
    expectTensorsKept(1, () => {
      tf.tidy(() => {
        features.get();
      });
    });
    expectTensorsKept(0, () => {
      assign(weight, [[5, 6]]);
      features.get();
    });
    expectTensorsKept(-1, () => {
      features.dispose();
    });
    weight.dispose();
  });
});
