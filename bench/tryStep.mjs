import { performance } from "node:perf_hooks";
import { seededRandom } from "../dist/base/random.js";
import { startEngine } from "../dist/engine/engine.js";
import * as tf from "../dist/engine/tf.js";
import { batchTargets, disposeTargets } from "../dist/losses/targets.js";
import { LossesConfig } from "../dist/losses/config.js";
import { initialParameters } from "../dist/model/parameters/initialize.js";
import { LiqeModel } from "../dist/model/liqe.js";
import { PRESETS } from "../dist/model/architecture/presets.js";
import { axisLabels, promptGrid } from "../dist/model/prompts/promptGrid.js";
import { patchBatches } from "../dist/model/vision/patches.js";
import { createOptimizer } from "../dist/train/optimizer/createOptimizer.js";
import { trainStep } from "../dist/train/step.js";
const [preset, images, crops, micro, mode, steps, recompute = "never", ema = ""] = process.argv.slice(2);
await startEngine("native");
const random = seededRandom(1, "bench", "memory");
const grid = promptGrid();
const model = new LiqeModel(initialParameters(PRESETS[preset], 1), grid);
const pixels = Uint8Array.from({ length: images * crops * model.cropSize }, () => random.integer(256));
const [scenes, distortions] = ["scene", "distortion"].map((axis) => axisLabels(grid, axis).length);
const any = (length, most) => Array.from({ length }, () => random.integer(most));
const labels = { mos: Float32Array.from({ length: +images }, () => 5 * random.uniform()), mosStd: new Array(+images).fill(1),
  scenes: Float32Array.from(any(+images, scenes).flatMap((one) => Array.from({ length: scenes }, (_, i) => +(i === one)))),
  distortions: Int32Array.from(any(+images, distortions)),
  databases: Array.from({ length: Math.ceil(images / 4) }, (_, i) => ({ name: `d${i}`, images: Math.min(4, images - 4 * i) })) };
const engine = { compile: mode === "eager" ? "never" : "auto", precision: mode === "bf16" ? "bfloat16" : "float32" };
const train = { freeze: [], layerDecay: 1, weightDecay: 1e-3, emaDecay: ema ? 0.99 : null };
const { optimizer, averages, trained, compiled } = createOptimizer(model, { train, engine }, null);
const context = { model, optimizer, trained, logitScale: model.logitScale(), clipNorm: 1, recompute, ...(compiled ? { runner: compiled.runner, weights: compiled.values } : {}) };
const out = [];
for (let i = 0; i < steps; i++) {
  const t = performance.now(), cpu = process.cpuUsage();
  const targets = batchTargets(labels, grid.axes, LossesConfig.parse({}));
  const batches = patchBatches(pixels, model.architecture.vision, { size: +micro });
  const r = await trainStep(context, { crops: batches, targets, taskWeights: { values: { quality: 1, scene: 1, distortion: 1 }, gradients: "ignored" }, learningRate: 1e-4 });
  averages?.update(optimizer.step, 1);
  disposeTargets(targets); tf.dispose(batches.map((b) => b.patches));
  const { user, system } = process.cpuUsage(cpu);
  out.push(performance.now() - t);
  console.log(i, (performance.now() - t).toFixed(0), "ms", ((user + system) / 10 / (performance.now() - t)).toFixed(0), "%", r.loss.toPrecision(9), r.gradientNorm.toPrecision(9), tf.memory().numTensors);
}
let sum = 0;
const look = () => { for (const [, v] of model.parameters.variables) for (const x of v.dataSync()) sum += Math.abs(x); };
if (compiled) await compiled.values.during(model.parameters.variables, look); else look();
console.log(mode, "median", out.slice(1).toSorted((a, b) => a - b)[Math.floor((out.length - 1) / 2)].toFixed(0), "rss", (process.resourceUsage().maxRSS / 1e6).toFixed(2), "sum", sum);
