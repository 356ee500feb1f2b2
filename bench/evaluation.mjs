/**
 * Evaluation as `liqe evaluate` does it (files decoded, windows cut, crops through ViT-B/32, compared with 495 prompts,
 * judged) beside its ONNX export in ONNX Runtime, on the same files, and the bare image tower in PyTorch on the same crops,
 * which it gets ready in memory as normalized floats. Random weights, two threads each; they take turns.
 *
 *     npm run build && node bench/evaluation.mjs [--python PYTHON] [--images 4] [--runs 3] [--batch N] [--json]
 *     npm run build && node bench/evaluation.mjs --memory 100,1000,3000
 *
 * PYTHON has torch and safetensors. Each measurement is a process of its own. `--memory` evaluates that many images of
 * one crop with vit-tiny instead, and shows the process's highest resident memory.
 */
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { seededRandom } from "../dist/base/random.js";
import { evaluationCrops } from "../dist/model/preprocess/crops.js";
import { loadImage } from "../dist/data/images/loadImage.js";
import { initialParameters } from "../dist/model/parameters/initialize.js";
import { PRESETS } from "../dist/model/architecture/presets.js";
import { readSafetensors } from "../dist/model/weights/safetensors.js";
import { halvesProducts, largestDifference, measure, median, saveTensors, table } from "./measure.mjs";

const THREADS = "2";
const CROPS = 15;
/** Crops at once that PyTorch tries, once each, where `--batch` names none; the fastest is kept. */
const BATCHES = [16, 32, 64];

/** Largest difference of two scores of one picture. */
const SAME_SCORE = 1e-3;

const { values: options } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    images: { type: "string", default: "4" },
    runs: { type: "string", default: "3" },
    batch: { type: "string" },
    memory: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const here = (name) => new URL(name, import.meta.url).pathname;

const folder = await mkdtemp(path.join(tmpdir(), "liqe-bench-"));
try {
  if (options.memory === undefined) await compareSpeed(Number(options.images));
  else await showMemory(options.memory.split(",").map(Number));
} finally {
  await rm(folder, { recursive: true });
}

async function compareSpeed(images) {
  const files = await writePictures(images, 512, 384);
  const crops = [];
  for (const file of files) crops.push(evaluationCrops(await loadImage(file), CROPS));
  await writeFile(path.join(folder, "crops.u8"), Buffer.concat(crops));
  const weights = initialParameters(PRESETS["vit-b-32"], 1);
  const tower = [...weights].filter(([name]) => name.startsWith("visual."));
  await saveTensors(path.join(folder, "weights.safetensors"), new Map(tower));
  await exportOnnx(weights);
  const hasBfloat16 = await halvesProducts(Number(THREADS));
  const batch = options.batch ?? (await bestBatch());
  const results = { ours: [], half: [], onnx: [], torch: [] };
  for (let run = 0; run < Number(options.runs); run++) {
    results.ours.push(await ours("speed", "vit-b-32", images, CROPS));
    if (hasBfloat16) results.half.push(await ours("bfloat16", "vit-b-32", images, CROPS));
    results.onnx.push(await onnx(images));
    results.torch.push(await torch(batch));
  }
  requireSameScores(results.ours[0].qualities, results.onnx[0].qualities);
  const [want, got] = await Promise.all(["torch", "ours"].map((name) => features(name)));
  const rates = (list) => list.map(({ seconds }) => (images * CROPS) / seconds);
  const speedOf = (list) => median(rates(list));
  const row = (name, list) => [name, ...rateCells(rates(list)), gigabytes(Math.max(...list.map((r) => r.peakBytes)))];
  const head = ["", "crops/s", "spread", "peak memory"];
  const half = hasBfloat16 ? [row("the same, bfloat16 products", results.half)] : [];
  const rows = [row("evaluation here", results.ours), ...half, row("the same through ONNX Runtime", results.onnx), row(`tower in PyTorch, ${batch} crops at once`, results.torch)]; // prettier-ignore
  const ratio = (a, b) => (speedOf(results[a]) / speedOf(results[b])).toFixed(2);
  const ofHalf = hasBfloat16 ? `; bfloat16 : float32 ${ratio("half", "ours")}` : "";
  const ratios = `ours : PyTorch's tower ${ratio("ours", "torch")}, ours : ONNX Runtime ${ratio("ours", "onnx")}${ofHalf}`;
  const note = `${images} images, ${images * CROPS} crops; largest difference of features ${largestDifference(got, want, false).toExponential(1)}; ${ratios}`;
  console.log(options.json ? JSON.stringify({ head, rows, note }) : `${table(head, rows)}\n${note}`);
}

/** Exports all weights as `liqe export` does. */
async function exportOnnx(weights) {
  const file = path.join(folder, "whole.safetensors");
  await saveTensors(file, weights);
  const args = ["export", "--checkpoint", file, "--format", "onnx", "--out", path.join(folder, "export"), "--quiet"];
  execFileSync(process.execPath, [here("../bin/liqe.js"), ...args], { stdio: "inherit" });
}

function requireSameScores(ours, others) {
  for (const [name, quality] of Object.entries(ours)) {
    if (Math.abs(others[name] - quality) < SAME_SCORE) continue;
    throw new Error(`${name}: ${quality} here, and ${others[name]} by ONNX Runtime`);
  }
}

async function bestBatch() {
  const tried = [];
  for (const batch of BATCHES) tried.push({ batch, seconds: (await torch(batch)).seconds });
  console.error(`PyTorch: ${tried.map(({ batch, seconds }) => `${batch} at once ${seconds.toFixed(1)} s`).join(", ")}`);
  return tried.sort((a, b) => a.seconds - b.seconds)[0].batch;
}

async function showMemory(counts) {
  await writePictures(20, 224, 224);
  const rows = [];
  for (const images of counts) {
    const { seconds, peakBytes } = await ours("memory", "vit-tiny", images, 1);
    rows.push([String(images), gigabytes(peakBytes), `${seconds.toFixed(0)} s`]);
  }
  console.log(table(["images", "peak memory", "time"], rows));
}

function ours(mode, preset, images, crops) {
  const args = [folder, mode, preset, String(images), String(crops), THREADS];
  return measure(process.execPath, [here("evaluationRun.mjs"), ...args]);
}

function onnx(images) {
  return measure(process.execPath, [here("evaluationOnnx.mjs"), folder, path.join(folder, "export", "onnx"), String(images), THREADS]); // prettier-ignore
}

function torch(batch) {
  return measure(options.python, [here("image_tower.py"), folder, String(batch), THREADS]);
}

function features(name) {
  return readSafetensors(path.join(folder, `features-${name}.safetensors`));
}

/** Coarse random patches under fine noise, as PNG. */
async function writePictures(count, width, height) {
  const files = [];
  for (let i = 0; i < count; i++) {
    const random = seededRandom(1, "bench", "picture", i);
    const patches = Uint8Array.from({ length: 9 * 7 * 3 }, () => random.integer(256));
    const raw = { width: 9, height: 7, channels: 3 };
    const file = path.join(folder, `${i}.png`);
    await sharp(patches, { raw }).resize(width, height, { fit: "fill", kernel: "cubic" }).png().toFile(file);
    files.push(file);
  }
  return files;
}

function rateCells(rates) {
  return [median(rates).toFixed(2), `${Math.min(...rates).toFixed(2)} to ${Math.max(...rates).toFixed(2)}`];
}

function gigabytes(bytes) {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}
