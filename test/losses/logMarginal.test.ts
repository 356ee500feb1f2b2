import { expect, it } from "vitest";
import { ShapeError } from "../../src/base/errors.js";
import * as tf from "../../src/engine/tf.js";
import { logMarginal } from "../../src/losses/multitaskLoss.js";
import { TASKS } from "../../src/model/prompts/promptGrid.js";
import { describeOnEachEngine } from "../support/eachEngine.js";
import { golden, goldenTensor } from "../support/golden.js";
import { expectTensorsKept } from "../support/tensors.js";

const axis = (name: (typeof TASKS)[number], classes: number) => ({
  axis: name,
  labels: Array.from({ length: classes }, (_, i) => `${name} ${i}`),
});
const PUBLISHED = [axis("quality", 5), axis("scene", 9), axis("distortion", 11)];
const PROBABILITIES = { rtol: 1e-5, atol: 1e-7 };

describeOnEachEngine("logMarginal", () => {
  it("sums the right axes of a small grid", () => {
    // quality x distortion: 2 x 3 prompts of probability 1, 2, 3 and 4, 5, 6 of 21
    const logits = tf.log(tf.tensor2d([[1, 2, 3, 4, 5, 6]]));
    const axes = [axis("quality", 2), axis("distortion", 3)];
    const marginal = (task: (typeof TASKS)[number]) => tf.exp(logMarginal(logits, axes, task));
    expect(marginal("quality")).toBeAllClose([6 / 21, 15 / 21]);
    expect(marginal("distortion")).toBeAllClose([5 / 21, 7 / 21, 9 / 21]);
  });

  it("is the logarithm of the golden scene and distortion probabilities", () => {
    const { expected } = golden();
    const logits = tf.tensor2d(goldenTensor(expected, "logits").values, [7, 495]);
    for (const task of ["scene", "distortion"] as const) {
      const probabilities = tf.exp(logMarginal(logits, PUBLISHED, task));
      expect(probabilities).toBeAllClose(goldenTensor(expected, task).values, PROBABILITIES);
    }
  });

  it("is the plain log-softmax where quality is the only axis", () => {
    const logits = tf.tensor2d([[1, 2, 3]]);
    expect(logMarginal(logits, [axis("quality", 3)], "quality")).toBeAllClose(tf.logSoftmax(logits).dataSync());
  });

  it("stays finite, and its gradient with it, where all prompts of a class underflow", () => {
    const logits = tf.tensor2d([[100, 90, -100, -110]]);
    const axes = [axis("quality", 2), axis("scene", 2)];
    expect(logMarginal(logits, axes, "quality")).toBeAllClose([0, -200]);
    const ofTheSecond = (x: tf.Tensor) => tf.sum(tf.slice(logMarginal(x as tf.Tensor2D, axes, "quality"), [0, 1]));
    const share = 1 / (1 + Math.exp(-10));
    expect(tf.grad(ofTheSecond)(logits)).toBeAllClose([-share, share - 1, share, 1 - share]);
  });

  it("rejects axes that do not make up the prompts", () => {
    const call = () => logMarginal(tf.zeros([2, 494]), PUBLISHED, "scene");
    expect(call).toThrow(ShapeError);
    expect(call).toThrow("logMarginal: scene: logits: expected [images, 495], got [2, 494]");
  });

  it("keeps only its result", () => {
    const logits = tf.zeros<tf.Rank.R2>([2, 495]);
    expectTensorsKept(1, () => logMarginal(logits, PUBLISHED, "scene"));
  });
});
