import { describe, expect, it } from "vitest";
import { ShapeError } from "../../src/base/errors.js";
import * as tf from "../../src/engine/tf.js";
import { LossesConfig, QUALITY_LOSS_NAMES, QUALITY_LOSSES } from "../../src/losses/config.js";
import { linearCorrelationLoss, normInNormLoss } from "../../src/losses/correlationLosses.js";
import { earthMoversDistance, klDivergence } from "../../src/losses/levelLosses.js";
import { lossNeeds, taskLoss } from "../../src/losses/multitaskLoss.js";
import { pairTargets, pairTensors } from "../../src/losses/pairs.js";
import { bradleyTerryLoss, huberLoss, marginRankingLoss } from "../../src/losses/scoreLosses.js";
import { scoreTargets, scoreTensors } from "../../src/losses/scores.js";
import { type BatchLabels, batchTargets } from "../../src/losses/targets.js";
import reference from "../fixtures/losses/scoreLosses.json" with { type: "json" };
import { describeOnEachEngine } from "../support/eachEngine.js";
import { expectTensorsKept, relativeError } from "../support/tensors.js";

const AXES = [{ axis: "quality", labels: ["bad", "poor", "fair", "good", "perfect"] }] as const;
const IMAGES = reference.mos.length;
const DATABASES = reference.databases.map(({ images, least, most }, i) => ({
  name: `database ${i}`,
  images,
  mosSpan: most - least,
  mosLowest: least,
}));
const LABELS: BatchLabels = {
  databases: DATABASES,
  mos: reference.mos,
  mosStd: reference.mosStd,
  scenes: new Float32Array(),
  distortions: new Int32Array(IMAGES).fill(-1),
};
type Name = keyof typeof reference.losses;
/** Every loss of the table but the published one, which `fidelity.test.ts` tries: the script has to have values of each. */
const NAMES = QUALITY_LOSS_NAMES.filter((name): name is Name => name !== "fidelity");
const PAIR_NAMES = QUALITY_LOSS_NAMES.filter(
  (name): name is keyof typeof reference.compared => QUALITY_LOSSES[name] === "pairs",
);

/** A loss of float32 tensors against float64. */
const LOSS = { rtol: 1e-5, atol: 1e-6 };
/** Of a gradient by its norm. */
const GRADIENT = 1e-4;

const SETTINGS: Partial<Record<Name | "fidelity", object>> = {
  huber: { huberDelta: reference.huberDelta },
  margin: { margin: reference.margin },
};
const targetsFor = (quality: Name | "fidelity", labels = LABELS) =>
  batchTargets(labels, AXES, LossesConfig.parse({ quality, ...SETTINGS[quality] }));
const lossOf = (quality: Name | "fidelity", labels?: BatchLabels) => {
  const targets = targetsFor(quality, labels);
  return (logits: tf.Tensor) => taskLoss(logits as tf.Tensor2D, targets, "quality");
};
const LOGITS = () => tf.tensor2d(reference.logits);

/** Labels of one database whose images look as `quality` says, on a scale from 1 to 5. */
const labelsOf = (mos: number[]): BatchLabels => ({
  databases: [{ name: "bid", images: mos.length, mosSpan: 4, mosLowest: 1 }],
  mos,
  mosStd: mos.map(() => 0.5),
  scenes: new Float32Array(),
  distortions: new Int32Array(mos.length).fill(-1),
});
const scoresOf = (mos: number[], quality: Name = "kl") =>
  scoreTensors(scoreTargets(labelsOf(mos), 5, LossesConfig.parse({ quality })));

describeOnEachEngine("the quality losses of scores and margins", () => {
  it.each(NAMES)("have PyTorch's value and gradient: %s", (name) => {
    const expected = reference.losses[name];
    expect(lossOf(name)(LOGITS())).toBeAllClose([expected.value], LOSS);
    const gradient = tf.grad(lossOf(name))(LOGITS()).dataSync();
    expect(relativeError(gradient, expected.gradient.flat())).toBeLessThan(GRADIENT);
  });

  it.each(PAIR_NAMES)("have PyTorch's value and gradient on pairs beside scores: %s", (name) => {
    const [first, second] = DATABASES;
    const databases = [{ name: "pairs", images: first?.images ?? 0, shares: reference.shares }, second].flatMap(
      (one) => one ?? [],
    );
    const none = reference.mos.map((mos, i) => (i < 4 ? NaN : mos));
    const labels = { ...LABELS, databases, mos: none, mosStd: reference.mosStd.map(() => null) };
    const expected = reference.compared[name];
    expect(lossOf(name, labels)(LOGITS())).toBeAllClose([expected.value], LOSS);
    const gradient = tf.grad(lossOf(name, labels))(LOGITS()).dataSync();
    expect(relativeError(gradient, expected.gradient.flat())).toBeLessThan(GRADIENT);
  });

  it.each(NAMES)(
    "have a finite gradient where all images look the same, and where logits spread over 200: %s",
    (name) => {
      const same = tf.zeros([IMAGES, 5]);
      const spread = tf.mul(tf.sin(tf.reshape(tf.range(0, 5 * IMAGES), [IMAGES, 5])), 100);
      for (const logits of [same, spread]) {
        expect([...lossOf(name)(logits).dataSync(), ...tf.grad(lossOf(name))(logits).dataSync()]).toSatisfy(
          (values: number[]) => values.every(Number.isFinite),
        );
      }
    },
  );

  it.each(NAMES)("fall along their gradient, from where all images look the same: %s", (name) => {
    const loss = lossOf(name);
    const start = tf.mul(tf.sin(tf.reshape(tf.range(0, 5 * IMAGES), [IMAGES, 5])), 0.1);
    const gradient = tf.grad(loss)(start);
    const size = tf.norm(gradient).dataSync()[0] ?? NaN;
    const [before = NaN] = loss(start).dataSync();
    const [after = NaN] = loss(tf.sub(start, tf.mul(gradient, 0.1 / size))).dataSync();
    expect(after).toBeLessThan(before);
  });

  it.each(NAMES)("count each database the same, in any order: %s", (name) => {
    const turned = <T>(values: readonly T[]) => [...values.slice(4), ...values.slice(0, 4)];
    const [mos, mosStd] = [turned(reference.mos), turned(reference.mosStd)];
    const labels = { ...LABELS, databases: DATABASES.toReversed(), mos, mosStd };
    expect(lossOf(name, labels)(tf.tensor2d(turned(reference.logits)))).toBeAllClose(
      [reference.losses[name].value],
      LOSS,
    );
  });

  it("are 0 where the levels' probabilities are the soft ones", () => {
    const scores = scoresOf([1.5, 3, 4.25]);
    const logProbabilities = tf.log<tf.Tensor2D>(tf.maximum(scores.softLevels, 1e-30));
    expect(klDivergence(logProbabilities, scores)).toBeAllClose([0], LOSS);
    expect(earthMoversDistance(logProbabilities, scores)).toBeAllClose([0], LOSS);
  });

  it("take the distance between levels into account, or not, by hand", () => {
    const near = tf.log<tf.Tensor2D>(tf.tensor2d([[1e-6, 0.999996, 1e-6, 1e-6, 1e-6]]));
    const far = tf.log<tf.Tensor2D>(tf.tensor2d([[1e-6, 1e-6, 1e-6, 1e-6, 0.999996]]));
    const bad = scoreTensors(scoreTargets({ ...labelsOf([1]), mosStd: [0] }, 5, { quality: "emd" })); // all on level 1
    expect(earthMoversDistance(near, bad)).toBeAllClose([1], { rtol: 1e-4, atol: 0 });
    expect(earthMoversDistance(far, bad)).toBeAllClose([4], { rtol: 1e-4, atol: 0 });
    expect(klDivergence(near, bad)).toBeAllClose([Math.log(1e6)], LOSS);
    expect(klDivergence(far, bad)).toBeAllClose([Math.log(1e6)], LOSS);
  });

  it("see a rising line as right and a falling one as wrong, whatever its slope", () => {
    const scores = scoresOf([1, 2, 4, 5], "plcc");
    const rising = tf.tensor1d([2.7, 2.8, 3, 3.1]);
    const falling = tf.neg<tf.Tensor1D>(rising);
    expect(linearCorrelationLoss(rising, scores)).toBeAllClose([0], { rtol: 0, atol: 1e-5 });
    expect(linearCorrelationLoss(falling, scores)).toBeAllClose([1], { rtol: 0, atol: 1e-5 });
    expect(normInNormLoss(rising, scores)).toBeAllClose([0], { rtol: 0, atol: 1e-5 });
    // Σ |2·y| / (2·√4), y being (−2, −1, 1, 2)/√10
    expect(normInNormLoss(falling, scores)).toBeAllClose([6 / Math.sqrt(10) / 2], { rtol: 0, atol: 1e-5 });
  });

  it("do not move images whose scores are all equal by correlation", () => {
    const scores = scoresOf([3, 3, 3], "plcc");
    const loss = (quality: tf.Tensor) => linearCorrelationLoss(quality as tf.Tensor1D, scores);
    expect(loss(tf.tensor1d([1, 2, 4]))).toBeAllClose([0.5], LOSS);
    expect(tf.grad(loss)(tf.tensor1d([1, 2, 4]))).toBeAllClose([0, 0, 0]);
  });

  it("rise by the square up to delta and linearly beyond, by hand", () => {
    const loss = (quality: tf.Tensor) => huberLoss(quality as tf.Tensor1D, scoresOf([2, 4], "huber"), 1);
    expect(loss(tf.tensor1d([2.5, 1]))).toBeAllClose([(0.125 + 2.5) / 2], LOSS);
    expect(tf.grad(loss)(tf.tensor1d([2.5, 1]))).toBeAllClose([0.25, -0.5], LOSS);
  });

  it("lose nothing where the better image is ahead by the margin, and the margin itself at a tie", () => {
    const lossOfPair = (mos: [number, number], quality: [number, number]) => {
      const pairs = pairTensors(pairTargets(labelsOf(mos), LossesConfig.parse({ quality: "margin" })));
      return marginRankingLoss(tf.tensor1d(quality), pairs, 0.5);
    };
    expect(lossOfPair([4, 2], [3.5, 3])).toBeAllClose([0], LOSS);
    expect(lossOfPair([4, 2], [3.25, 3])).toBeAllClose([0.25], LOSS);
    expect(lossOfPair([2, 4], [3.25, 3])).toBeAllClose([0.75], LOSS);
    expect(lossOfPair([4, 4], [3, 3])).toBeAllClose([0.5], LOSS);
    expect(lossOfPair([4, 4], [4, 3])).toBeAllClose([0.75], LOSS);
  });

  it("keep only their result", () => {
    const [scores, quality] = [scoresOf([1, 2, 5]), tf.tensor1d([1, 2, 3])];
    const levels = tf.logSoftmax(tf.tensor2d([[1, 2, 3, 4, 5], [1, 1, 1, 1, 1], [0, 0, 0, 0, 9]])); // prettier-ignore
    const pairs = pairTensors(pairTargets(labelsOf([1, 2, 5]), LossesConfig.parse({ quality: "margin" })));
    for (const loss of [klDivergence, earthMoversDistance]) expectTensorsKept(1, () => loss(levels, scores));
    for (const loss of [linearCorrelationLoss, normInNormLoss]) expectTensorsKept(1, () => loss(quality, scores));
    expectTensorsKept(1, () => huberLoss(quality, scores, 1));
    expectTensorsKept(1, () => marginRankingLoss(quality, pairs, 1));
    expectTensorsKept(1, () => bradleyTerryLoss(quality, pairs));
  });

  it("reject predictions of other images than the scores are of", () => {
    const [scores, quality] = [scoresOf([1, 2, 5]), tf.tensor1d([1, 2])];
    const levels = tf.zeros<tf.Rank.R2>([2, 5]);
    const pairs = pairTensors(pairTargets(labelsOf([1, 2, 5]), LossesConfig.parse({ quality: "margin" })));
    const calls: readonly (() => unknown)[] = [
      () => klDivergence(levels, scores),
      () => earthMoversDistance(levels, scores),
      () => linearCorrelationLoss(quality, scores),
      () => normInNormLoss(quality, scores),
      () => huberLoss(quality, scores, 1),
      () => marginRankingLoss(quality, pairs, 1),
      () => bradleyTerryLoss(quality, pairs),
    ];
    for (const call of calls) expect(call).toThrow(ShapeError);
  });
});

describe("lossNeeds", () => {
  const needs = {
    fidelity: { deviationRemedies: [], scaled: null, fewestImages: 2 },
    margin: { deviationRemedies: [], scaled: null, fewestImages: 2 },
    "bradley-terry": { deviationRemedies: [], scaled: null, fewestImages: 2 },
    huber: { deviationRemedies: [], scaled: "losses.quality: huber", fewestImages: 2 },
    kl: { deviationRemedies: ["losses.quality: fidelity"], scaled: "losses.quality: kl", fewestImages: 2 },
    emd: { deviationRemedies: ["losses.quality: fidelity"], scaled: "losses.quality: emd", fewestImages: 2 },
    plcc: { deviationRemedies: [], scaled: "losses.quality: plcc", fewestImages: 3 },
    "norm-in-norm": { deviationRemedies: [], scaled: "losses.quality: norm-in-norm", fewestImages: 3 },
  } satisfies Readonly<Record<LossesConfig["quality"], unknown>>;

  it.each(QUALITY_LOSS_NAMES)("tells what %s needs of the lists", (quality) => {
    expect(lossNeeds(LossesConfig.parse({ quality }))).toEqual(needs[quality]);
  });
});
