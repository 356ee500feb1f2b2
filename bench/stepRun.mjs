/**
 * One measurement of bench.mjs and memory.mjs: training steps of a network from random weights on random pixels. Its
 * argument is JSON: { preset, images, crops, microBatch, recompute, steps, engine: { compile, precision }, average }, `lora`,
 * { rank, alpha, dropout }, to train adapters alone, and `gradients`, a file, to write those instead. Its last line is JSON:
 * { seconds and cpuSeconds, of each step; peakBytes, resident; tensors, after each step; losses; norm, of the first step;
 * flops, of a step; checkpointBytes, of what is trained and its moments }.
 */
import { performance } from "node:perf_hooks";
import { seededRandom } from "../dist/base/random.js";
import { startEngine } from "../dist/engine/engine.js";
import * as tf from "../dist/engine/tf.js";
import { LossesConfig } from "../dist/losses/config.js";
import { batchTargets, disposeTargets } from "../dist/losses/targets.js";
import { PRESETS } from "../dist/model/architecture/presets.js";
import { LiqeModel } from "../dist/model/liqe.js";
import { adapterShapes, initialAdapters } from "../dist/model/parameters/lora.js";
import { initialParameters } from "../dist/model/parameters/initialize.js";
import { axisLabels, promptGrid } from "../dist/model/prompts/promptGrid.js";
import { patchBatches } from "../dist/model/vision/patches.js";
import { stepFlops } from "../dist/train/cost/stepFlops.js";
import { cachedGradients } from "../dist/train/gradientCache.js";
import { createOptimizer } from "../dist/train/optimizer/createOptimizer.js";
import { lossHead, trainStep } from "../dist/train/step.js";
import { saveTensors } from "./measure.mjs";

const TASK_WEIGHTS = { values: { quality: 1, scene: 1, distortion: 1 }, gradients: "ignored" };
const LEARNING_RATE = 5e-6;

const { preset, images, crops, microBatch, recompute, steps, gradients, engine, average, threads, lora } = {
  recompute: "never",
  engine: {},
  threads: "auto",
  lora: null,
  ...JSON.parse(process.argv[2]),
};
await startEngine("native", { threads });
const random = seededRandom(1, "bench", "memory");
const grid = promptGrid();
const model = new LiqeModel(firstWeights(), grid, { loraAlpha: lora?.alpha });
const pixels = Uint8Array.from({ length: images * crops * model.cropSize }, () => random.integer(256));
const labels = randomLabels();
const { optimizer, averages, trained, compiled } = createOptimizer(
  model,
  {
    train: { ...tuning(), freeze: [], layerDecay: 1, weightDecay: 1e-3, emaDecay: average ? 0.999 : null },
    engine: { compile: "auto", precision: "float32", ...engine },
  },
  null,
);
const towers = { model, trained, recompute, runner: compiled?.runner, weights: compiled?.values };
const context = { ...towers, optimizer, logitScale: model.logitScale(), clipNorm: null };
const memory = new Float32Array(pixels.length);

const result = gradients === undefined ? await train() : await writeGradients();
console.log(JSON.stringify({ ...result, peakBytes: process.resourceUsage().maxRSS * 1024 }));

async function train() {
  const freeze = [];
  const network = { architecture: model.architecture, tree: model.promptTree };
  const shape = { images, crops: images * crops, microBatch, recompute, freeze, tune: lora === null ? "all" : "lora" };
  const { total } = stepFlops(network, shape);
  const measured = { seconds: [], cpuSeconds: [], tensors: [], losses: [], norm: NaN, flops: total };
  for (let step = 0; step < steps; step++) {
    const started = performance.now();
    const cpu = process.cpuUsage();
    const input = inputs();
    const { loss, gradientNorm } = await trainStep(context, {
      ...input,
      taskWeights: TASK_WEIGHTS,
      learningRate: LEARNING_RATE,
      dropout: lora?.dropout > 0 ? { rate: lora.dropout, key: step } : null,
    });
    averages?.update(optimizer.step, 1);
    free(input);
    const { user, system } = process.cpuUsage(cpu);
    measured.seconds.push((performance.now() - started) / 1000);
    measured.cpuSeconds.push((user + system) / 1e6);
    measured.tensors.push(tf.memory().numTensors);
    measured.losses.push(loss);
    if (step === 0) measured.norm = gradientNorm;
  }
  return { ...measured, checkpointBytes: checkpointBytes() };
}

/** Random weights, adapters of all blocks among them where those are trained. */
function firstWeights() {
  const weights = initialParameters(PRESETS[preset], 1);
  if (lora === null) return weights;
  const shapes = new Map([...weights].map(([name, { shape }]) => [name, shape]));
  return new Map([
    ...weights,
    ...initialAdapters(
      adapterShapes(shapes, lora.rank, () => true),
      1,
    ),
  ]);
}

function tuning() {
  if (lora === null) return { tune: "all" };
  return {
    tune: "lora",
    lora: { ...lora, layers: ["vision.blocks", "text.blocks"], parts: ["attention", "feed-forward"] },
  };
}

/** Bytes of what is trained and of its two moments. */
function checkpointBytes() {
  return 3 * 4 * trained.reduce((sum, name) => sum + model.parameters.read(name).size, 0);
}

async function writeGradients() {
  const started = performance.now();
  const input = inputs();
  const weights = tf.ones([grid.axes.length]);
  const head = lossHead(context, input.targets, TASK_WEIGHTS, weights);
  const found = await cachedGradients(towers, input.crops, head);
  const arrays = new Map();
  for (const [name, gradient] of found.gradients) {
    arrays.set(name, { shape: gradient.shape, values: Float32Array.from(gradient.dataSync()) });
  }
  const seconds = (performance.now() - started) / 1000;
  const norm = (await found.measured.data()).at(-1);
  await saveTensors(gradients, arrays);
  return { seconds: [seconds], norm };
}

function inputs() {
  const targets = batchTargets(labels, grid.axes, LossesConfig.parse({}));
  return { targets, crops: patchBatches(pixels, model.architecture.vision, { size: microBatch, memory }) };
}

function free({ targets, crops: pieces }) {
  disposeTargets(targets);
  tf.dispose(pieces.map(({ patches }) => patches));
}

/** Of four images a database, as the paper's smallest databases have them in a step. */
function randomLabels() {
  const [scenes, distortions] = ["scene", "distortion"].map((axis) => axisLabels(grid, axis).length);
  const any = (length, most) => Array.from({ length }, () => random.integer(most));
  const databases = Array.from({ length: Math.ceil(images / 4) }, (_, i) => ({
    name: `database ${i}`,
    images: Math.min(4, images - 4 * i),
  }));
  return {
    mos: Float32Array.from({ length: images }, () => 5 * random.uniform()),
    mosStd: new Array(images).fill(1),
    scenes: Float32Array.from(
      any(images, scenes).flatMap((one) => Array.from({ length: scenes }, (_, i) => +(i === one))),
    ),
    distortions: Int32Array.from(any(images, distortions)),
    databases,
  };
}
