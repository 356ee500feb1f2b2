import { describe, expect, it } from "vitest";
import { EngineConfig } from "../../src/engine/config.js";
import * as tf from "../../src/engine/tf.js";
import { LiqeModel } from "../../src/model/liqe.js";
import { USED_ROWS } from "../../src/model/parameters/parameters.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import { tokenize } from "../../src/model/text/tokenizer.js";
import { patchBatches } from "../../src/model/vision/patches.js";
import { loadParameters } from "../../src/model/weights/loadParameters.js";
import { cachedGradients, type LossHead } from "../../src/train/gradientCache.js";
import { compileWeights } from "../../src/train/optimizer/createOptimizer.js";
import { describeOnEachEngine } from "../support/eachEngine.js";
import { ENCODER_KINDS, type EncoderFamily, RESNETS, SIGLIPS, uniform, writeFamily } from "../support/encoderKinds.js";
import { trainedNames, variablesOf } from "../support/goldenStep.js";
import { temporaryFolder } from "../support/runs.js";

const { crops: CROPS, prompts: PROMPTS } = ENCODER_KINDS;
const families = { ...ENCODER_KINDS.families, ...RESNETS.families, ...SIGLIPS.families };
const GRID = promptGrid("a photo with {quality} quality");

/** Features of unit length, float32 against float64. */
const FEATURES = { rtol: 0, atol: 1e-5 };
/** Of a gradient, by its norm. */
const GRADIENT = 1e-4;
/** Norm below which a gradient is none: keys' shifts add the same to all that a softmax compares. */
const NO_GRADIENT = 1e-3;

/** File of each family; written once. */
const written = new Map<string, Promise<string>>();

async function open(name: string, family: EncoderFamily): Promise<LiqeModel> {
  const file = written.get(name) ?? writeFamily(temporaryFolder(), family);
  written.set(name, file);
  const { parameters, architecture, assumed, tokenizer } = await loadParameters(await file);
  expect(assumed.filter((property) => property !== "pixels")).toEqual([]);
  return new LiqeModel(parameters, GRID, { architecture, tokenizer });
}

function pixelsOf({ cropSize }: LiqeModel): Uint8Array {
  return Uint8Array.from(uniform("pixels", CROPS * cropSize), (value) => Math.floor((value + 1) * 128));
}

/** Σ features · uniform, both towers'. */
const HEAD: LossHead = {
  name: "products",
  inputs: [],
  loss: ({ crops, text }) => {
    const product = (features: tf.Tensor2D, name: string) =>
      tf.sum(tf.mul(features, tf.tensor2d(Float32Array.from(uniform(name, features.size)), features.shape)));
    return { value: tf.add<tf.Scalar>(product(crops, "a"), product(text, "b")), aux: tf.tensor1d([]) };
  },
};

/** Gradients on the host, by parameter. */
async function gradientsOf(model: LiqeModel, engine: Partial<EngineConfig>): Promise<Map<string, Float32Array>> {
  const compiled = compileWeights(variablesOf(model), EngineConfig.parse(engine));
  const batch = patchBatches(pixelsOf(model), model.architecture.vision, { size: CROPS });
  const functions = compiled === null ? {} : { runner: compiled.runner, weights: compiled.values };
  const towers = { model, trained: trainedNames(model), ...functions };
  const { measured, gradients } = await cachedGradients(towers, batch, HEAD);
  const found = [...gradients].map(([name, gradient]) => [name, Float32Array.from(gradient.dataSync())] as const);
  tf.dispose([measured, ...gradients.values(), ...batch.map(({ patches }) => patches)]);
  compiled?.runner.dispose();
  compiled?.values.dispose();
  return new Map(found);
}

/** Errors of norm and products, as parts of the norm, that are too large; by name. */
function wrongGradients(found: ReadonlyMap<string, Float32Array>, { gradients }: EncoderFamily) {
  return Object.entries(gradients).flatMap(([name, { norm, products }]) => {
    const values = found.get(name === "token_embedding.weight" ? USED_ROWS : name) ?? new Float32Array();
    const dot = (other: ArrayLike<number>) => values.reduce((sum, value, i) => sum + value * (other[i] ?? NaN), 0);
    const own = [Math.sqrt(dot(values)), ...products.map((_, k) => dot(uniform(`${name} ${k}`, values.length)))];
    const scale = Math.max(norm, NO_GRADIENT);
    const errors = [norm, ...products].map((expected, i) => Math.abs((own[i] ?? NaN) - expected) / scale);
    return errors.every((error) => error < GRADIENT) ? [] : [{ name, errors }];
  });
}

describe("the fixture", () => {
  it("has the tokens that the prompts have here", () => {
    expect(GRID.prompts.map((prompt) => tokenize(prompt))).toEqual(PROMPTS);
  });
});

describeOnEachEngine("an encoder", (engine) => {
  it.each(Object.entries(families))(
    "%s gives PyTorch's features, as it is trained and folded",
    async (name, family) => {
      const model = await open(name, family);
      const pixels = pixelsOf(model);
      const folded = model.imageFeatures(pixels);
      const [trained, text] = tf.tidy(() => [model.encodeImages(model.patches(pixels), CROPS), model.encodePrompts()]);
      expect(folded).toBeAllClose(family.imageFeatures, FEATURES);
      expect(trained).toBeAllClose(family.imageFeatures, FEATURES);
      expect(text).toBeAllClose(family.textFeatures, FEATURES);
      tf.dispose([folded, trained, text]);
      model.dispose();
    },
  );

  it.each(Object.entries(families).filter(([, { gradients }]) => Object.keys(gradients).length > 0))(
    "%s gives PyTorch's gradients, operation by operation and compiled, and keeps nothing",
    async (name, family) => {
      for (const compile of engine === "native" ? (["never", "auto"] as const) : (["never"] as const)) {
        const before = tf.memory().numTensors;
        const model = await open(name, family);
        const found = await gradientsOf(model, { compile });
        expect(found.size).toBe(Object.keys(family.gradients).length);
        expect(wrongGradients(found, family)).toEqual([]);
        model.dispose();
        expect(tf.memory().numTensors).toBe(before);
      }
    },
  );
});
