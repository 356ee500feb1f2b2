import { describe, expect, it } from "vitest";
import * as tf from "../../src/engine/tf.js";
import { LossesConfig } from "../../src/losses/config.js";
import { taskLoss } from "../../src/losses/multitaskLoss.js";
import { scoreTargets } from "../../src/losses/scores.js";
import { type BatchLabels, batchTargets } from "../../src/losses/targets.js";
import { describeOnEachEngine } from "../support/eachEngine.js";

const AXES = [{ axis: "distortion", labels: ["blur", "noise", "none"] }] as const;
const LOGITS = [
  [1, -0.5, 0.25],
  [0, 2, -1],
  [0.5, 0.5, 3],
];
const TOLD = { quality: [0.1, 0.2, 0.3, 0.4, 0], scene: [], distortion: [0.7, 0.2, 0.1] };
const LABELS: BatchLabels = {
  databases: [{ name: "mine", images: 3, mosSpan: 4, mosLowest: 1 }],
  mos: [1, 2, 3],
  mosStd: [0.5, 0.5, 0.5],
  scenes: new Float32Array(),
  distortions: Int32Array.of(1, -1, -1),
  soft: [null, TOLD, null],
};

const logSoftmax = (row: readonly number[]) => {
  const sum = row.reduce((all, x) => all + Math.exp(x), 0);
  return row.map((x) => x - Math.log(sum));
};

describeOnEachEngine("a teacher's probabilities", () => {
  const targets = batchTargets(LABELS, AXES, LossesConfig.parse({}));
  const loss = (logits: tf.Tensor) => taskLoss(logits as tf.Tensor2D, targets, "distortion");

  it("are the targets of cross-entropy beside labels, images with neither left out, by the formula", () => {
    const [first = [], second = []] = LOGITS.map(logSoftmax);
    const byHand = (-(first[1] ?? NaN) - TOLD.distortion.reduce((sum, p, c) => sum + p * (second[c] ?? NaN), 0)) / 2;
    expect(loss(tf.tensor2d(LOGITS))).toBeAllClose([byHand], { rtol: 1e-5, atol: 0 });
  });

  it("pull the logits by probability less target", () => {
    const probabilities = LOGITS.map((row) => logSoftmax(row).map(Math.exp));
    const expected = [
      ...[0, 1, 0].map((target, c) => ((probabilities[0]?.[c] ?? NaN) - target) / 2),
      ...TOLD.distortion.map((target, c) => ((probabilities[1]?.[c] ?? NaN) - target) / 2),
      ...[0, 0, 0],
    ];
    expect(tf.grad(loss)(tf.tensor2d(LOGITS))).toBeAllClose(expected, { rtol: 1e-5, atol: 1e-6 });
  });
});

describe("scoreTargets", () => {
  it("has a teacher's levels where it told them, and those of MOS and deviation elsewhere", () => {
    const { softLevels } = scoreTargets(LABELS, 5, { quality: "kl" });
    const alone = scoreTargets({ ...LABELS, soft: [null, null, null] }, 5, { quality: "kl" }).softLevels;
    expect(softLevels.subarray(5, 10)).toBeAllClose(TOLD.quality, { rtol: 1e-6, atol: 0 });
    expect(softLevels.subarray(0, 5)).toEqual(alone.subarray(0, 5));
    expect(softLevels.subarray(10)).toEqual(alone.subarray(10));
    expect(alone.subarray(5, 10)).not.toEqual(softLevels.subarray(5, 10));
  });
});
