/**
 * One evaluation for evaluation.mjs, on random weights, through `predictSamples` as the command has it:
 *
 *     node evaluationRun.mjs FOLDER MODE PRESET IMAGES CROPS THREADS
 *
 * IMAGES may be more than the folder holds: they come again. MODE is `speed`, which warms up and writes the features of
 * the first crops, `bfloat16`, the same with products in bfloat16, or `memory`. The last line is JSON: { seconds,
 * qualities of the folder's pictures by name, peakBytes }.
 */
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { DEFAULT_IMAGE_OPTIONS } from "../dist/data/images/loadImage.js";
import { startEngine } from "../dist/engine/engine.js";
import { predictSamples } from "../dist/evaluate/scoring/predictions.js";
import { EVALUATION_BATCH } from "../dist/evaluate/scoring/scoreImages.js";
import { initialParameters } from "../dist/model/parameters/initialize.js";
import { PUBLISHED_LABELS } from "../dist/model/prompts/labels.js";
import { LiqeModel } from "../dist/model/liqe.js";
import { PRESETS } from "../dist/model/architecture/presets.js";
import { promptGrid, PUBLISHED_TEMPLATE } from "../dist/model/prompts/promptGrid.js";
import { ModelScorer } from "../dist/model/scorer.js";
import { saveTensors } from "./measure.mjs";

const [folder, mode, preset, images, crops, threads] = process.argv.slice(2);
await startEngine("native", { threads: Number(threads) });
const grid = promptGrid(PUBLISHED_TEMPLATE, PUBLISHED_LABELS);
const weights = initialParameters(PRESETS[preset], 1);
const model = new LiqeModel(weights, grid, { precision: mode === "bfloat16" ? "bfloat16" : "float32" });
const scorer = new ModelScorer(model);
const labels = { scenes: PUBLISHED_LABELS.scenes, distortions: Object.keys(PUBLISHED_LABELS.distortions) };
const scoring = {
  ...{ crops: Number(crops), microBatch: EVALUATION_BATCH, order: "name" },
  ...{ images: DEFAULT_IMAGE_OPTIONS, labels },
};

const names = (await readdir(folder)).filter((name) => name.endsWith(".png"));
const samples = Array.from({ length: Number(images) }, (_, i) => {
  const image = names[i % names.length];
  const facts = { database: "bench", folder, mosStd: null, distortion: 0, scenes: [0], list: "bench", line: i + 1 };
  return { image, file: path.join(folder, image), mos: i, ...facts };
});

if (mode !== "memory") {
  await evaluated(samples.slice(0, Math.ceil((4 * EVALUATION_BATCH) / Number(crops)))); // encodes the prompts as well
  if (mode === "speed") await saveFeatures(Math.min(8, Number(images) * Number(crops)));
}
const started = performance.now();
const predictions = await evaluated(samples);
const seconds = (performance.now() - started) / 1000;
const qualities = Object.fromEntries(predictions.map(({ image, quality }) => [image, quality]));
console.log(JSON.stringify({ seconds, qualities, peakBytes: process.resourceUsage().maxRSS * 1024 }));

async function evaluated(some) {
  const { predictions, failed } = await predictSamples(some, scorer, scoring);
  if (failed.length > 0 || predictions.length !== some.length)
    throw new Error(failed[0]?.error ?? "images are missing");
  return predictions;
}

async function saveFeatures(count) {
  const pixels = new Uint8Array(await readFile(path.join(folder, "crops.u8"))).subarray(0, count * model.cropSize);
  const features = model.imageFeatures(pixels);
  const saved = { shape: features.shape, values: Float32Array.from(features.dataSync()) };
  await saveTensors(path.join(folder, "features-ours.safetensors"), new Map([["features", saved]]));
  features.dispose();
}
