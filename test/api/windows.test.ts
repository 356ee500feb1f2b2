import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { checkData } from "../../src/api/checkData.js";
import { evaluate } from "../../src/api/evaluate/evaluate.js";
import { exportModel } from "../../src/api/exportModel.js";
import { predict, type PredictedImage, type Prediction } from "../../src/api/predict.js";
import { train } from "../../src/api/train/train.js";
import type { WorkEvent } from "../../src/api/work.js";
import { Liqe } from "../../src/inference/liqe.js";
import type { Architecture } from "../../src/model/architecture/architecture.js";
import { temporaryFolder, TOY_ARCHITECTURE, toyDatabase, toyWeights } from "../support/runs.js";

/** As ViT-L/14@336px: another window, and patches that do not divide 224. */
const LARGE: Architecture = {
  ...TOY_ARCHITECTURE,
  vision: { ...TOY_ARCHITECTURE.vision, imageSize: 336, patchSize: 48 },
};
const TEMPLATE = "a photo with {distortion} artifacts, which is of {quality} quality";

const weights = await toyWeights(LARGE);
const root = await toyDatabase({ rows: 400, cols: 360 });
const photo = join(root, "toys", "test0.png");
const configOf = (database: string) => ({
  run: "toys",
  model: { weights },
  data: { root: database, databases: [{ name: "toys", imagesPerStep: 4 }] },
  prompts: { template: TEMPLATE },
  augment: { contents: 1, versions: 2 },
  train: { epochs: 1, stepsPerEpoch: 2, cropsPerImage: 2, learningRate: 1e-3 },
  evaluate: { crops: 2, validationCrops: 1 },
});

function configFile(database: string): string {
  const file = join(database, "config.yaml");
  writeFileSync(file, JSON.stringify(configOf(database))); // JSON is YAML too
  return file;
}

async function one(options: Readonly<Record<string, unknown>>, file = photo): Promise<Prediction> {
  for await (const prediction of predict([file], { checkpoint: weights, ...options })) return prediction;
  throw new Error("nothing was predicted");
}

async function scored(options: Readonly<Record<string, unknown>> = {}, file = photo): Promise<PredictedImage> {
  const prediction = await one(options, file);
  if ("error" in prediction) throw new Error(prediction.error);
  return prediction;
}

describe("a model with windows of 336 pixels", () => {
  it("is trained, validated and evaluated on windows of its own", async () => {
    const { folder } = await train(configOf(root), { out: join(root, "run") });
    const lines = readFileSync(join(folder, "split-1", "metrics.jsonl"), "utf8")
      .trim()
      .split("\n");
    const steps = lines
      .map((line) => JSON.parse(line) as { kind: string; loss: number })
      .filter(({ kind }) => kind === "step");
    expect(steps).toHaveLength(2);
    expect(steps.every(({ loss }) => Number.isFinite(loss))).toBe(true);
    const { databases } = await evaluate(folder);
    expect(databases.map(({ images }) => images)).toEqual([6]);
    expect(Number.isFinite(databases[0]?.srcc.value)).toBe(true);
  });

  it("scores each image by windows of 336 at the protocol's strides, and draws heatmaps of them", async () => {
    const heatmap = temporaryFolder();
    const { windows, heatmap: drawn } = await scored({ heatmap });
    expect(windows.map(({ top, left }) => [top, left])).toEqual([0, 32, 64].map((top) => [top, 0]));
    expect(existsSync(drawn ?? "")).toBe(true);
  });

  it("refuses images below 336 pixels by that number, everywhere, and enlarges them on request", async () => {
    const smaller = await toyDatabase({ rows: 300, cols: 400 });
    const small = join(smaller, "toys", "test0.png");
    await expect(one({}, small)).resolves.toHaveProperty("error", expect.stringContaining("less than 336 on a side"));
    const { isEnlarged, windows } = await scored({ small: "resize" }, small);
    expect(isEnlarged).toBe(true);
    expect(windows).toHaveLength(4); // 448 x 336
    const training = train(configOf(smaller), { out: join(smaller, "run") });
    await expect(training).rejects.toThrow("400 x 300 pixels are less than 336 on a side");
  });

  it("scores the same as ONNX, TensorFlow.js and safetensors, whose manifests say 336", async () => {
    const out = temporaryFolder();
    const exported = await exportModel(weights, { format: ["safetensors", "onnx", "tfjs"], out });
    const folders = exported.map(({ folder }) => folder);
    for (const folder of folders) {
      const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as {
        preprocessing: { window: number };
      };
      expect(manifest.preprocessing.window).toBe(336);
      expect(readFileSync(join(folder, "README.md"), "utf8")).toContain("windows of 336 pixels");
    }
    const liqe = await Liqe.load((name) => readFile(join(folders[2] ?? "", name)));
    const { data, info } = await sharp(photo).raw().toBuffer({ resolveWithObject: true });
    const score = await liqe.score({ width: info.width, height: info.height, data });
    liqe.dispose();
    const own = await scored();
    expect(score.crops.map(({ width, height }) => [width, height])).toEqual(own.windows.map(() => [336, 336]));
    expect(score.quality).toBeCloseTo(own.quality, 3);
  });
});

describe("checkData", () => {
  it("finds images below the window of the config's weights", async () => {
    const { findings } = await checkData({
      config: configFile(await toyDatabase({ rows: 300, cols: 400 })),
      depth: "headers",
    });
    const small = findings.filter(({ kind }) => kind === "small");
    expect(small).toHaveLength(24);
    expect(small[0]?.message).toContain("less than 336 on a side");
  });

  it("goes on with the usual window where the weights cannot be read, and says so", async () => {
    const database = await toyDatabase({ rows: 300, cols: 400 });
    const broken = join(database, "broken.safetensors");
    writeFileSync(broken, "no weights");
    const file = join(database, "config.yaml");
    writeFileSync(file, JSON.stringify({ ...configOf(database), model: { weights: broken } }));
    const notes: string[] = [];
    const onProgress = (event: WorkEvent) => {
      if (event.kind === "note") notes.push(event.line);
    };
    const { findings } = await checkData({ config: file, depth: "headers", onProgress });
    expect(findings.filter(({ kind }) => kind === "small")).toEqual([]);
    expect(notes).toEqual([expect.stringMatching(/windows of 224 pixels, as the weights cannot say theirs: .*broken/)]);
  });
});
