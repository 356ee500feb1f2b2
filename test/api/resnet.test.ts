import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { exportModel } from "../../src/api/exportModel.js";
import { predict } from "../../src/api/predict.js";
import { train } from "../../src/api/train/train.js";
import { writeDurable } from "../../src/base/files.js";
import { Liqe } from "../../src/inference/liqe.js";
import type { Architecture } from "../../src/model/architecture/architecture.js";
import { initialParameters } from "../../src/model/parameters/initialize.js";
import { isBatchStatistic, RESNET_POSITIONS } from "../../src/model/parameters/shapes.js";
import { convertWeights } from "../../src/model/weights/convertWeights.js";
import { loadParameters, resizePositions } from "../../src/model/weights/loadParameters.js";
import { inspectWeights } from "../../src/model/weights/inspectWeights.js";
import { writeSafetensors } from "../../src/model/weights/safetensors.js";
import { uniform } from "../support/encoderKinds.js";
import { temporaryFolder, TOY_ARCHITECTURE, toyDatabase } from "../support/runs.js";

const SMALL: Architecture = {
  ...TOY_ARCHITECTURE,
  vision: { kind: "resnet", imageSize: 64, width: 4, stages: [2, 1, 1, 1], heads: 2 },
};

/** A weight file whose blocks and statistics all matter. */
async function smallWeights(): Promise<string> {
  const parameters = initialParameters(SMALL, 3);
  for (const [name, { shape }] of parameters) {
    const isGain = /bn3\.weight$|running_var$/.test(name);
    if (!isGain && !/running_mean$/.test(name)) continue;
    const values = Float32Array.from(uniform(name, shape[0] ?? 0), (value) => (isGain ? 1 : 0) + 0.3 * value);
    parameters.set(name, { shape, values });
  }
  const file = join(temporaryFolder(), "resnet.safetensors");
  await writeDurable(file, (handle) => writeSafetensors(handle, parameters));
  return file;
}

const weights = await smallWeights();
const root = await toyDatabase({ rows: 100, cols: 90 });
const photo = join(root, "toys", "test0.png");
const configOf = (settings: Readonly<Record<string, unknown>>) => ({
  run: "toys",
  model: { weights },
  data: { root, databases: [{ name: "toys", imagesPerStep: 4 }] },
  prompts: { template: "a photo with {distortion} artifacts, which is of {quality} quality" },
  train: { epochs: 1, stepsPerEpoch: 2, cropsPerImage: 2, learningRate: 1e-3, weightDecay: 0.01, ...settings },
  evaluate: { crops: 2, validationCrops: 1 },
});

const lastOf = (folder: string) => join(folder, "split-1", "last", "model.safetensors");

async function trainedBy(settings: Readonly<Record<string, unknown>>): Promise<string> {
  const { folder } = await train(configOf(settings), { out: temporaryFolder() });
  return folder;
}

/** Names of parameters that differ between two weight files. */
async function changed(one: string, other: string): Promise<string[]> {
  const [a, b] = [(await loadParameters(one)).parameters, (await loadParameters(other)).parameters];
  return [...a].flatMap(([name, { values }]) =>
    values.every((value, i) => value === b.get(name)?.values[i]) ? [] : [name],
  );
}

describe("a model with a ResNet", () => {
  it("is trained but for its batch statistics, and resumed to the same bytes", async () => {
    const whole = await trainedBy({ epochs: 2 });
    const half = await trainedBy({ epochs: 1 });
    await train({ resume: half }, { set: ["train.epochs=2"] });
    expect(readFileSync(lastOf(half)).equals(readFileSync(lastOf(whole)))).toBe(true);
    const differing = await changed(lastOf(whole), weights);
    expect(differing.filter(isBatchStatistic)).toEqual([]);
    expect(differing).toEqual(expect.arrayContaining(["visual.conv1.weight", "visual.layer4.0.bn3.bias"]));
  });

  it("leaves frozen stages alone, and has the same first step however it is computed", async () => {
    const steps = async (settings: Readonly<Record<string, unknown>>) => {
      const folder = await trainedBy({ freeze: ["vision.stem", "vision.blocks.0-2"], ...settings });
      const lines = readFileSync(join(folder, "split-1", "metrics.jsonl"), "utf8").split("\n");
      return { folder, first: JSON.parse(lines[0] ?? "") as { loss: number; gradientNorm: number } };
    };
    const [plain, pieces] = [await steps({ recompute: "never" }), await steps({ recompute: "always", microBatch: 3 })];
    const touched = await changed(lastOf(plain.folder), weights);
    expect(touched.some((name) => /visual\.(conv|bn|layer[123])/.test(name))).toBe(false);
    expect(touched).toContain("visual.layer4.0.conv2.weight");
    expect(Math.abs(pieces.first.loss / plain.first.loss - 1)).toBeLessThan(1e-5);
    expect(Math.abs(pieces.first.gradientNorm / plain.first.gradientNorm - 1)).toBeLessThan(1e-4);
  });

  it("refuses a part that it does not have, and random weights", async () => {
    await expect(trainedBy({ freeze: ["vision.embeddings"] })).rejects.toThrow("this network has no such part");
    const random = { ...configOf({}), model: { weights: "none", preset: "rn50" } };
    await expect(train(random, { out: temporaryFolder() })).rejects.toThrow("rn50 is a ResNet: its batch statistics");
  });

  it("scores the same as ONNX, TensorFlow.js, OpenAI's and safetensors exports", async () => {
    const out = temporaryFolder();
    const format = ["safetensors", "openai", "onnx", "tfjs"];
    const exported = await exportModel(weights, { format, out });
    expect(exported.map(({ parity }) => parity.largestDifference.quality < 1e-4)).toEqual([true, true, true, true]);
    const liqe = await Liqe.load((name) => readFile(join(out, "tfjs", name)));
    const { data, info } = await sharp(photo).raw().toBuffer({ resolveWithObject: true });
    const { quality } = await liqe.score({ width: info.width, height: info.height, data });
    liqe.dispose();
    for await (const own of predict(photo, { checkpoint: weights })) {
      expect(own).toHaveProperty("quality", expect.closeTo(quality, 4));
    }
    expect(existsSync(join(out, "onnx", "model-image.onnx"))).toBe(true);
  });
});

describe("convertWeights of a ResNet", () => {
  it("interpolates the attention pooling's positions to another window, which is scored", async () => {
    const out = join(temporaryFolder(), "larger.safetensors");
    await convertWeights(weights, out, { imageSize: 96, report: () => undefined });
    const { parameters, architecture } = await loadParameters(out);
    expect(architecture.vision).toEqual({ ...SMALL.vision, imageSize: 96 });
    const { values = new Float32Array(), shape } = parameters.get(RESNET_POSITIONS) ?? {};
    expect(shape).toEqual([1 + 3 * 3, 128]);
    const before = (await loadParameters(weights)).parameters.get(RESNET_POSITIONS)?.values ?? new Float32Array();
    expect(values).toEqual(resizePositions(before, 2, 3));
    await expect(convertWeights(weights, out, { imageSize: 100, report: () => undefined })).rejects.toThrow(
      "takes images in multiples of 32 pixels, not of 100",
    );
    const small = predict(photo, { checkpoint: out });
    for await (const own of small) expect(own).toHaveProperty("error", expect.stringContaining("less than 96"));
  });
});

describe("inspectWeights of a ResNet", () => {
  it("reads stages, width, heads and window off the tensors, and what nothing says is assumed", async () => {
    const { architecture, assumed, sources, preset } = await inspectWeights(weights);
    expect(architecture.vision).toEqual({ ...SMALL.vision, activation: "relu", window: 64 });
    expect(assumed).toEqual(["vision.heads", "text.heads", "text.activation", "pixels"]);
    expect(sources["vision.activation"]).toBe("its kind: a ResNet");
    expect(preset).toBeNull();
  });

  it("refuses an open_clip config of other stages, and heads that do not divide its width", async () => {
    const file = await smallWeights();
    const vision = { image_size: 64, layers: [2, 1, 1, 2], width: 4, patch_size: null };
    const text = { context_length: 77, vocab_size: 49408, width: 8, heads: 1, layers: 1 };
    const config = { model_cfg: { embed_dim: 8, quick_gelu: true, vision_cfg: vision, text_cfg: text } };
    writeFileSync(join(file, "..", "open_clip_config.json"), JSON.stringify(config));
    await expect(inspectWeights(file)).rejects.toThrow("vision.layers is 2,1,1,2 by open_clip_config.json");
    await expect(inspectWeights(weights, { kind: { vision: { heads: 3 } } })).rejects.toThrow(
      "attention pooling of width 128 does not split into 3 heads",
    );
  });
});
