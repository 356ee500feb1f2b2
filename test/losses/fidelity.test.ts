import { expect, it } from "vitest";
import { ShapeError } from "../../src/base/errors.js";
import * as tf from "../../src/engine/tf.js";
import { LossesConfig } from "../../src/losses/config.js";
import { pairwiseFidelity } from "../../src/losses/fidelity.js";
import { normalCdf } from "../../src/base/distributions.js";
import { type PairLabels, type PairRules, pairTargets, pairTensors } from "../../src/losses/pairs.js";
import reference from "../fixtures/losses/losses.json" with { type: "json" };
import { describeOnEachEngine } from "../support/eachEngine.js";
import { expectTensorsKept } from "../support/tensors.js";

const { quality: QUALITY, mos, mosStd, blocks, sign, thurstone } = reference.quality;
const LABELS: PairLabels = { databases: blocks.map((images, i) => ({ name: `database ${i}`, images })), mos, mosStd };

/** √ of a probability of 1e-5 turns float32's 1e-7 into this; WebAssembly's erf has 1.5e-7. */
const LOSS = { rtol: 1e-5, atol: 1e-6 };
/** As LOSS, through the derivative. */
const GRADIENT = { rtol: 1e-4, atol: 1e-6 };

const tensorsOf = (labels: PairLabels, rules: PairRules) => pairTensors(pairTargets(labels, rules));
const rulesOf = (target: "sign" | "thurstone") => LossesConfig.parse({ target });

/** Every way to make targets and weights of the pairs. */
const RULES = [
  { target: "sign" },
  { target: "thurstone" },
  { target: "sign", pairWeight: "deviation" },
  { target: "sign", tieMargin: 2, tieUnit: "deviation" },
  { target: "thurstone", pairWeight: "deviation", tieMargin: 0.5, tieUnit: "deviation" },
].map((rules) => LossesConfig.parse(rules));

const twoImages = (mosOfBoth: [number, number]) =>
  tensorsOf({ databases: [{ name: "bid", images: 2 }], mos: mosOfBoth, mosStd: [null, null] }, rulesOf("sign"));

/** The docstring's formula, slowly, in float64: [images] → loss. */
function slowly(quality: readonly number[], rules: PairRules): number {
  const { images, targets, weights } = pairTargets(LABELS, rules);
  return Array.from(weights).reduce((sum, weight, k) => {
    const d = (quality[Math.floor(k / images)] ?? NaN) - (quality[k % images] ?? NaN);
    const g = targets[k] ?? NaN;
    const loss = 1 - Math.sqrt(normalCdf(d) * g + 1e-8) - Math.sqrt(normalCdf(-d) * (1 - g) + 1e-8);
    return sum + weight * loss;
  }, 0);
}

describeOnEachEngine("pairwiseFidelity", () => {
  it("is 1 - √½ where two images look the same and one is better", () => {
    const loss = pairwiseFidelity(tf.tensor1d([3, 3]), twoImages([2, 1]));
    expect(loss).toBeAllClose([1 - Math.SQRT1_2 - 1e-4], LOSS); // 1e-4: √ε of the impossible outcome
  });

  it.each([
    ["sign", sign],
    ["thurstone", thurstone],
  ] as const)(
    "matches the float64 reference on two databases with a tie, zeros and 7 images, %s",
    (target, expected) => {
      const loss = pairwiseFidelity(tf.tensor1d(QUALITY), tensorsOf(LABELS, rulesOf(target)));
      expect(loss).toBeAllClose([expected], LOSS);
    },
  );

  it.each(RULES)(
    "has the value and gradient of the float64 formula, by central differences, $target $pairWeight",
    (rules) => {
      const pairs = tensorsOf(LABELS, rules);
      expect(pairwiseFidelity(tf.tensor1d(QUALITY), pairs)).toBeAllClose([slowly(QUALITY, rules)], LOSS);
      const gradient = tf.grad((q: tf.Tensor) => pairwiseFidelity(q as tf.Tensor1D, pairs))(tf.tensor1d(QUALITY));
      const moved = (i: number, by: number) => QUALITY.map((q, k) => (k === i ? q + by : q));
      const h = 1e-4;
      const expected = QUALITY.map((_, i) => (slowly(moved(i, h), rules) - slowly(moved(i, -h), rules)) / (2 * h));
      expect(gradient).toBeAllClose(expected, GRADIENT);
    },
  );

  it("counts a sure pair more than an unsure one, and pulls a tie together, by hand", () => {
    // Scores 3, 3, 3 with sd 1, 2, 3: each pair loses 1 − √½ − 1e-4 by sign, whatever its weight: weights sum to 1
    const labels = { databases: [{ name: "bid", images: 3 }], mos: [3, 2, 1], mosStd: [1, 2, 3] };
    const weighted = LossesConfig.parse({ pairWeight: "deviation" });
    const even = pairwiseFidelity(tf.tensor1d([3, 3, 3]), tensorsOf(labels, weighted));
    expect(even).toBeAllClose([1 - Math.SQRT1_2 - 1e-4], LOSS);
    // Only the pair (0, 1), of weight 26/49, is undecided here: the others are surely right, at −1e-4
    const sure = pairwiseFidelity(tf.tensor1d([30, 30, 1]), tensorsOf(labels, weighted));
    expect(sure).toBeAllClose([(26 / 49) * (1 - Math.SQRT1_2 - 1e-4) - (23 / 49) * 1e-4], LOSS);
    // A tie has g = ½: at d = 0 nothing is lost (−2·1e-8), at any other the gradient leads back
    const tied = tensorsOf(labels, LossesConfig.parse({ tieMargin: 9, tieUnit: "deviation" }));
    expect(pairwiseFidelity(tf.tensor1d([3, 3, 3]), tied)).toBeAllClose([0], LOSS);
    const loss = (q: tf.Tensor) => pairwiseFidelity(q as tf.Tensor1D, tied);
    const [first = NaN, , last = NaN] = tf
      .grad(loss)(tf.tensor1d([4, 3, 2]))
      .dataSync();
    expect(first).toBeGreaterThan(0.01);
    expect(last).toBeLessThan(-0.01);
  });

  it("does not change when all scores move together, nor when databases change places", () => {
    const labels = { ...LABELS, databases: LABELS.databases.toReversed() };
    const swapped = <T>(values: readonly T[]) => [...values.slice(4), ...values.slice(0, 4)];
    const pairs = tensorsOf({ ...labels, mos: swapped(mos), mosStd: swapped(mosStd) }, rulesOf("sign"));
    const shifted = swapped(QUALITY).map((q) => q + 1);
    expect(pairwiseFidelity(tf.tensor1d(shifted), pairs)).toBeAllClose([sign], LOSS);
  });

  it("is near 0 where surely right, near 1 where surely wrong, with a finite gradient at a difference of 100", () => {
    const pairs = twoImages([1, 2]);
    expect(pairwiseFidelity(tf.tensor1d([-50, 50]), pairs)).toBeAllClose([-1e-4], LOSS);
    expect(pairwiseFidelity(tf.tensor1d([50, -50]), pairs)).toBeAllClose([1 - 2e-4], LOSS);
    for (const quality of [
      [50, -50],
      [-50, 50],
    ]) {
      const gradient = tf.grad((q: tf.Tensor) => pairwiseFidelity(q as tf.Tensor1D, pairs))(tf.tensor1d(quality));
      expect(gradient).toBeAllClose([0, 0]);
    }
  });

  it("lowers the worse image and raises the better one", () => {
    const [better = NaN, worse = NaN] = tf
      .grad((q: tf.Tensor) => pairwiseFidelity(q as tf.Tensor1D, twoImages([2, 1])))(tf.tensor1d([3, 3]))
      .dataSync();
    expect(better).toBeLessThan(0);
    expect(worse).toBeCloseTo(-better, 6);
  });

  it("rejects scores of other images than the pairs are of", () => {
    const call = () => pairwiseFidelity(tf.tensor1d([1, 2, 3]), twoImages([1, 2]));
    expect(call).toThrow(ShapeError);
    expect(call).toThrow("pairwiseFidelity: quality: expected [2], got [3]");
  });

  it("keeps only its result", () => {
    const [quality, pairs] = [tf.tensor1d([3.2, 1.5]), twoImages([1, 2])];
    expectTensorsKept(1, () => pairwiseFidelity(quality, pairs));
  });
});
