import { describe, expect, it } from "vitest";
import { ShapeError } from "../../src/base/errors.js";
import * as tf from "../../src/engine/tf.js";
import { crossEntropy } from "../../src/losses/crossEntropy.js";
import { multiLabelFidelity, releasedSingleLabelFidelity, singleLabelFidelity } from "../../src/losses/fidelity.js";
import { labelTensors, type LabelTensors, multiHot } from "../../src/losses/targets.js";
import reference from "../fixtures/losses/losses.json" with { type: "json" };
import { describeOnEachEngine } from "../support/eachEngine.js";
import { expectTensorsKept } from "../support/tensors.js";

const LOSSES = { crossEntropy, multiLabelFidelity, singleLabelFidelity, releasedSingleLabelFidelity };
const NAMES = Object.keys(LOSSES) as (keyof typeof LOSSES)[]; // keys of a literal

const { logits: LOGITS, several, single } = reference.labels;

const matrix = (rows: readonly (readonly number[])[]): LabelTensors =>
  labelTensors(multiHot(Float32Array.from(rows.flat()), rows.length, rows[0]?.length ?? 0));
const logOf = (rows: number[][]): tf.Tensor2D => tf.log(tf.tensor2d(rows));
const logSoftmax = (logits: number[][]): tf.Tensor2D => tf.logSoftmax(tf.tensor2d(logits));

describeOnEachEngine("losses of labels", () => {
  it("crossEntropy: one of two labels at ¼ and ½ gives the mean of log 4 and log 2", () => {
    const loss = crossEntropy(logOf([[0.25, 0.5, 0.25]]), matrix([[1, 1, 0]]));
    expect(loss).toBeAllClose([Math.log(8) / 2]);
  });

  it("multiLabelFidelity: of two even classes, one of them right, each loses 1 - √½", () => {
    const loss = multiLabelFidelity(logOf([[0.5, 0.5]]), matrix([[1, 0]]));
    expect(loss).toBeAllClose([1 - Math.SQRT1_2 - 1e-4], { rtol: 1e-5, atol: 1e-6 });
  });

  it("singleLabelFidelity: a quarter for the right one of four classes gives ½, less √ε for each other", () => {
    const quarters = logOf([[0.25, 0.25, 0.25, 0.25]]);
    expect(singleLabelFidelity(quarters, matrix([[0, 1, 0, 0]]))).toBeAllClose([0.5 - 3e-4]);
    expect(releasedSingleLabelFidelity(quarters, matrix([[0, 1, 0, 0]]))).toBeAllClose([(0.5 - 3e-4) / 4]);
  });

  it.each(NAMES)("%s matches the float64 reference, with an image that has no label", (name) => {
    expect(LOSSES[name](logSoftmax(LOGITS), matrix(several.labels))).toBeAllClose([several[name]]);
    expect(LOSSES[name](logSoftmax(LOGITS), matrix(single.labels))).toBeAllClose([single[name]]);
  });

  it.each(NAMES)("%s is 0 with gradient 0 where no image has a label", (name) => {
    const none = matrix(LOGITS.map((row) => row.map(() => 0)));
    const loss = (logits: tf.Tensor) => LOSSES[name](tf.logSoftmax(logits as tf.Tensor2D), none);
    expect(loss(tf.tensor2d(LOGITS))).toBeAllClose([0]);
    expect(tf.grad(loss)(tf.tensor2d(LOGITS))).toBeAllClose(LOGITS.flat().map(() => 0));
  });

  it.each(NAMES)("%s gives an image without a label no gradient, and every other one some", (name) => {
    const loss = (logits: tf.Tensor) => LOSSES[name](tf.logSoftmax(logits as tf.Tensor2D), matrix(several.labels));
    const rows = tf.sum(tf.abs(tf.grad(loss)(tf.tensor2d(LOGITS))), 1).dataSync();
    expect(Array.from(rows, (size) => size > 0)).toEqual([true, true, false, true]);
  });

  it("crossEntropy has the gradient (softmax - target) / labelled images", () => {
    const loss = (logits: tf.Tensor) => crossEntropy(tf.logSoftmax(logits as tf.Tensor2D), matrix(several.labels));
    const expected = LOGITS.flatMap((row, i) => {
      const sum = row.reduce((total, x) => total + Math.exp(x), 0);
      const labels = several.labels[i] ?? [];
      const count = labels.reduce((total, x) => total + x, 0);
      return row.map((x, c) => (count === 0 ? 0 : (Math.exp(x) / sum - (labels[c] ?? NaN) / count) / 3));
    });
    expect(tf.grad(loss)(tf.tensor2d(LOGITS))).toBeAllClose(expected, { rtol: 1e-5, atol: 1e-6 });
  });

  it.each(NAMES)(
    "%s and its gradient stay finite where the right class has probability 0 and another one 1",
    (name) => {
      const loss = (logits: tf.Tensor) => LOSSES[name](tf.logSoftmax(logits as tf.Tensor2D), matrix([[1, 0, 0]]));
      const hopeless = tf.tensor2d([[-300, 300, -300]]);
      expect([...loss(hopeless).dataSync(), ...tf.grad(loss)(hopeless).dataSync()].every(Number.isFinite)).toBe(true);
    },
  );

  it.each(NAMES)("%s does not change when the images change places", (name) => {
    const reversed = LOSSES[name](logSoftmax(LOGITS.toReversed()), matrix(several.labels.toReversed()));
    expect(reversed).toBeAllClose([several[name]]);
  });

  it.each(NAMES)("%s keeps only its result", (name) => {
    const [logProbabilities, labels] = [logSoftmax(LOGITS), matrix(several.labels)];
    expectTensorsKept(1, () => LOSSES[name](logProbabilities, labels));
  });
});

describe("sizes of the losses of labels", () => {
  it.each(NAMES)("%s rejects labels of other classes than the probabilities", (name) => {
    const call = () => LOSSES[name](logSoftmax([[0, 0, 0]]), matrix([[1, 0]]));
    expect(call).toThrow(ShapeError);
    expect(call).toThrow("logProbabilities: expected [1, 2], got [1, 3]");
  });
});
