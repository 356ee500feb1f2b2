import { expect, it } from "vitest";
import { valueAndGradients } from "../../src/engine/autodiff/valueAndGradients.js";
import { linear } from "../../src/engine/ops.js";
import * as tf from "../../src/engine/tf.js";
import { ACTIVATIONS } from "../../src/model/architecture/architecture.js";
import { layerNorm, linearOfActivation, linearOfNorm, scale } from "../../src/model/layers.js";
import { describeOnEachEngine } from "../support/eachEngine.js";
import { expectTensorsKept } from "../support/tensors.js";

/** Hand-written gradients against recorded ones: elementwise operations in another order. */
const ELEMENTWISE = { rtol: 1e-4, atol: 1e-6 };

const random = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, "float32", seed);

/** On both sides of the width from which norms and activations are computed again. */
const WIDTHS = [3, 512];

describeOnEachEngine("a linear map of a norm or an activation", () => {
  /** So that rows and columns have gradients of their own. */
  const along = (y: tf.Tensor2D) => tf.sum<tf.Scalar>(tf.mul(y, random(y.shape, 6)));

  function expectSame(ours: () => tf.Tensor2D, plain: () => tf.Tensor2D, xs: readonly tf.Tensor[]) {
    const got = valueAndGradients(() => along(ours()), xs);
    const want = valueAndGradients(() => along(plain()), xs);
    expect(got.value).toBeAllClose(want.value.dataSync(), ELEMENTWISE);
    xs.forEach((_, i) => {
      expect(got.gradients[i], `gradient ${i}`).toBeAllClose(want.gradients[i]?.dataSync() ?? [], ELEMENTWISE);
    });
    expectTensorsKept(1 + xs.length, () => valueAndGradients(() => along(ours()), xs));
  }

  /** Numbers that are held for the backward pass, with the map's own result. */
  function held(map: () => tf.Tensor2D): number {
    let numbers = NaN;
    valueAndGradients(() => {
      const before = tf.memory().numBytes;
      const y = tf.tidy(map);
      numbers = (tf.memory().numBytes - before) / Float32Array.BYTES_PER_ELEMENT;
      return tf.sum<tf.Scalar>(y);
    }, []);
    return numbers;
  }

  function ofNorm(width: number) {
    const [x, gain, shift] = [random([5, width], 1), random([width], 2), random([width], 3)];
    const [weight, bias] = [random([4, width], 4), random([4], 5)];
    return { x, gain, shift, weight, bias } as Record<"x" | "weight", tf.Tensor2D> &
      Record<"gain" | "shift" | "bias", tf.Tensor1D>;
  }

  function ofGelu(width: number) {
    const [x, weight, bias] = [random([5, 7], 1), random([width, 7], 4), random([width], 5)];
    return { x, weight, bias } as Record<"x" | "weight", tf.Tensor2D> & Record<"bias", tf.Tensor1D>;
  }

  it.each(WIDTHS)("maps normalized rows, %i wide", (width) => {
    const { x, gain, shift, weight, bias } = ofNorm(width);
    const plain = () => linear(layerNorm(x, gain, shift), weight, bias);
    expectSame(() => linearOfNorm(x, { gain, shift }, { weight, bias }), plain, [x, gain, shift, weight, bias]);
  });

  it.each(WIDTHS)("maps x·σ(1.702 x) to a tower %i wide", (width) => {
    const { x, weight, bias } = ofGelu(width);
    const plain = () => linear(tf.mul(x, tf.sigmoid(tf.mul(x, 1.702))), weight, bias);
    expectSame(() => linearOfActivation(x, { weight, bias }, "quick-gelu"), plain, [x, weight, bias]);
  });

  it.each(WIDTHS)("maps x·Φ(x) to a tower %i wide", (width) => {
    const { x, weight, bias } = ofGelu(width);
    const plain = () => linear(tf.mul(x, tf.div(tf.add(tf.erf(tf.div(x, Math.SQRT2)), 1), 2)), weight, bias);
    expectSame(() => linearOfActivation(x, { weight, bias }, "gelu"), plain, [x, weight, bias]);
  });

  it.each(WIDTHS)("maps GELU's form by tanh to a tower %i wide", (width) => {
    const { x, weight, bias } = ofGelu(width);
    const inner = () => tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(tf.pow(x, 3), 0.044715)));
    const plain = () => linear(tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner()), 1)), weight, bias);
    expectSame(() => linearOfActivation(x, { weight, bias }, "gelu-tanh"), plain, [x, weight, bias]);
  });

  it.each(ACTIVATIONS)("has a finite gradient where %s is 0 or its argument", (activation) => {
    const [x, one] = [tf.tensor2d([-1e4, -30, 0, 30, 1e4], [5, 1]), tf.ones<tf.Rank.R2>([1, 1])];
    const map = () => tf.sum<tf.Scalar>(linearOfActivation(x, { weight: one, bias: tf.zeros([1]) }, activation));
    expect(valueAndGradients(map, [x]).gradients[0]).toBeAllClose([0, 0, 0.5, 1, 1]);
  });

  it("keeps nothing but its result in a wide tower", () => {
    const { x, gain, shift, weight, bias } = ofNorm(512);
    expect(held(() => linearOfNorm(x, { gain, shift }, { weight, bias }))).toBe(5 * 4);
    const gelu = ofGelu(512);
    for (const activation of ACTIVATIONS) {
      expect(held(() => linearOfActivation(gelu.x, gelu, activation))).toBe(5 * 512);
    }
  });
});

describeOnEachEngine("scaled", () => {
  it("multiplies, and so does its gradient", () => {
    const x = tf.tensor1d([1, -2]);
    expect(scale(x, 3)).toBeAllClose([3, -6]);
    expect(valueAndGradients(() => scale(x, 3), [x]).gradients[0]).toBeAllClose([3, 3]);
  });
});
