import { beforeEach, expect, it } from "vitest";
import { gradientsBy } from "../../src/engine/backward.js";
import * as tf from "../../src/engine/tf.js";
import { layerNorm, linear, linearOfNorm, linearOfQuickGelu, scaled } from "../../src/model/layers.js";
import { describeOnEachEngine } from "../support/eachEngine.js";
import { expectTensorsKept } from "../support/tensors.js";

/** Hand-written gradients against recorded ones: elementwise operations in another order. */
const ELEMENTWISE = { rtol: 1e-4, atol: 1e-6 };

const random = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, "float32", seed);

describeOnEachEngine("a linear map that keeps the input of what it maps", () => {
  let x: tf.Tensor2D;
  let gain: tf.Tensor1D;
  let shift: tf.Tensor1D;
  let weight: tf.Tensor2D;
  let bias: tf.Tensor1D;
  beforeEach(() => {
    x = random([5, 3], 1) as tf.Tensor2D;
    gain = random([3], 2) as tf.Tensor1D;
    shift = random([3], 3) as tf.Tensor1D;
    weight = random([4, 3], 4) as tf.Tensor2D;
    bias = random([4], 5) as tf.Tensor1D;
  });

  /** So that rows and columns have gradients of their own. */
  const along = (y: tf.Tensor2D) => tf.sum(tf.mul(y, random([5, 4], 6)));

  function expectSame(ours: () => tf.Tensor2D, plain: () => tf.Tensor2D, xs: readonly tf.Tensor[]) {
    const got = gradientsBy(() => along(ours()), xs);
    const want = gradientsBy(() => along(plain()), xs);
    expect(got.value).toBeAllClose(want.value.dataSync(), ELEMENTWISE);
    xs.forEach((_, i) => {
      expect(got.gradients[i], `gradient ${i}`).toBeAllClose(want.gradients[i]?.dataSync() ?? [], ELEMENTWISE);
    });
    expectTensorsKept(1 + xs.length, () => gradientsBy(() => along(ours()), xs));
  }

  it("maps normalised rows", () => {
    const plain = () => linear(layerNorm(x, gain, shift), weight, bias);
    expectSame(() => linearOfNorm(x, gain, shift, weight, bias), plain, [x, gain, shift, weight, bias]);
  });

  it("maps x·σ(1.702 x)", () => {
    const plain = () => linear(tf.mul(x, tf.sigmoid(tf.mul(x, 1.702))), weight, bias);
    expectSame(() => linearOfQuickGelu(x, weight, bias), plain, [x, weight, bias]);
  });
});

describeOnEachEngine("scaled", () => {
  it("multiplies, and so does its gradient", () => {
    const x = tf.tensor1d([1, -2]);
    expect(scaled(x, 3)).toBeAllClose([3, -6]);
    expect(gradientsBy(() => scaled(x, 3), [x]).gradients[0]).toBeAllClose([3, 3]);
  });
});
