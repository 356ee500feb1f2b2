import { expect, it } from "vitest";
import * as tf from "../../../src/engine/tf.js";
import { type Features, gradientGram } from "../../../src/train/weighting/gradientGram.js";
import { describeOnEachEngine } from "../../support/eachEngine.js";
import { expectTensorsKept } from "../../support/tensors.js";

/** One crop and one prompt, of two entries each. */
const features = (): Features => ({ crops: tf.tensor2d([[1, 0]]), text: tf.tensor2d([[0, 1]]) });

/** A loss whose gradients are what is given: Σ crops·a + Σ text·b. */
const linear = (a: [number, number], b: [number, number]) => (given: Features) =>
  tf.add<tf.Scalar>(tf.sum(tf.mul(given.crops, tf.tensor2d([a]))), tf.sum(tf.mul(given.text, tf.tensor2d([b]))));

const LOSSES = [linear([5, 3], [2, 7]), linear([1, 4], [-1, 0])];

describeOnEachEngine("gradientProducts", () => {
  it("multiplies gradients with each other, without their parts along the features", () => {
    // Along (1, 0) and (0, 1) nothing can move: (0, 3 | 2, 0) and (0, 4 | −1, 0) are left
    const products = gradientGram(LOSSES, features(), ["crops", "text"]);
    expect(products.shape).toEqual([2, 2]);
    expect(products).toBeAllClose([13, 10, 10, 17]);
  });

  it("leaves out the side whose tower is not trained", () => {
    expect(gradientGram(LOSSES, features(), ["crops"])).toBeAllClose([9, 12, 12, 16]);
    expect(gradientGram(LOSSES, features(), ["text"])).toBeAllClose([4, -2, -2, 1]);
  });

  it("keeps only its result", () => {
    const given = features();
    expectTensorsKept(1, () => gradientGram(LOSSES, given, ["crops", "text"]));
  });
});
