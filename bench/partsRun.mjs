/**
 * One measurement of bench.mjs: parts of a step of ViT-B/32, with weights and pixels of pytorch/step.py's folder. Its
 * arguments are the folder and JSON: { part: "vision" | "optimizer", crops, steps, engine }. `vision` is the image tower
 * forward and backward, of Σ features · weights; `optimizer` is AdamW over all parameters. Its last line is JSON:
 * { seconds, of each step; norm, of the gradients or of the image tower's change; peakBytes }.
 */
import path from "node:path";
import { performance } from "node:perf_hooks";
import { startEngine } from "../dist/engine/engine.js";
import * as tf from "../dist/engine/tf.js";
import { PRESETS } from "../dist/model/architecture/presets.js";
import { LiqeModel } from "../dist/model/liqe.js";
import { initialParameters } from "../dist/model/parameters/initialize.js";
import { promptGrid } from "../dist/model/prompts/promptGrid.js";
import { patchBatches } from "../dist/model/vision/patches.js";
import { readSafetensors } from "../dist/model/weights/safetensors.js";
import { cachedGradients } from "../dist/train/gradientCache.js";
import { createOptimizer } from "../dist/train/optimizer/createOptimizer.js";

const [folder, argument] = process.argv.slice(2);
const { part, crops, steps, engine = {} } = JSON.parse(argument);
const GRADIENT = 1e-3;
const LEARNING_RATE = 5e-6;

await startEngine("native", { threads: "auto" });
const model = new LiqeModel(initialParameters(PRESETS["vit-b-32"], 1), promptGrid());
const { optimizer, trained, compiled } = createOptimizer(
  model,
  {
    train: { freeze: part === "vision" ? ["text"] : [], layerDecay: 1, weightDecay: 1e-3, emaDecay: null },
    engine: { compile: "auto", precision: "float32", ...engine },
  },
  null,
);
const result = part === "vision" ? await vision() : await adam();
console.log(JSON.stringify({ ...result, peakBytes: process.resourceUsage().maxRSS * 1024 }));

async function vision() {
  const inputs = await readSafetensors(path.join(folder, "inputs.safetensors"));
  const pixels = Uint8Array.from(inputs.get("pixels").values).subarray(0, crops * model.cropSize);
  const towers = {
    ...{ model, recompute: "never", runner: compiled.runner, weights: compiled.values },
    trained,
  };
  const seconds = [];
  let norm = NaN;
  const memory = new Float32Array(pixels.length);
  const ramp = tf.tidy(() => tf.reshape(tf.sin(tf.range(0, crops * 512)), [crops, 512]));
  for (let step = 0; step < steps; step++) {
    const pieces = patchBatches(pixels, model.architecture.vision, { size: crops, memory });
    const started = performance.now();
    const loss = ({ crops: features }, [weights]) => ({
      value: tf.sum(tf.mul(features, weights)),
      aux: tf.tensor1d([]),
    });
    const found = await cachedGradients(towers, pieces, { name: "vision", inputs: [ramp], loss });
    [norm] = (await found.measured.data()).slice(-1);
    seconds.push((performance.now() - started) / 1000);
    tf.dispose([found.measured, ...found.gradients.values(), ...pieces.map(({ patches }) => patches)]);
  }
  return { seconds, norm };
}

async function adam() {
  const names = trained.filter((name) => name.startsWith("visual.")); // of the text, PyTorch trains unused rows too
  const before = new Map(names.map((name) => [name, compiled.values.toArray(name)]));
  const gradients = new Map([...model.parameters.variables].filter(([name]) => trained.includes(name)).map(([name, { shape }]) => [name, tf.fill(shape, GRADIENT)])); // prettier-ignore
  const seconds = [];
  for (let step = 0; step < steps; step++) {
    const started = performance.now();
    optimizer.apply(gradients, LEARNING_RATE);
    seconds.push((performance.now() - started) / 1000);
  }
  let squares = 0;
  for (const [name, values] of before) {
    compiled.values.toArray(name).forEach((value, i) => (squares += (value - values[i]) ** 2));
  }
  return { seconds, norm: Math.sqrt(squares) };
}
