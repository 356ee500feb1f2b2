import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import * as tf from "../../src/engine/tf.js";
import { multitaskLoss } from "../../src/losses/multitaskLoss.js";
import { disposeTargets } from "../../src/losses/targets.js";
import { isVision } from "../../src/model/parameters/parameters.js";
import type { LiqeModel } from "../../src/model/liqe.js";
import { imageLogits } from "../../src/model/scorer.js";
import { tokenize } from "../../src/model/text/tokenizer.js";
import { patchBatches } from "../../src/model/vision/patches.js";
import { cachedGradients, type Gradients, type LossHead } from "../../src/train/gradientCache.js";
import { describeOnEachEngine } from "../support/eachEngine.js";
import { golden, goldenTensor } from "../support/golden.js";
import {
  AFTER,
  CROPS,
  EVEN_WEIGHTS,
  FEW_STRAYS,
  goldenModel,
  goldenPixels,
  goldenTargets,
  goldenTrainer,
  isKeyBias,
  STRAYS,
  trainedNames,
  valuesOf,
  WEIGHT_FILES,
} from "../support/goldenStep.js";
import { stepOn } from "../support/steps.js";

const { inputs, expected, meta } = golden();
const input = (name: string) => goldenTensor(inputs, name);

/** Of the tensor's largest entry: gradients through two towers, in sums of another order. */
const GRADIENT = { rtol: 1e-3, atolOfLargest: 1e-6 };
/** Micro-batched against plain. */
const CACHED = { rtol: 0, atolOfLargest: 1e-4 };
const NORM = { rtol: 1e-4, atol: 0 };

/** Of the token table the reference has the padding's row too, which no prompt reads before its end. */
function expectedOf(model: LiqeModel, name: string): Float32Array {
  const { values, shape } = goldenTensor(expected, name);
  if (!name.endsWith("used_rows")) return Float32Array.from(values);
  const width = shape[1] ?? 0;
  const ours = new Set(model.grid.prompts.flatMap((prompt) => tokenize(prompt)));
  const rows = [...input("used_token_ids").values].flatMap((token, row) => (ours.has(token) ? [row] : []));
  return Float32Array.from(rows.flatMap((row) => [...values.subarray(row * width, (row + 1) * width)]));
}

/** The gradients of the reference's total, with the crops in pieces of `microBatch`. */
function gradients(model: LiqeModel, microBatch: number, trained = trainedNames(model)): Gradients {
  const pixels = goldenPixels();
  const pieces = patchBatches(pixels, model.architecture.vision, { size: microBatch });
  const wanted = goldenTargets(model);
  const head: LossHead = ({ crops, text }) =>
    multitaskLoss(imageLogits(crops, text, 7, model.logitScale()), wanted, tf.ones([3])).total;
  return cachedGradients({ model, trained }, pieces, head).gradients;
}

function expectClose(gradient: tf.Tensor | undefined, values: ArrayLike<number>, tolerance: typeof GRADIENT) {
  const largest = Array.from(values).reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const { rtol, atolOfLargest } = tolerance;
  expect(gradient).toBeAllClose(Array.from(values), { rtol, atol: Math.max(atolOfLargest * largest, 1e-12) });
}

describe("lossGradients on the reference's step", () => {
  it.each(WEIGHT_FILES)(
    "gives PyTorch's gradients but for key biases, whose gradient is rounding, from %s",
    async (file) => {
      const model = await goldenModel(file);
      const ours = gradients(model, CROPS);
      for (const name of trainedNames(model)) {
        const values = expectedOf(model, `grad.${name}`);
        if (name.endsWith("attn.in_proj_bias")) {
          const third = values.length / 3;
          for (const start of [0, 2 * third]) {
            const whole = ours.get(name);
            const part = whole && tf.slice(whole, [start], [third]);
            expectClose(part, values.slice(start, start + third), GRADIENT);
          }
        } else expectClose(ours.get(name), values, GRADIENT);
      }
      model.dispose();
    },
  );

  it.each([4, 10, 20])("is the same in pieces of %i crops", async (microBatch) => {
    const model = await goldenModel();
    const whole = gradients(model, CROPS);
    const pieces = gradients(model, microBatch);
    for (const name of trainedNames(model)) {
      if (name.endsWith("attn.in_proj_bias")) continue; // its key third is rounding alone
      expectClose(pieces.get(name), whole.get(name)?.dataSync() ?? [], CACHED);
    }
    model.dispose();
  });
});

describe("lossGradients with a frozen text tower", () => {
  it.each([CROPS, 10])(
    "encodes the prompts once for all steps, %i crops at once, to the same gradient",
    async (size) => {
      const model = await goldenModel();
      const vision = trainedNames(model).filter(isVision);
      const whole = gradients(model, size);
      const encode = vi.spyOn(model, "encodePrompts");
      gradients(model, size, vision);
      const frozen = gradients(model, size, vision);
      expect(encode).toHaveBeenCalledTimes(1);
      expect([...frozen.keys()].toSorted()).toEqual(vision.toSorted());
      for (const name of vision) {
        if (name.endsWith("attn.in_proj_bias")) continue; // its key third is rounding alone
        expectClose(frozen.get(name), whole.get(name)?.dataSync() ?? [], CACHED);
      }
      model.dispose();
    },
  );
});

/** What the reference's parameters are after four steps, against ours: how many entries are beyond AFTER. */
function countStrays(model: LiqeModel, name: string, atol: number): number {
  const wanted = expectedOf(model, `after4.${name}`);
  const values = valuesOf(model, name);
  expect(values).toHaveLength(wanted.length);
  // Rounding, which Adam inflates: at most the sum of the rates, whatever its sign
  const most = 2 * meta.lrs.reduce((sum, rate) => sum + rate, 0);
  const errors = Array.from(values, (value, i) => Math.abs(value - (wanted[i] ?? NaN)));
  const beyond = errors.filter((error, i) => !(error <= (isKeyBias(name, i, values.length) ? most : atol)));
  expect([name, beyond]).toEqual([name, []]);
  return errors.filter((error, i) => error > AFTER.atol && !isKeyBias(name, i, values.length)).length;
}

describeOnEachEngine("trainStep", (engine) => {
  const cases =
    engine === "native"
      ? [...WEIGHT_FILES.map((file) => [file, CROPS] as const), [WEIGHT_FILES[0], 8] as const]
      : [[WEIGHT_FILES[0], CROPS] as const, [WEIGHT_FILES[0], 8] as const];
  it.each(cases)("takes the reference's four AdamW steps from %s, %i crops at once", async (file, microBatch) => {
    const model = await goldenModel(file);
    const trainer = goldenTrainer(model, microBatch);
    const pixels = goldenPixels();
    meta.lrs.forEach((learningRate, step) => {
      const tensorsBefore = tf.memory().numTensors;
      const targets = goldenTargets(model);
      const result = stepOn(trainer, { pixels, targets, taskWeights: EVEN_WEIGHTS, learningRate });
      disposeTargets(targets);
      expect(tf.memory().numTensors).toBe(tensorsBefore);
      expect([result.loss]).toBeAllClose([meta.totals[step] ?? NaN], { rtol: 1e-4, atol: 0 }); // weights already differ
      if (step > 0) return;
      const { quality_binary: quality, scene_cross_entropy: scene, distortion_cross_entropy: distortion } = meta.losses;
      const { losses } = result;
      expect([losses.quality, losses.scene, losses.distortion].map((loss) => loss ?? NaN)).toBeAllClose(
        [quality, scene, distortion].map((loss) => loss ?? NaN),
        { rtol: 1e-5, atol: 1e-5 },
      );
      expect([result.gradientNorm]).toBeAllClose(goldenTensor(expected, "grad.global_norm").values, NORM);
    });
    const strays = trainedNames(model).reduce((sum, name) => sum + countStrays(model, name, STRAYS.atol), 0);
    expect(strays).toBeLessThanOrEqual(STRAYS.most);
    trainer.optimizer.dispose();
    model.dispose();
  });

  it.each([CROPS, 8])("takes PyTorch's four steps of the released recipe, %i crops at once", async (microBatch) => {
    const { lrs, totals, after4 } = paperSteps();
    const model = await goldenModel();
    const trainer = goldenTrainer(model, microBatch);
    const targets = goldenTargets(model, { scene: "fidelity", distortion: "fidelity-released" });
    lrs.forEach((learningRate, step) => {
      const { loss } = stepOn(trainer, { pixels: goldenPixels(), targets, taskWeights: EVEN_WEIGHTS, learningRate });
      expect([loss]).toBeAllClose([totals[step] ?? NaN], { rtol: 1e-4, atol: 0 });
    });
    expect(Object.keys(after4).toSorted()).toEqual(trainedNames(model).toSorted());
    const errors = Object.entries(after4).flatMap(([name, { stride, values }]) => {
      const ours = valuesOf(model, name);
      const isLeftOut = (i: number) => isKeyBias(name, i * stride, ours.length);
      return values.map((value, i) => (isLeftOut(i) ? 0 : Math.abs(value - (ours[i * stride] ?? NaN))));
    });
    expect(errors.filter((error) => !(error <= FEW_STRAYS.atol))).toEqual([]);
    expect(errors.filter((error) => error > AFTER.atol).length).toBeLessThanOrEqual(FEW_STRAYS.most);
    trainer.optimizer.dispose();
    model.dispose();
  });
});

interface PaperSteps {
  readonly lrs: readonly number[];
  readonly totals: readonly number[];
  /** Every `stride`-th value of a parameter. */
  readonly after4: Readonly<Record<string, { readonly stride: number; readonly values: readonly number[] }>>;
}

/** Made by scripts/reference/liqe_tiny_paper.py. */
function paperSteps(): PaperSteps {
  const file = new URL("../fixtures/liqe-tiny/paper.json", import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")) as PaperSteps; // our own file
}
