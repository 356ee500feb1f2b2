import { describe, expect, it } from "vitest";
import { ShapeError } from "../../src/base/errors.js";
import * as tf from "../../src/engine/tf.js";
import { LossesConfig } from "../../src/losses/config.js";
import { logMarginal, lossNeeds, multitaskLoss, taskLoss, taughtNeeds } from "../../src/losses/multitaskLoss.js";
import { type BatchLabels, batchTargets, type BatchTargets, disposeTargets } from "../../src/losses/targets.js";
import type { TaskAxis } from "../../src/model/prompts/promptGrid.js";
import { describeOnEachEngine } from "../support/eachEngine.js";
import { golden, goldenTensor } from "../support/golden.js";
import { expectTensorsKept } from "../support/tensors.js";

const { meta, inputs, expected } = golden();
const AXES: readonly TaskAxis[] = [
  { axis: "quality", labels: meta.qualities },
  { axis: "scene", labels: meta.scenes },
  { axis: "distortion", labels: meta.distortions },
];
const LABELS: BatchLabels = {
  databases: meta.images_per_database.map((images, i) => ({ name: `database ${i}`, images })),
  mos: goldenTensor(inputs, "mos").values,
  mosStd: Array.from(goldenTensor(inputs, "mos_std").values),
  scenes: Float32Array.from(goldenTensor(inputs, "scene").values),
  distortions: Int32Array.from(goldenTensor(inputs, "distortion").values),
};
const EVEN = [1, 1, 1];

/** The losses' own promise, against PyTorch in float32. */
const GOLDEN = { rtol: 0, atol: 1e-5 };

const goldenLogits = () => tf.tensor2d(goldenTensor(expected, "logits").values, [7, 495]);
const targetsOf = (config: unknown, axes = AXES) => batchTargets(LABELS, axes, LossesConfig.parse(config));

/** The total, and the losses by task. */
function lossesOf(logits: tf.Tensor2D, targets: BatchTargets, weights: number[] = EVEN) {
  const { losses, total } = multitaskLoss(logits, targets, tf.tensor1d(weights));
  const values = losses.dataSync();
  return { total, losses: Object.fromEntries(targets.axes.map(({ axis }, i) => [axis, values[i] ?? NaN])) };
}

describeOnEachEngine("multitaskLoss", () => {
  it.each([
    ["quality", { target: "sign" }, "quality_binary"],
    ["quality", { target: "thurstone" }, "quality_thurstone"],
    ["scene", { scene: "cross-entropy" }, "scene_cross_entropy"],
    ["scene", { scene: "fidelity" }, "scene_fidelity"],
    ["distortion", { distortion: "cross-entropy" }, "distortion_cross_entropy"],
    ["distortion", { distortion: "fidelity" }, "distortion_fidelity"],
  ] as const)("gives PyTorch's %s loss for %o", (task, config, name) => {
    const loss = lossesOf(goldenLogits(), targetsOf(config)).losses[task];
    expect([loss ?? NaN]).toBeAllClose([meta.losses[name] ?? NaN], GOLDEN);
  });

  it("divides the released distortion loss by the eleven classes", () => {
    const targets = targetsOf({ distortion: "fidelity-released" });
    const { distortion = NaN } = lossesOf(goldenLogits(), targets).losses;
    expect([distortion]).toBeAllClose([(meta.losses["distortion_fidelity"] ?? NaN) / 11], GOLDEN);
  });

  it("gives PyTorch's total of the first step, and weighs each task by its own weight", () => {
    const names = ["quality_binary", "scene_cross_entropy", "distortion_cross_entropy"] as const;
    const [quality = NaN, scene = NaN, distortion = NaN] = names.map((name) => meta.losses[name] ?? NaN);
    const totalOf = (weights: number[]) => lossesOf(goldenLogits(), targetsOf({}), weights).total;
    expect(totalOf(EVEN)).toBeAllClose([meta.totals[0] ?? NaN], GOLDEN);
    const weighted = 2 * quality + 0.5 * scene + 0.25 * distortion;
    expect(totalOf([2, 0.5, 0.25])).toBeAllClose([weighted], GOLDEN);
  });

  it("has a finite gradient of every logit where logits spread over 200, for every form of loss", () => {
    const spread = tf.mul(tf.sin(tf.range(0, 7 * 495)), 100);
    for (const fidelity of [false, true]) {
      const targets = targetsOf(
        fidelity ? { target: "thurstone", scene: "fidelity", distortion: "fidelity" } : { target: "sign" },
      );
      const total = (logits: tf.Tensor) => multitaskLoss(logits as tf.Tensor2D, targets, tf.tensor1d(EVEN)).total;
      const gradient = tf
        .grad(total)(tf.reshape(spread, [7, 495]))
        .dataSync();
      expect(gradient.every(Number.isFinite)).toBe(true);
      expect(gradient.some((value) => value !== 0)).toBe(true);
    }
  });

  it("leaves out the tasks that the prompt grid has no axis for", () => {
    const axes = AXES.filter(({ axis }) => axis !== "scene");
    const { losses, total } = lossesOf(tf.zeros([7, 55]), targetsOf({}, axes), [1, 1]);
    expect(Object.keys(losses)).toEqual(["quality", "distortion"]);
    const { quality = NaN, distortion = NaN } = losses;
    expect([distortion]).toBeAllClose([Math.log(11)]);
    expect(total).toBeAllClose([Math.log(11) + quality]);
  });

  it("keeps the total and one loss a task", () => {
    const logits = goldenLogits();
    const targets = targetsOf({});
    const weights = tf.tensor1d(EVEN);
    expectTensorsKept(2, () => multitaskLoss(logits, targets, weights));
  });
});

describe("multitaskLoss", () => {
  it("rejects logits of other images than the targets", () => {
    const call = () => multitaskLoss(tf.zeros([6, 495]), targetsOf({}), tf.tensor1d(EVEN));
    expect(call).toThrow(ShapeError);
    expect(call).toThrow("taskLoss: logits: expected [7, prompts], got [6, 495]");
  });
});

describe("batchTargets", () => {
  it("rejects labels that are not one for each image", () => {
    const call = () => batchTargets({ ...LABELS, distortions: Int32Array.of(1) }, AXES, LossesConfig.parse({}));
    expect(call).toThrow(ShapeError);
    expect(call).toThrow("batchTargets: distortions: expected 7 values, got 1");
  });

  it("rejects scenes of another table", () => {
    const axes = AXES.map((axis) => (axis.axis === "scene" ? { ...axis, labels: ["day", "night"] } : axis));
    expect(() => batchTargets(LABELS, axes, LossesConfig.parse({}))).toThrow("expected 7 images x 2 classes");
  });
});

describe("what losses need of the lists", () => {
  const needs = (config: object) => [lossNeeds(LossesConfig.parse(config)), taughtNeeds(LossesConfig.parse(config))];

  it("is deviations of soft levels and of rules for pairs, scales of scores, three images of correlations", () => {
    const pairs = { deviationRemedies: [], scaled: null, fewestImages: 2 };
    expect(needs({})).toEqual([pairs, pairs]);
    const thurstone = { ...pairs, deviationRemedies: ["losses.target: sign"] };
    expect(needs({ target: "thurstone" })).toEqual([thurstone, pairs]);
    const levels = { deviationRemedies: ["losses.quality: fidelity"], scaled: "losses.quality: emd", fewestImages: 2 };
    expect(needs({ quality: "emd" })).toEqual([levels, levels]);
    const plcc = { deviationRemedies: [], scaled: "losses.quality: plcc", fewestImages: 3 };
    expect(needs({ quality: "plcc" })).toEqual([plcc, plcc]);
    expect(needs({ quality: "huber" })[0]).toEqual({ ...plcc, scaled: "losses.quality: huber", fewestImages: 2 });
  });
});

describe("targets of other losses than are asked for", () => {
  it("are our own fault, by name", () => {
    const logits = tf.zeros<tf.Rank.R2>([7, 495]);
    const targets = batchTargets(LABELS, AXES, LossesConfig.parse({}));
    const asked = (change: object, task: "quality" | "scene" | "distortion") => () =>
      taskLoss(logits, { ...targets, ...change }, task);
    expect(asked({ config: LossesConfig.parse({ quality: "plcc" }) }, "quality")).toThrow(
      "internal: multitaskLoss: no scores for losses.quality plcc",
    );
    expect(asked({ scene: null }, "scene")).toThrow('internal: multitaskLoss: no labels for the task "scene"');
    expect(asked({ distortion: null }, "distortion")).toThrow('no labels for the task "distortion"');
    expect(() => logMarginal(tf.zeros([1, 5]), [{ axis: "quality", labels: meta.qualities }], "scene")).toThrow(
      'internal: logMarginal: the prompt grid has no axis "scene"',
    );
    disposeTargets(targets);
  });
});
