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
  CROPS,
  EVEN_WEIGHTS,
  goldenModel,
  goldenPixels,
  goldenTargets,
  goldenTrainer,
  trainedNames,
  valuesOf,
  WEIGHT_FILES,
  withoutKeyBias,
} from "../support/goldenStep.js";
import { stepOn } from "../support/steps.js";
import { relativeError } from "../support/tensors.js";

const { inputs, expected, meta } = golden();
const input = (name: string) => goldenTensor(inputs, name);

/** Relative errors by norm. A tensor's gradient through two towers, in sums of another order. */
const GRADIENT = 2e-4;
/** A tensor's gradient, micro-batched against plain. */
const CACHED = 1e-4;
/**
 * Of the steps' movement, of one tensor or of all together: as if one of its entries had moved the other way. Adam
 * divides a gradient by its own size, so an entry whose gradient is rounding alone moves by rounding's sign.
 */
const oneReversed = (entries: number) => 2 / Math.sqrt(entries);
const NORM = { rtol: 1e-4, atol: 0 };
/** One update from given gradients, float32 against float64: no sum, so each entry counts. */
const UPDATE = { rtol: 1e-6, atol: 1e-8 };

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
async function gradients(model: LiqeModel, microBatch: number, trained = trainedNames(model)): Promise<Gradients> {
  const pixels = goldenPixels();
  const pieces = patchBatches(pixels, model.architecture.vision, { size: microBatch });
  const wanted = goldenTargets(model);
  const logitScale = model.logitScale();
  const loss: LossHead["loss"] = ({ crops, text }) => {
    const { total, losses } = multitaskLoss(imageLogits(crops, text, 7, logitScale), wanted, tf.ones([3]));
    return { value: total, aux: losses };
  };
  return (await cachedGradients({ model, trained }, pieces, { name: "total", inputs: [], loss })).gradients;
}

/** Relative error of each parameter's gradient. */
function errorsOf(ours: Gradients, expectedOf: (name: string) => ArrayLike<number>, names: readonly string[]) {
  return names.map((name) => {
    const found = ours.get(name)?.dataSync() ?? [];
    return [name, relativeError(withoutKeyBias(name, found), withoutKeyBias(name, expectedOf(name)))] as const;
  });
}

const readFrom = (gradients: Gradients) => (name: string) => gradients.get(name)?.dataSync() ?? [];

/** Those of the errors that are not below the limit: none, in a test that passes. */
const beyond = (errors: readonly (readonly [string, number])[], limit: number) =>
  errors.filter(([, error]) => !(error < limit));

describe("lossGradients on the reference's step", () => {
  it.each(WEIGHT_FILES)(
    "gives PyTorch's gradients but for key biases, whose gradient is rounding, from %s",
    async (file) => {
      const model = await goldenModel(file);
      const errors = errorsOf(
        await gradients(model, CROPS),
        (name) => expectedOf(model, `grad.${name}`),
        trainedNames(model),
      );
      expect(beyond(errors, GRADIENT)).toEqual([]);
      model.dispose();
    },
  );

  it.each([4, 10, 20])("is the same in pieces of %i crops", async (microBatch) => {
    const model = await goldenModel();
    const whole = await gradients(model, CROPS);
    const errors = errorsOf(await gradients(model, microBatch), readFrom(whole), trainedNames(model));
    expect(beyond(errors, CACHED)).toEqual([]);
    model.dispose();
  });
});

describe("lossGradients with a frozen text tower", () => {
  it.each([CROPS, 10])(
    "encodes the prompts once for all steps, %i crops at once, to the same gradient",
    async (size) => {
      const model = await goldenModel();
      const vision = trainedNames(model).filter(isVision);
      const whole = await gradients(model, size);
      const encode = vi.spyOn(model, "encodePrompts");
      await gradients(model, size, vision);
      const frozen = await gradients(model, size, vision);
      expect(encode).toHaveBeenCalledTimes(1);
      expect([...frozen.keys()].toSorted()).toEqual(vision.toSorted());
      expect(beyond(errorsOf(frozen, readFrom(whole), vision), CACHED)).toEqual([]);
      model.dispose();
    },
  );
});

/** Values by parameter, before training or after. */
type Values = ReadonlyMap<string, ArrayLike<number>>;

const parametersOf = (model: LiqeModel): Values =>
  new Map(trainedNames(model).map((name) => [name, valuesOf(model, name)]));

/** How far training moved each parameter, against how far it should have, tensor by tensor and all together. */
function expectMoved(
  model: LiqeModel,
  before: Values,
  expectedOf: (name: string) => { values: ArrayLike<number>; stride: number },
) {
  const [found, wanted]: [number[], number[]] = [[], []];
  const errors = [...before].map(([name, from]) => {
    const { values, stride } = expectedOf(name);
    const after = valuesOf(model, name);
    const kept = Array.from({ length: values.length }, (_, i) => i * stride);
    const ours = withoutKeyBias(name, kept.map((i) => (after[i] ?? NaN) - (from[i] ?? NaN)), stride); // prettier-ignore
    const theirs = withoutKeyBias(name, kept.map((i, k) => (values[k] ?? NaN) - (from[i] ?? NaN)), stride); // prettier-ignore
    for (const [i, moved] of theirs.entries()) {
      found.push(ours[i] ?? NaN);
      wanted.push(moved);
    }
    return [name, relativeError(ours, theirs) / oneReversed(theirs.length)] as const;
  });
  expect(beyond(errors, 1)).toEqual([]);
  expect(relativeError(found, wanted)).toBeLessThan(oneReversed(wanted.length));
}

describeOnEachEngine("trainStep", (engine) => {
  const cases =
    engine === "native"
      ? [...WEIGHT_FILES.map((file) => [file, CROPS] as const), [WEIGHT_FILES[0], 8] as const]
      : [[WEIGHT_FILES[0], 8] as const]; // seconds a step
  it.each(cases)("takes the reference's four AdamW steps from %s, %i crops at once", async (file, microBatch) => {
    const model = await goldenModel(file);
    const before = parametersOf(model);
    const trainer = goldenTrainer(model, microBatch);
    const pixels = goldenPixels();
    for (const [step, learningRate] of meta.lrs.entries()) {
      const tensorsBefore = tf.memory().numTensors;
      const targets = goldenTargets(model);
      const result = await stepOn(trainer, { pixels, targets, taskWeights: EVEN_WEIGHTS, learningRate });
      disposeTargets(targets);
      expect(tf.memory().numTensors).toBe(tensorsBefore);
      expect([result.loss]).toBeAllClose([meta.totals[step] ?? NaN], { rtol: 1e-4, atol: 0 }); // weights already differ
      if (step > 0) continue;
      const { quality_binary: quality, scene_cross_entropy: scene, distortion_cross_entropy: distortion } = meta.losses;
      const { losses } = result;
      expect([losses.quality, losses.scene, losses.distortion].map((loss) => loss ?? NaN)).toBeAllClose(
        [quality, scene, distortion].map((loss) => loss ?? NaN),
        { rtol: 1e-5, atol: 1e-5 },
      );
      expect([result.gradientNorm]).toBeAllClose(goldenTensor(expected, "grad.global_norm").values, NORM);
    }
    expectMoved(model, before, (name) => ({ values: expectedOf(model, `after4.${name}`), stride: 1 }));
    trainer.optimizer.dispose();
    model.dispose();
  });

  it("updates all weights from the reference's own gradients as AdamW's formula has it, and decays them", async () => {
    const model = await goldenModel();
    const { optimizer } = goldenTrainer(model, CROPS);
    const before = parametersOf(model);
    const [rate = NaN] = meta.lrs;
    const given = new Map([...before.keys()].map((name) => [name, expectedOf(model, `grad.${name}`)]));
    tf.tidy(() => {
      const tensors = [...given].map(
        ([name, values]) => [name, tf.tensor(values, model.parameters.read(name).shape)] as const,
      );
      optimizer.apply(new Map(tensors), rate);
    });
    for (const [name, from] of before) {
      const gradient = given.get(name) ?? [];
      // The first step: moments over their corrections are the gradient and its square
      const wanted = Array.from(from, (w, i) => {
        const g = gradient[i] ?? NaN;
        return w * (1 - rate * 0.05) - (rate * g) / (Math.abs(g) + 1e-8);
      });
      expect(valuesOf(model, name), name).toBeAllClose(wanted, UPDATE);
    }
    optimizer.dispose();
    model.dispose();
  });

  const sizes = engine === "native" ? [CROPS, 8] : [CROPS];
  it.each(sizes)("takes PyTorch's four steps of the released recipe, %i crops at once", async (microBatch) => {
    const { lrs, totals, after4 } = paperSteps();
    const model = await goldenModel();
    const before = parametersOf(model);
    const trainer = goldenTrainer(model, microBatch);
    const targets = goldenTargets(model, { scene: "fidelity", distortion: "fidelity-released" });
    for (const [step, learningRate] of lrs.entries()) {
      const input = { pixels: goldenPixels(), targets, taskWeights: EVEN_WEIGHTS, learningRate };
      const { loss } = await stepOn(trainer, input);
      expect([loss]).toBeAllClose([totals[step] ?? NaN], { rtol: 1e-4, atol: 0 });
    }
    expect(Object.keys(after4).toSorted()).toEqual(trainedNames(model).toSorted());
    expectMoved(model, before, (name) => after4[name] ?? { values: [], stride: 1 });
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
