/**
 * One evaluation for evaluation.mjs through ONNX Runtime: pictures decoded one after the other and scored by an export,
 * whose graph cuts the windows and has the prompts' features:
 *
 *     node evaluationOnnx.mjs FOLDER EXPORT IMAGES THREADS
 *
 * The last line is JSON: { seconds, qualities of the folder's pictures by name, peakBytes }.
 */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { performance } from "node:perf_hooks";
import * as ort from "onnxruntime-node";
import { loadImage } from "../dist/data/images/loadImage.js";

const [folder, exported, images, threads] = process.argv.slice(2);
const options = { intraOpNumThreads: Number(threads) };
const session = await ort.InferenceSession.create(path.join(exported, "model-image.onnx"), options);
const names = (await readdir(folder)).filter((name) => name.endsWith(".png"));
const qualities = {};

await score(names[0]); // allocates
const started = performance.now();
for (let i = 0; i < Number(images); i++) await score(names[i % names.length]);
const seconds = (performance.now() - started) / 1000;
console.log(JSON.stringify({ seconds, qualities, peakBytes: process.resourceUsage().maxRSS * 1024 }));

async function score(name) {
  const { pixels, rows, cols } = await loadImage(path.join(folder, name));
  const { quality } = await session.run({ image: new ort.Tensor("uint8", pixels, [rows, cols, 3]) });
  qualities[name] = quality.data[0];
}
