import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/api/evaluate/evaluate.js";
import { exportModel } from "../../src/api/exportModel.js";
import { openWeights } from "../../src/api/openModel.js";
import { predict } from "../../src/api/predict.js";
import { planTraining } from "../../src/api/train/dryRun.js";
import { teacherOf } from "../../src/api/train/teacher.js";
import { train } from "../../src/api/train/train.js";
import { CheckpointError, ConfigError } from "../../src/base/errors.js";
import { SILENT } from "../../src/base/types.js";
import { openDatabases } from "../../src/data/openDatabases.js";
import { TOLERANCES } from "../../src/export/golden/parity.js";
import { Liqe } from "../../src/inference/liqe.js";
import { convertWeights } from "../../src/model/weights/convertWeights.js";
import { inspectWeights } from "../../src/model/weights/inspectWeights.js";
import { loadParameters } from "../../src/model/weights/loadParameters.js";
import { readWithMetadata } from "../../src/model/weights/safetensors.js";
import { RunConfig } from "../../src/train/runConfig.js";
import { type EncoderFamily, SIGLIPS, writeFamily } from "../support/encoderKinds.js";
import { temporaryFolder, toyDatabase } from "../support/runs.js";

function family(name: string): EncoderFamily {
  const found = SIGLIPS.families[name];
  if (found === undefined) throw new Error(`test: no family ${name}`);
  return found;
}

const PLAIN = family("SigLIP B/16");
const weights = await writeFamily(temporaryFolder(), PLAIN);
const root = await toyDatabase({ rows: 100, cols: 90 });
const photo = join(root, "toys", "test0.png");
const prompts = { template: "a photo with {quality} quality" };
const PROMPTS = join(temporaryFolder(), "prompts.yaml");
writeFileSync(PROMPTS, `template: "${prompts.template}"\n`);

const configOf = (settings: Readonly<Record<string, unknown>>, file = weights) => ({
  run: "toys",
  model: { weights: file },
  data: { root, databases: [{ name: "toys", imagesPerStep: 4 }] },
  prompts,
  train: { epochs: 1, stepsPerEpoch: 2, cropsPerImage: 2, learningRate: 1e-4, weightDecay: 0.01, ...settings },
  evaluate: { crops: 2, validationCrops: 1 },
});

const lastOf = (folder: string) => join(folder, "split-1", "last");

async function trainedBy(settings: Readonly<Record<string, unknown>>, file = weights): Promise<string> {
  return (await train(configOf(settings, file), { out: temporaryFolder() })).folder;
}

async function qualityOf(checkpoint: string): Promise<number> {
  for await (const score of predict(photo, { checkpoint })) return (score as { quality?: number }).quality ?? NaN;
  return NaN;
}

describe("a SigLIP as a teacher", () => {
  it("scores anew with another tokenizer, and only then", async () => {
    const teacher = await writeFamily(temporaryFolder(), PLAIN);
    const databases = [{ name: "photos", photos: join(root, "toys"), imagesPerStep: 4 }];
    const config = RunConfig.parse({ ...configOf({ teacher }), data: { root, databases } });
    const opened = await openDatabases(config.data, 1);
    const some = opened.map((one) => ({ ...one, photos: one.photos?.slice(0, 2) ?? [] }));
    const folder = temporaryFolder();
    const taughtKey = async () => {
      await teacherOf(config, SILENT)(some, { folder, isBegun: false });
      const [header = ""] = readFileSync(join(folder, "teacher.jsonl"), "utf8").split("\n");
      return (JSON.parse(header) as { key: string }).key;
    };
    const first = await taughtKey();
    expect(await taughtKey()).toBe(first);
    const settings = join(dirname(teacher), "tokenizer_config.json");
    writeFileSync(settings, `${readFileSync(settings, "utf8")}\n`);
    expect(await taughtKey()).not.toBe(first);
  });
});

describe("a SigLIP's run", () => {
  it("resumes to the undisturbed run's bytes, and is complete when the folder it began from is gone", async () => {
    const begun = await writeFamily(temporaryFolder(), PLAIN);
    const whole = await trainedBy({ epochs: 2 }, begun);
    const half = await trainedBy({ epochs: 1 }, begun);
    rmSync(dirname(begun), { recursive: true });
    await train({ resume: half }, { set: ["train.epochs=2"] });
    const bytes = (folder: string) => readFileSync(join(lastOf(folder), "model.safetensors"));
    expect(bytes(half).equals(bytes(whole))).toBe(true);
    expect(readdirSync(lastOf(half))).toEqual(expect.arrayContaining(["spiece.model", "tokenizer_config.json"]));
    const { databases } = await evaluate(half);
    expect(databases[0]?.images).toBe(6);
    expect(await qualityOf(lastOf(half))).toBeGreaterThan(1);
    rmSync(join(lastOf(half), "spiece.model"));
    await expect(openWeights(lastOf(half))).rejects.toThrow("spiece.model: is missing");
  });

  it("has transformers' names in its checkpoints, and trains all but the scale and bias of logits", async () => {
    const folder = lastOf(await trainedBy({}));
    const { arrays } = await readWithMetadata(join(folder, "model.safetensors"));
    expect(Object.fromEntries([...arrays].map(([name, { shape }]) => [name, shape]))).toEqual(PLAIN.shapes);
    const [before, after] = [await loadParameters(weights), await loadParameters(join(folder, "model.safetensors"))];
    const same = [...before.parameters].flatMap(([name, { values }]) =>
      values.every((value, i) => value === after.parameters.get(name)?.values[i]) ? [name] : [],
    );
    expect(same).toEqual(["logit_scale", "logit_bias"]);
    expect(after.assumed).toEqual([]);
    expect(after.architecture).toEqual(before.architecture);
  });

  it("has the same first step however it is computed", async () => {
    const first = async (settings: Readonly<Record<string, unknown>>) => {
      const lines = readFileSync(join(await trainedBy(settings), "split-1", "metrics.jsonl"), "utf8").split("\n");
      return JSON.parse(lines[0] ?? "") as { loss: number; gradientNorm: number };
    };
    const plain = await first({ recompute: "never" });
    const pieces = await first({ recompute: "always", microBatch: 3 });
    expect(Math.abs(pieces.loss / plain.loss - 1)).toBeLessThan(1e-5);
    expect(Math.abs(pieces.gradientNorm / plain.gradientNorm - 1)).toBeLessThan(1e-4);
  });

  it("takes adapters, whose checkpoints hold the tokenizer and score as no untrained model does", async () => {
    const folder = lastOf(await trainedBy({ tune: "lora", learningRate: 1e-2 }));
    expect(existsSync(join(folder, "spiece.model"))).toBe(true);
    expect(await qualityOf(folder)).not.toBe(await qualityOf(lastOf(await trainedBy({ learningRate: 1e-12 }))));
  });

  it("leaves frozen parts as they are, to the bit, and trains all others", async () => {
    const folder = lastOf(await trainedBy({ freeze: ["text", "vision.head"] }));
    const [before, after] = [await loadParameters(weights), await loadParameters(join(folder, "model.safetensors"))];
    const isSame = (name: string, values: Float32Array) =>
      values.every((value, i) => value === after.parameters.get(name)?.values[i]);
    const changed = [...before.parameters].flatMap(([name, { values }]) => (isSame(name, values) ? [] : [name]));
    const isTrained = (name: string) => /^visual\.(?!attnpool\.|ln_post\.)/.test(name);
    expect(changed).toEqual([...before.parameters.keys()].filter(isTrained));
  });

  it("is planned with what whole prompts cost", async () => {
    const plan = await planTraining(configOf({}), { out: temporaryFolder() });
    expect(plan).toContain("(320 tokens, 5 prompts of 64: the text tower is not causal, so each is encoded whole)");
    expect(plan).toContain("train.freeze=[text]");
  });
});

describe("exports of a SigLIP", () => {
  it.each(Object.entries(SIGLIPS.families))("of %s give its golden scores in each format", async (_, member) => {
    const file = await writeFamily(temporaryFolder(), member);
    const out = temporaryFolder();
    const exported = await exportModel(file, { format: ["safetensors", "onnx", "tfjs"], out, prompts: PROMPTS });
    expect(exported.map(({ parity }) => parity.largestDifference.quality < 1e-4)).toEqual([true, true, true]);
  });

  it("score a photograph alike, alone in their folders", async () => {
    const out = temporaryFolder();
    await exportModel(weights, { format: ["safetensors", "tfjs"], out, prompts: PROMPTS });
    const alone = join(temporaryFolder(), "alone");
    renameSync(join(out, "safetensors"), alone);
    const liqe = await Liqe.load((name) => readFile(join(out, "tfjs", name)));
    const { data, info } = await sharp(photo).raw().toBuffer({ resolveWithObject: true });
    const { quality } = await liqe.score({ width: info.width, height: info.height, data });
    liqe.dispose();
    expect(await qualityOf(alone)).toBeCloseTo(quality, 4);
  });

  it.each([
    ["onnx", "f16"],
    ["onnx", "int8"],
    ["tfjs", "uint8"],
    ["safetensors", "f16"],
  ] as const)("as %s are rounded, and keep within the tolerance of %s", async (format, dtype) => {
    const [exported] = await exportModel(weights, { format, dtype, out: temporaryFolder(), prompts: PROMPTS });
    const { quality = NaN } = exported?.parity.largestDifference ?? {};
    expect(quality).toBeGreaterThan(1e-7); // it is rounded
    expect(quality).toBeLessThanOrEqual(TOLERANCES[dtype].quality);
  });

  it.each([
    ["openai", "openai: this model is a SigLIP"],
    ["hub", "hub: transformers' CLIPModel has CLIP's vision transformers alone, and this model is a SigLIP"],
  ])("as %s are refused by name", async (format, message) => {
    const refused = exportModel(weights, { format, out: temporaryFolder(), prompts: PROMPTS });
    await expect(refused).rejects.toThrow(message);
  });
});

/** A config with other values of its keys, or of those of its parts. */
function changed(config: Readonly<Record<string, unknown>>, change: Readonly<Record<string, unknown>>) {
  const parts = Object.entries(change).map(([key, value]) => {
    return [key, typeof value === "object" ? { ...(config[key] as object), ...value } : value] as const; // a part in both
  });
  return { ...config, ...Object.fromEntries(parts) };
}

describe("weights of a SigLIP", () => {
  it("are inspected with the sources of what shapes do not tell", async () => {
    const report = await inspectWeights(weights);
    expect(report.architecture.vision).toMatchObject({ kind: "siglip", heads: 2, activation: "gelu-tanh", window: 48 });
    expect(report.architecture.text).toMatchObject({ kind: "siglip", contextLength: 64, vocabulary: 60 });
    expect(report).toMatchObject({ naming: "Hugging Face", assumed: [], tokenizer: "spiece.model" });
    expect(report.sources["vision.activation"]).toBe("config.json: vision_config.hidden_act");
    expect(report.sources["pixels"]).toBe("preprocessor_config.json: image_mean");
  });

  it("whose last pixels no patch covers read a window without them", async () => {
    const report = await inspectWeights(await writeFamily(temporaryFolder(), family("SigLIP so400m/14")));
    expect(report.architecture.vision.window).toBe(56);
  });

  it("without a tokenizer beside them are inspected, and refused for scoring", async () => {
    const file = join(temporaryFolder(), "bare.safetensors");
    copyFileSync(weights, file);
    const { tokenizer, assumed, architecture } = await inspectWeights(file);
    expect({ tokenizer, assumed }).toEqual({
      tokenizer: null,
      assumed: ["vision.heads", "vision.activation", "text.heads", "text.activation", "pixels"],
    });
    expect(architecture.vision.activation).toBe("gelu-tanh");
    await expect(openWeights(file)).rejects.toThrow(
      "bare.safetensors: is a SigLIP, whose tokenizer is not beside it; put spiece.model or tokenizer.json",
    );
  });

  it.each([
    [
      "of variable resolution",
      { model_type: "siglip2" },
      'model_type is "siglip2", a SigLIP 2 of variable resolution (NaFlex)',
    ],
    ["of another class", { model_type: "clip" }, 'model_type is "clip", which is not computed here ("siglip" is)'],
    [
      "with another activation",
      { text_config: { hidden_act: "relu" } },
      "quick_gelu, gelu, gelu_pytorch_tanh are computed",
    ],
    ["with another norm", { vision_config: { layer_norm_eps: 1e-5 } }, "vision_config.layer_norm_eps is 0.00001"],
    ["without its pooling", { vision_config: { vision_use_head: false } }, "vision_config.vision_use_head is false"],
    ["of another window", { vision_config: { image_size: 96 } }, "vision.window is 96 by config.json"],
    ["with other heads", { vision_config: { num_attention_heads: 3 } }, "width 128 does not split into 3 heads"],
  ])("%s are refused by name", async (_, change, message) => {
    const file = await writeFamily(temporaryFolder(), PLAIN, (name, config) =>
      name === "config.json" ? changed(config, change) : config,
    );
    await expect(openWeights(file)).rejects.toThrow(message);
    await expect(openWeights(file)).rejects.toThrow(CheckpointError);
  });

  it("of variable resolution are refused by their tensors", async () => {
    const shapes = { ...PLAIN.shapes, "vision_model.embeddings.patch_embedding.weight": [128, 768] };
    const file = await writeFamily(temporaryFolder(), { ...PLAIN, shapes }, () => null);
    await expect(inspectWeights(file)).rejects.toThrow("this is a SigLIP 2 of variable resolution (NaFlex)");
  });

  it("with a prompt too long for them are refused, naming it", async () => {
    const long = join(temporaryFolder(), "long.yaml");
    writeFileSync(long, `template: "${"words and ".repeat(30)} {quality} quality"\n`);
    const scored = () => predict(photo, { checkpoint: weights, prompts: long }).next();
    await expect(scored()).rejects.toThrow(ConfigError);
    await expect(scored()).rejects.toThrow(/"words and .*" has \d+ tokens, the text tower takes 64/);
  });

  it("are converted to another window with their tokenizer, but not beside another one", async () => {
    const folder = temporaryFolder();
    const out = join(folder, "larger.safetensors");
    const options = { imageSize: 64, report: () => undefined };
    await convertWeights(weights, out, options);
    const { architecture, parameters, tokenizer, assumed } = await loadParameters(out);
    expect(architecture.vision.imageSize).toBe(64);
    expect(assumed).toEqual([]);
    expect(parameters.get("visual.positional_embedding")?.shape).toEqual([16, 128]);
    expect(tokenizer?.files.has("spiece.model")).toBe(true);
    writeFileSync(join(folder, "spiece.model"), "another");
    await expect(convertWeights(weights, out, options)).rejects.toThrow(
      "spiece.model of another tokenizer is beside it",
    );
  });
});
