/**
 * Memory and time that a checkpoint takes beside the training step: ViT-B/32 from random weights, all of it trained,
 * with averaged weights or without.
 *
 *     npm run build && node bench/checkpoint.mjs [--preset vit-b-32] [--images 4] [--average]
 *
 * Steps, a checkpoint, and a step after it, three times; the highest resident memory of the steps before the first
 * checkpoint stands beside the highest of all (Linux).
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { parseConfig } from "../dist/api/config.js";
import { SILENT } from "../dist/base/types.js";
import { openDatabases } from "../dist/data/openDatabases.js";
import { startEngine } from "../dist/engine/engine.js";
import { PRESETS } from "../dist/model/architecture/presets.js";
import { initialParameters } from "../dist/model/parameters/initialize.js";
import { RUN_START } from "../dist/train/progress.js";
import { resolvePlan } from "../dist/train/run.js";
import { Trainer } from "../dist/train/trainer.js";

const SIDE = 224;
const WEIGHTS = { values: { quality: 1, scene: 1, distortion: 1 }, gradients: "ignored" };

const { values: options } = parseArgs({
  options: {
    preset: { type: "string", default: "vit-b-32" },
    images: { type: "string", default: "4" },
    average: { type: "boolean", default: false },
  },
});
const architecture = PRESETS[options.preset];
const images = Number(options.images);
const root = mkdtempSync(path.join(tmpdir(), "liqe-bench-"));
try {
  await startEngine("native");
  await makeDatabase();
  await measure(await Trainer.open(await plan(), { checkpoint: null, seen: null, validate: () => null }));
} finally {
  rmSync(root, { recursive: true });
}

async function measure(trainer) {
  const step = (step) =>
    trainer.step({ position: { epoch: 0, step }, weights: WEIGHTS, learningRate: 5e-6, maySkip: false });
  for (let i = 0; i < 3; i++) await step(i);
  const before = peakGB();
  const seconds = [];
  for (let i = 3; i < 6; i++) {
    const started = performance.now();
    await trainer.save("last", RUN_START);
    seconds.push((performance.now() - started) / 1000);
    await step(i);
  }
  const after = peakGB();
  const shown = seconds.map((one) => one.toFixed(1)).join(", ");
  console.log(
    `steps ${before.toFixed(2)} GB, with checkpoints ${after.toFixed(2)} GB: ${(after - before).toFixed(2)} more; ${shown} s`,
  );
  await trainer.close();
}

/** The process's own highest; `resourceUsage` begins with that of the shell that started it. */
function peakGB() {
  return (1024 * Number(/VmHWM:\s*(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1])) / 1e9;
}

async function makeDatabase() {
  const lists = path.join(root, "gray", "splits2", "1");
  mkdirSync(lists, { recursive: true });
  const rows = Array.from({ length: images }, (_, i) => `${i}.png\t${i}\twhite noise\tanimal\tinvalid\tinvalid\n`);
  for (const subset of ["train", "val", "test"]) {
    writeFileSync(path.join(lists, `gray_${subset}_clip.txt`), rows.join(""));
  }
  for (let i = 0; i < images; i++) {
    const gray = { create: { width: SIDE, height: SIDE, channels: 3, background: { r: i, g: 128, b: 128 } } };
    await sharp(gray)
      .png()
      .toFile(path.join(root, "gray", `${i}.png`));
  }
}

async function plan() {
  const config = parseConfig(
    JSON.stringify({
      run: "bench",
      model: { preset: options.preset, weights: "none" },
      data: { root, databases: [{ name: "gray", imagesPerStep: images }] },
      train: { stepsPerEpoch: 6, cropsPerImage: 1, ...(options.average && { emaDecay: 0.99 }) },
    }),
    "bench",
  );
  const folder = path.join(root, "run");
  mkdirSync(folder);
  const databases = await openDatabases(config.data, 1);
  const engine = { backend: "native", threads: 2 };
  const machine = { engine, peakFlopsPerSecond: 1e11, memoryBytes: 2 ** 36 };
  const ports = { reporter: SILENT, initialWeights: async () => initialParameters(architecture, 1), now: () => 0 };
  return resolvePlan({ folder, split: 1, config, databases, architecture }, machine, ports);
}
