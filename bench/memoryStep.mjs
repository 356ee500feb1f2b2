/**
 * One measurement for memory.mjs: training steps of a network from random weights on random pixels. Its argument is
 * JSON: { preset, images, crops, microBatch, recompute, steps }, and `gradients`, a file, to write those instead.
 * Its last line is JSON: { seconds, of each step; peakBytes, resident; tensors, after each step; norm, of the first }.
 */
import { performance } from "node:perf_hooks";
import { seededRandom } from "../dist/base/random.js";
import { startEngine } from "../dist/engine/engine.js";
import * as tf from "../dist/engine/tf.js";
import { batchTargets } from "../dist/losses/targets.js";
import { LossesConfig } from "../dist/losses/config.js";
import { multitaskLoss } from "../dist/losses/multitaskLoss.js";
import { initialParameters } from "../dist/model/parameters/initialize.js";
import { imageLogits } from "../dist/model/scorer.js";
import { LiqeModel } from "../dist/model/liqe.js";
import { PRESETS } from "../dist/model/architecture/presets.js";
import { axisLabels, promptGrid } from "../dist/model/prompts/promptGrid.js";
import { AdamW } from "../dist/train/optimizer/adamw.js";
import { cachedGradients } from "../dist/train/gradientCache.js";
import { trainStep } from "../dist/train/step.js";
import { saveTensors } from "./measure.mjs";

const WEIGHTS = { values: { quality: 1, scene: 1, distortion: 1 }, gradients: "ignored" };
const LEARNING_RATE = 5e-6;

const { preset, images, crops, microBatch, recompute, steps, gradients } = JSON.parse(process.argv[2]);
await startEngine("native");
const random = seededRandom(1, "bench", "memory");
const grid = promptGrid();
const model = new LiqeModel(initialParameters(PRESETS[preset], 1), grid);
const trained = [...model.parameters.variables.keys()].filter((name) => name !== "logit_scale");
const pixels = Uint8Array.from({ length: images * crops * model.cropSize }, () => random.integer(256));
const targets = batchTargets(labels(), grid.axes, LossesConfig.parse({}));
const logitScale = model.logitScale();

const result = gradients === undefined ? train() : await writeGradients();
console.log(JSON.stringify({ ...result, peakBytes: process.resourceUsage().maxRSS * 1024 }));

function train() {
  const variables = new Map([...model.parameters.variables].filter(([name]) => trained.includes(name)));
  const optimizer = new AdamW(variables, { weightDecay: 1e-3 });
  const trainer = { model, optimizer, trained, logitScale, clipNorm: null, microBatch, recompute };
  const measured = { seconds: [], tensors: [], norm: NaN };
  for (let step = 0; step < steps; step++) {
    const started = performance.now();
    const { gradientNorm } = trainStep(trainer, { pixels, targets, taskWeights: WEIGHTS, learningRate: LEARNING_RATE });
    measured.seconds.push((performance.now() - started) / 1000);
    measured.tensors.push(tf.memory().numTensors);
    if (step === 0) measured.norm = gradientNorm;
  }
  return measured;
}

async function writeGradients() {
  const started = performance.now();
  const found = new Map();
  tf.tidy(() => {
    const head = ({ crops, text }) =>
      multitaskLoss(imageLogits(crops, text, images, logitScale), targets, tf.ones([grid.axes.length])).total;
    const { gradients: byName } = cachedGradients({ model, trained, recompute }, pieces(), head);
    for (const [name, gradient] of byName) {
      found.set(name, { shape: gradient.shape, values: Float32Array.from(gradient.dataSync()) });
      gradient.dispose();
    }
  });
  const seconds = (performance.now() - started) / 1000;
  await saveTensors(gradients, found);
  const squares = [...found.values()].map(({ values }) => values.reduce((sum, value) => sum + value ** 2, 0));
  return { seconds: [seconds], norm: Math.sqrt(squares.reduce((sum, square) => sum + square, 0)) };
}

function pieces() {
  const size = microBatch * model.cropSize;
  return Array.from({ length: Math.ceil(pixels.length / size) }, (_, i) => {
    const piece = pixels.subarray(i * size, (i + 1) * size);
    return { patches: model.patches(piece), crops: piece.length / model.cropSize };
  });
}

/** Of four images a database, as the paper's smallest databases have them in a step. */
function labels() {
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
