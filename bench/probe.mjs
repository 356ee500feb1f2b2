/**
 * Time of a linear probe's epoch from kept features, beside what encoding the same windows takes: ViT-B/32 from random
 * weights, by default.
 *
 *     npm run build && node bench/probe.mjs [--preset vit-b-32] [--images 32] [--steps 4]
 *
 * An epoch is its steps, of 16 images x 3 windows each, and the validation of 8 images x 15 windows, as a run computes
 * them after `prepare`. Without features it would encode as many windows: these are encoded in batches of a step.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { parseConfig } from "../dist/api/config.js";
import { SILENT } from "../dist/base/types.js";
import { openDatabases } from "../dist/data/openDatabases.js";
import { startEngine } from "../dist/engine/engine.js";
import { presetArchitecture } from "../dist/model/architecture/presets.js";
import { initialParameters } from "../dist/model/parameters/initialize.js";
import { randomBase } from "../dist/train/checkpoint/adapter.js";
import { resolvePlan } from "../dist/train/run.js";
import { Trainer } from "../dist/train/trainer.js";
import { validateRun } from "../dist/train/validate.js";

const SIDE = { width: 512, height: 384 };
const [CROPS, VAL_IMAGES, WINDOWS, IMAGES_PER_STEP] = [3, 8, 15, 16];
const EPOCHS = 5;
const WEIGHTS = { values: { quality: 1, scene: 1, distortion: 1 }, gradients: "ignored" };

const { values: options } = parseArgs({
  options: {
    preset: { type: "string", default: "vit-b-32" },
    images: { type: "string", default: "32" },
    steps: { type: "string", default: "4" },
  },
});
const steps = Number(options.steps);
const root = mkdtempSync(path.join(tmpdir(), "liqe-bench-"));
try {
  await startEngine("native");
  await makeDatabase();
  const run = await plan();
  const validate = (model, features) => validateRun(model, run, { features });
  const seen = { format: 1, training: [], validation: [] }; // features are kept where a run keeps a record
  await measure(await Trainer.open(run, { checkpoint: null, seen, validate, logs: silentLogs() }));
} finally {
  rmSync(root, { recursive: true });
}

async function measure(trainer) {
  const prepared = await secondsOf(() => trainer.prepare({ aborted: false }));
  const epoch = async (epoch) => {
    for (let step = 0; step < steps; step++) {
      await trainer.step({ position: { epoch, step }, weights: WEIGHTS, learningRate: 1e-3, maySkip: false });
    }
    await trainer.validate();
  };
  const first = await secondsOf(() => epoch(0));
  const others = [];
  for (let i = 1; i < EPOCHS; i++) others.push(await secondsOf(() => epoch(i)));
  const windows = steps * IMAGES_PER_STEP * CROPS + VAL_IMAGES * WINDOWS;
  const encoding = await secondsOf(async () => {
    for (let left = windows; left > 0; left -= IMAGES_PER_STEP * CROPS) {
      const crops = Math.min(left, IMAGES_PER_STEP * CROPS);
      const features = await trainer.model.imageFeaturesLater(new Uint8Array(crops * trainer.model.cropSize));
      features.dataSync();
      features.dispose();
    }
  });
  const slowest = Math.max(...others);
  console.log(
    `${options.preset}: features of all images once ${prepared.toFixed(1)} s, first epoch ${first.toFixed(3)} s`,
  );
  console.log(`epochs after it ${others.map((one) => one.toFixed(3)).join(", ")} s`);
  console.log(`encoding an epoch's ${windows} windows ${encoding.toFixed(1)} s: ${(encoding / slowest).toFixed(0)} times the slowest`); // prettier-ignore
  await trainer.close();
}

async function secondsOf(work) {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

function silentLogs() {
  const nothing = () => Promise.resolve();
  const bytes = { metrics: 0, events: 0 };
  return { bytes, firstBatch: nothing, step: nothing, skipped: nothing, diagnosis: nothing, epoch: nothing, sync: nothing, close: nothing }; // prettier-ignore
}

async function plan() {
  const yaml = `
run: bench
model: { preset: ${options.preset}, weights: none }
data: { root: ${root}, databases: [{ name: noise, imagesPerStep: ${IMAGES_PER_STEP} }] }
losses: { weighting: equal }
train: { tune: probe, epochs: ${EPOCHS}, stepsPerEpoch: ${steps}, cropsPerImage: ${CROPS} }
`;
  const config = parseConfig(yaml, "bench");
  const databases = await openDatabases(config.data, 1);
  const architecture = presetArchitecture(options.preset);
  const job = { folder: path.join(root, "run"), split: 1, config, databases, architecture };
  return resolvePlan(
    job,
    { engine: { backend: "native", threads: 2 }, peakFlopsPerSecond: 1e11, memoryBytes: 16e9 },
    {
      reporter: SILENT,
      initialWeights: () => Promise.resolve(initialParameters(architecture, config.seed)),
      initialBase: () => Promise.resolve(randomBase(options.preset, config.seed)),
      initialSeen: () => Promise.resolve(null),
      now: () => 0,
    },
  );
}

async function makeDatabase() {
  const folder = path.join(root, "noise");
  const lists = path.join(folder, "splits2", "1");
  mkdirSync(lists, { recursive: true });
  for (const [subset, count] of Object.entries({ train: Number(options.images), val: VAL_IMAGES, test: 2 })) {
    const lines = [];
    for (let i = 0; i < count; i++) {
      const background = { r: (37 * i) % 256, g: (91 * i) % 256, b: (17 * i) % 256 };
      await sharp({ create: { ...SIDE, channels: 3, background } }).jpeg().toFile(path.join(folder, `${subset}${i}.jpg`)); // prettier-ignore
      lines.push([`${subset}${i}.jpg`, i, "gaussian blur", "animal", "invalid", "invalid"].join("\t"));
    }
    writeFileSync(path.join(lists, `noise_${subset}_clip.txt`), `${lines.join("\n")}\n`);
  }
}
