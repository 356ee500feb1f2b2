import { beforeEach, expect, it } from "vitest";
import { checkpointed } from "../../../src/engine/autodiff/checkpointed.js";
import { valueAndGradients } from "../../../src/engine/autodiff/valueAndGradients.js";
import * as tf from "../../../src/engine/tf.js";
import { describeOnEachEngine } from "../../support/eachEngine.js";
import { expectTensorsKept } from "../../support/tensors.js";

/** A layer with its weight: tanh(x·w) in some steps, that all save something. */
function layer([x, w]: readonly tf.Tensor[]): tf.Tensor {
  if (x === undefined || w === undefined) throw new Error("a layer has two inputs");
  return tf.tanh(tf.exp(tf.square(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D))));
}

const bits = (tensors: readonly (tf.Tensor | undefined)[]) => tensors.map((tensor) => [...(tensor?.dataSync() ?? [])]);

describeOnEachEngine("recomputed", () => {
  let x: tf.Tensor2D;
  let weights: tf.Tensor2D[];
  beforeEach(() => {
    x = tf.randomNormal<tf.Rank.R2>([4, 3], 0, 1, "float32", 1);
    weights = [2, 3, 4].map((seed) => tf.randomNormal<tf.Rank.R2>([3, 3], 0, 0.5, "float32", seed));
  });

  type Run = (inputs: readonly tf.Tensor[]) => tf.Tensor;
  /** The layers one after the other, each run by `run`. */
  const stack =
    (run: Run): Run =>
    ([first = x, ...others]) =>
      tf.sum(others.reduce<tf.Tensor>((rows, w) => run([rows, w]), first));
  const plain = () => stack(layer)([x, ...weights]);
  const stackTwice = stack((inputs) => checkpointed(layer, inputs));
  const twice = () => stackTwice([x, ...weights]);

  it("changes neither the value nor a gradient by a bit", () => {
    const expected = valueAndGradients(plain, [x, ...weights]);
    const { value, gradients } = valueAndGradients(twice, [x, ...weights]);
    expect(bits([value, ...gradients])).toEqual(bits([expected.value, ...expected.gradients]));
  });

  it("works under TensorFlow.js's own backward pass, too, and inside itself", () => {
    const expected = bits(valueAndGradients(plain, [x, ...weights]).gradients);
    expect(bits(tf.grads(twice)([x, ...weights]))).toEqual(expected);
    const nested = () => checkpointed(stackTwice, [x, ...weights]);
    expect(bits(valueAndGradients(nested, [x, ...weights]).gradients)).toEqual(expected);
  });

  it("refuses a function that reads a tensor past its inputs, whose gradient would be lost", () => {
    const past = ([first = x]: readonly tf.Tensor[]) => layer([first, ...weights]);
    expect(() => valueAndGradients(() => checkpointed(past, [x, ...weights]), [x, ...weights])).toThrow(
      "does not depend on input 1",
    );
  });

  it("keeps its inputs alone until the backward pass, and nothing after it", () => {
    const alive = (f: () => tf.Tensor) => {
      let kept = NaN;
      valueAndGradients(() => {
        const before = tf.memory().numTensors;
        const value = tf.tidy(f);
        kept = tf.memory().numTensors - before;
        return value;
      }, [x, ...weights]);
      return kept;
    };
    expect(alive(twice)).toBe(1 + 2 * weights.length); // the value, and each layer's two inputs
    expect(alive(plain)).toBeGreaterThan(1 + 4 * weights.length);
    expectTensorsKept(5, () => valueAndGradients(twice, [x, ...weights]));
  });

  it("is an ordinary function without a tape", () => {
    expectTensorsKept(1, () => checkpointed(layer, [x, tf.tidy(() => weights[0] ?? x)]));
  });

  it.each([1, 2])("leaves nothing behind where its run number %i throws", (failing) => {
    let runs = 0;
    const fragile = (inputs: readonly tf.Tensor[]) => {
      const value = layer(inputs);
      if (++runs === failing) throw new Error("no memory");
      return value;
    };
    expectTensorsKept(0, () => {
      expect(() => valueAndGradients(() => checkpointed(fragile, [x, ...weights]), [x, ...weights])).toThrow(
        "no memory",
      );
    });
    expect(runs).toBe(failing);
  });
});
