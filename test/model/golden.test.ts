import { describe, expect, it } from "vitest";
import * as tf from "../../src/engine/tf.js";
import type { VitArchitecture } from "../../src/model/architecture/architecture.js";
import { LiqeModel } from "../../src/model/liqe.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import { ModelScorer } from "../../src/model/scorer.js";
import { imageLogits } from "../../src/model/scorer.js";
import { tokenize } from "../../src/model/text/tokenizer.js";
import { loadParameters } from "../../src/model/weights/loadParameters.js";
import { golden, goldenTensor, goldenWeights } from "../support/golden.js";
import { expectTensorsKept } from "../support/tensors.js";

/** Tower features against PyTorch in float32. */
const FEATURES = { rtol: 1e-3, atol: 1e-4 };
const JOINT = { rtol: 1e-3, atol: 1e-6 };

const { inputs, expected, meta } = golden();
const expectedOf = (name: string) => goldenTensor(expected, name);
const pixels = () => Uint8Array.from(goldenTensor(inputs, "pixels").values);
const CROPS = 21;
const IMAGES = 7;

async function goldenModel(file: Parameters<typeof goldenWeights>[0]): Promise<LiqeModel> {
  const { parameters } = await loadParameters(goldenWeights(file));
  return new LiqeModel(parameters, promptGrid());
}

describe.each(["weights-hf.safetensors", "weights-openai.pt", "weights-openai-jit.pt"] as const)(
  "LiqeModel from %s",
  (file) => {
    it("gives the features of PyTorch's CLIPModel for images and prompts", async () => {
      const model = await goldenModel(file);
      const images = model.encodeImages(model.patches(pixels()), CROPS);
      expect(images).toBeAllClose(expectedOf("image_features").values, FEATURES);
      expect(model.encodePrompts()).toBeAllClose(expectedOf("text_features").values, FEATURES);
      model.dispose();
    });

    it("gives the reference's joint distribution", async () => {
      const model = await goldenModel(file);
      const features = model.encodeImages(model.patches(pixels()), CROPS);
      const logits = imageLogits(features, model.encodePrompts(), IMAGES, model.logitScale());
      expect(tf.softmax(logits)).toBeAllClose(expectedOf("joint").values, JOINT);
      model.dispose();
    });
  },
);

describe("ModelScorer", () => {
  it("gives the logits of each crop, whose mean over an image's crops is the image's", async () => {
    const model = await goldenModel("weights-hf.safetensors");
    const scorer = new ModelScorer(model);
    const prompts = model.grid.prompts.length;
    const perCrop = scorer.logits(pixels());
    expect(perCrop).toHaveLength(CROPS * prompts);
    const mean = tf.mean(tf.tensor3d(perCrop, [IMAGES, CROPS / IMAGES, prompts]), 1);
    expect(mean).toBeAllClose(expectedOf("logits").values, { rtol: 1e-3, atol: 1e-3 }); // logits reach 100
    model.dispose();
  });

  it("leaves the prompts' features and the folded image tower with the model alone, however often it scores", async () => {
    const model = await goldenModel("weights-hf.safetensors");
    const scorer = new ModelScorer(model);
    const score = () => scorer.logits(pixels().subarray(0, model.cropSize));
    const folded = 1 + 10 * (model.architecture as VitArchitecture).vision.layers;
    expectTensorsKept(1 + folded, score);
    expectTensorsKept(0, score);
    model.dispose();
  });

  it("scores with the weights as they are after training, not as they were", async () => {
    const model = await goldenModel("weights-hf.safetensors");
    const scorer = new ModelScorer(model);
    const one = pixels().subarray(0, model.cropSize);
    const before = scorer.logits(one);
    tf.tidy(() => {
      const projection = model.parameters.variables.get("text_projection");
      projection?.assign(tf.mul(projection, -1));
    });
    expect(tf.tensor1d(scorer.logits(one))).toBeAllClose(
      before.map((logit) => -logit),
      { rtol: 1e-5, atol: 1e-4 },
    );
    model.dispose();
  });
});

describe("tokenize", () => {
  it("gives the tokens of the reference for every published prompt", () => {
    const { values, shape } = goldenTensor(inputs, "tokens");
    const length = shape[1] ?? 0;
    const { prompts } = promptGrid();
    expect(meta.template).toBe(promptGrid().template);
    prompts.forEach((prompt, row) => {
      const tokens = tokenize(prompt);
      const padded = [...tokens, ...Array.from({ length: length - tokens.length }, () => 0)];
      expect(padded.slice(0, tokens.length)).toEqual([...values.subarray(row * length, row * length + tokens.length)]);
    });
  });
});
