import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { exportModel } from "../../src/api/exportModel.js";
import { openModel } from "../../src/api/openModel.js";
import { ConfigError } from "../../src/base/errors.js";
import * as tf from "../../src/engine/tf.js";
import { multitaskLoss } from "../../src/losses/multitaskLoss.js";
import { disposeTargets } from "../../src/losses/targets.js";
import { initialParameters } from "../../src/model/parameters/initialize.js";
import { LiqeModel } from "../../src/model/liqe.js";
import { initialContext, PROMPT_CONTEXT } from "../../src/model/parameters/learnedPrompts.js";
import { type NamedArrays, TOKEN_EMBEDDING } from "../../src/model/parameters/parameters.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import { imageLogits } from "../../src/model/scorer.js";
import { gridTree, leadingTokens } from "../../src/model/text/promptTree.js";
import { END_TOKEN, START_TOKEN, tokenize } from "../../src/model/text/tokenizer.js";
import { patchBatches } from "../../src/model/vision/patches.js";
import { loadParameters } from "../../src/model/weights/loadParameters.js";
import { readSafetensors } from "../../src/model/weights/safetensors.js";
import { loadCheckpoint } from "../../src/train/checkpoint/checkpoint.js";
import { cachedGradients } from "../../src/train/gradientCache.js";
import { contextWords } from "../../src/train/plan.js";
import { trainSplit } from "../../src/train/run.js";
import { golden, goldenTensor, goldenWeights } from "../support/golden.js";
import { CROPS, goldenPixels, goldenTargets } from "../support/goldenStep.js";
import { encodePadded } from "../support/paddedText.js";
import { stopWhen, temporaryFolder, TOY_ARCHITECTURE, toyDatabase, toyPlan } from "../support/runs.js";
import { relativeError } from "../support/tensors.js";
import { startTestEngine } from "../support/testEngine.js";

const TEXT = { contextLength: 77 }; // CLIP's

await startTestEngine();

const GRID = promptGrid("a photo with {distortion} artifacts, which is of {quality} quality");
const TOY = initialParameters(TOY_ARCHITECTURE, 5);
const TABLE = TOY.get(TOKEN_EMBEDDING) ?? { shape: [], values: new Float32Array() };
const WORDS = leadingTokens(GRID, 77); // a photo with

/** Features of the prompts by a model of these arrays. */
function featuresOf(weights: NamedArrays): Float32Array {
  const model = new LiqeModel(weights, GRID, { architecture: TOY_ARCHITECTURE });
  const features = Float32Array.from(model.promptFeatures().dataSync());
  model.dispose();
  return features;
}

describe("context vectors", () => {
  it.each([
    ["shared", null],
    ["of each prompt", GRID.prompts.length],
  ])("%s change nothing where they begin as the words that they stand for", (_, prompts) => {
    for (const vectors of [1, 3]) {
      const context = initialContext(TABLE, { prompts, vectors, words: WORDS.slice(0, vectors), seed: 1 });
      const found = featuresOf(new Map([...TOY, [PROMPT_CONTEXT, context]]));
      expect(relativeError(found, featuresOf(TOY))).toBeLessThan(1e-5);
    }
  });

  it("are read as CoOp reads them: start, vectors, the words after those they replace, end, each prompt by itself", () => {
    const vectors = 5; // of which three take the place of "a photo with"
    for (const prompts of [null, GRID.prompts.length]) {
      const context = initialContext(TABLE, { prompts, vectors, words: null, seed: 2 });
      const found = featuresOf(new Map([...TOY, [PROMPT_CONTEXT, context]]));
      // The slow way: vectors as rows of a longer token table
      const { vocabulary, width } = TOY_ARCHITECTURE.text;
      const rows = context.values.length / width;
      const longer = tf.concat2d([tf.tensor2d(TABLE.values, [vocabulary, width]), tf.tensor2d(context.values, [rows, width])], 0); // prettier-ignore
      const architecture = { ...TOY_ARCHITECTURE, text: { ...TOY_ARCHITECTURE.text, vocabulary: vocabulary + rows } };
      const read = <R extends tf.Rank>(name: string) => {
        const { shape, values } = TOY.get(name) ?? { shape: [], values: new Float32Array() };
        const tensor: tf.Tensor = name === TOKEN_EMBEDDING ? longer : tf.tensor(values, [...shape]);
        return tensor as tf.Tensor<R>;
      };
      const chosen = [0, 7, GRID.prompts.length - 1];
      const tokens = chosen.map((prompt) => {
        const first = vocabulary + (prompts === null ? 0 : prompt * vectors);
        const words = tokenize(GRID.prompts[prompt] ?? "").slice(1 + 3, -1);
        return [START_TOKEN, ...Array.from({ length: vectors }, (_, i) => first + i), ...words, END_TOKEN];
      });
      const expected = tf.tidy(() => encodePadded(read, architecture, tokens).dataSync());
      const { embedding } = TOY_ARCHITECTURE;
      const ours = chosen.flatMap((prompt) => [...found.subarray(prompt * embedding, (prompt + 1) * embedding)]);
      expect(relativeError(ours, expected)).toBeLessThan(1e-5);
    }
  });

  it("keep the prefix tree where they are shared, and cost a row each where they are not", () => {
    const words = gridTree(promptGrid(), TEXT);
    const shared = gridTree(promptGrid(), TEXT, { context: { vectors: 4, isShared: true } });
    expect(shared.nodes).toBe(words.nodes);
    expect(shared.contextRows).toBe(4);
    const own = gridTree(promptGrid(), TEXT, { context: { vectors: 4, isShared: false } });
    expect(own.contextRows).toBe(4 * 495);
    expect(own.nodes).toBeGreaterThan((4 * words.nodes) / 2);
  });

  it("have PyTorch's gradient of a word that stands in their place alone", async () => {
    const { parameters } = await loadParameters(goldenWeights("weights-hf.safetensors"));
    const table = parameters.get(TOKEN_EMBEDDING) ?? TABLE;
    const words = leadingTokens(promptGrid(), 77);
    const context = initialContext(table, { prompts: null, vectors: words.length, words, seed: 1 });
    const model = new LiqeModel(new Map([...parameters, [PROMPT_CONTEXT, context]]), promptGrid());
    const pieces = patchBatches(goldenPixels(), model.architecture.vision, { size: CROPS });
    const targets = goldenTargets(model);
    const logitScale = model.logitScale();
    const { measured, gradients } = await cachedGradients({ model, trained: [PROMPT_CONTEXT] }, pieces, {
      name: "total",
      inputs: [],
      loss: ({ crops, text }) => {
        const { total, losses } = multitaskLoss(imageLogits(crops, text, 7, logitScale), targets, tf.ones([3]));
        return { value: total, aux: losses };
      },
    });
    const found = gradients.get(PROMPT_CONTEXT)?.dataSync<"float32">().slice() ?? new Float32Array();
    const { inputs, expected } = golden();
    const { values, shape } = goldenTensor(expected, "grad.token_embedding.used_rows");
    const width = shape[1] ?? 0;
    const ids = [...goldenTensor(inputs, "used_token_ids").values];
    const [photo = NaN] = tokenize("photo").slice(1, -1); // "a" and "of" stand elsewhere, too
    const row = ids.indexOf(photo);
    const place = words.indexOf(photo);
    const ours = found.subarray(place * width, (place + 1) * width);
    expect(relativeError(ours, values.slice(row * width, (row + 1) * width))).toBeLessThan(2e-4);
    disposeTargets(targets);
    tf.dispose([measured, ...gradients.values(), ...pieces.map(({ patches }) => patches)]);
    model.dispose();
  });
});

describe("contextWords", () => {
  it("refuses more vectors than words to begin as, naming how many there are", async () => {
    const { config, architecture } = await toyPlan(await toyDatabase(), temporaryFolder(), {
      tune: "prompts",
      prompts: { vectors: 3 },
    });
    expect(contextWords(config, architecture)).toEqual(WORDS);
    const more = { ...config, train: { ...config.train, prompts: { ...config.train.prompts, vectors: 4 } } };
    expect(() => contextWords(more, architecture)).toThrow(ConfigError);
    expect(() => contextWords(more, architecture)).toThrow("begins with 3 tokens before its first placeholder");
    const random = { ...more, train: { ...more.train, prompts: { ...more.train.prompts, init: "random" as const } } };
    expect(contextWords(random, architecture)).toBeNull();
  });

  it("refuses vectors that leave no place for the words", () => {
    expect(() => gridTree(GRID, TEXT, { context: { vectors: 76, isShared: true } })).toThrow(
      "lower train.prompts.vectors",
    );
  });
});

describe("train.tune: prompts", () => {
  it("learns the vectors and nothing else, keeps no tensor, and exports their features", async () => {
    const plan = await toyPlan(await toyDatabase(), temporaryFolder(), {
      epochs: 1,
      tune: "prompts",
      prompts: { vectors: 2 },
    });
    const before = tf.memory().numTensors;
    const validate = () => Promise.resolve({ srcc: 0.5, average: 0.5 });
    await trainSplit(plan, { validate, signal: stopWhen(() => false) });
    expect(tf.memory().numTensors).toBe(before);
    const last = join(plan.folder, "last");
    const learned = await readSafetensors(join(last, "prompts.safetensors"));
    expect([...learned.keys()]).toEqual([PROMPT_CONTEXT]);
    expect(learned.get(PROMPT_CONTEXT)?.shape).toEqual([2, TOY_ARCHITECTURE.text.width]);
    const moments = [...(await readSafetensors(join(last, "optimizer.safetensors"))).keys()];
    expect(moments.every((name) => name.includes(PROMPT_CONTEXT))).toBe(true);
    const { weights } = await loadCheckpoint(last);
    for (const [name, { values }] of await plan.initialWeights())
      expect(weights.get(name)?.values, name).toEqual(values);
    const opened = await openModel(last);
    const features = Float32Array.from(opened.model.promptFeatures().dataSync());
    opened.dispose();
    expect(relativeError(features, featuresOf(TOY))).toBeGreaterThan(1e-4);
    const [hub] = await exportModel(last, { format: "hub", out: temporaryFolder() }); // which has onnx and tfjs inside
    expect(hub?.parity.largestDifference.quality).toBeLessThan(1e-3);
    const exported = await openModel(hub?.folder ?? "");
    expect(exported.model.promptFeatures().dataSync()).toEqual(features);
    exported.dispose();
    await expect(exportModel(last, { format: "openai", out: temporaryFolder() })).rejects.toThrow("were learned");
  });
});
