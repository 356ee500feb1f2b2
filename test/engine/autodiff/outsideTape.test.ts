import { expect, it } from "vitest";
import { stopRecording } from "../../../src/engine/autodiff/checkpointed.js";
import * as tf from "../../../src/engine/tf.js";
import { describeOnEachEngine } from "../../support/eachEngine.js";
import { expectTensorsKept } from "../../support/tensors.js";

describeOnEachEngine("outsideTape", () => {
  it("takes a gradient inside another one's forward pass, and is a constant to it", () => {
    // y = x² · (d/dx x³ at x, held) = x² · 3x²: its gradient is 2x · 3x², where x held inside counts as given
    const y = (x: tf.Tensor) =>
      tf.sum(
        tf.mul(
          tf.square(x),
          stopRecording(() => tf.grad((z) => tf.pow(z, 3))(x)),
        ),
      );
    const x = tf.tensor1d([2, -1]);
    expect(tf.grad(y)(x)).toBeAllClose([48, -6]);
    expect(y(x)).toBeAllClose([16 * 3 + 3]);
  });

  it("goes on recording after what it ran has thrown", () => {
    const y = (x: tf.Tensor) => {
      expect(() =>
        stopRecording(() => {
          throw new Error("inside");
        }),
      ).toThrow("inside");
      return tf.sum(tf.square(x));
    };
    expect(tf.grad(y)(tf.tensor1d([3]))).toBeAllClose([6]);
  });

  it("keeps nothing of a gradient that was taken inside", () => {
    const x = tf.tensor1d([2]);
    const inner = () =>
      stopRecording(() =>
        tf.tidy(() =>
          tf
            .grad((z) => tf.pow(z, 3))(x)
            .dataSync(),
        ),
      );
    expectTensorsKept(1, () => tf.tidy(() => tf.grad((z) => tf.mul(tf.sum(tf.square(z)), inner()[0] ?? NaN))(x)));
  });
});
