import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.js";
import * as tf from "../../src/engine/tf.js";
import { disposeTargets } from "../../src/losses/targets.js";
import { LiqeModel } from "../../src/model/liqe.js";
import { adapterShapes, isAdapter, mergeAdapters } from "../../src/model/parameters/lora.js";
import type { NamedArrays } from "../../src/model/parameters/parameters.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import { patchBatches } from "../../src/model/vision/patches.js";
import { loadParameters } from "../../src/model/weights/loadParameters.js";
import { cachedGradients } from "../../src/train/gradientCache.js";
import { lossHead } from "../../src/train/step.js";
import { goldenWeights } from "../support/golden.js";
import { CROPS, goldenPixels, goldenTargets } from "../support/goldenStep.js";
import { startTestEngine } from "../support/testEngine.js";
import { relativeError } from "../support/tensors.js";

await startTestEngine();

const { parameters } = await loadParameters(goldenWeights("weights-hf.safetensors"));
const RANK = 2;
const ALPHA = 6;
const MATRIX = "visual.transformer.resblocks.0.mlp.c_fc.weight";
const [DOWN, UP] = ["A", "B"].map((side) => `visual.transformer.resblocks.0.mlp.fc1.lora_${side}.weight`) as [
  string,
  string,
];

const random = seededRandom(5);
const shapes = new Map([...parameters].map(([name, { shape }]) => [name, shape]));
const adapters = [...adapterShapes(shapes, RANK, () => true)].map(([name, shape]) => {
  const size = shape.reduce((product, axis) => product * axis, 1);
  return [name, { shape, values: Float32Array.from({ length: size }, () => 0.05 * random.normal()) }] as const;
});

/** Gradients of the reference's losses by some parameters. */
async function gradientsOf(weights: NamedArrays, isTrained: (name: string) => boolean, microBatch: number) {
  const model = new LiqeModel(weights, promptGrid(), { loraAlpha: ALPHA });
  const trained = [...model.parameters.variables.keys()].filter(isTrained);
  const targets = goldenTargets(model);
  const crops = patchBatches(goldenPixels(), model.architecture.vision, { size: microBatch });
  const factors = tf.tensor1d([1, 1, 1]);
  const towers = { model, trained, recompute: "always" as const, logitScale: model.logitScale() };
  const head = lossHead(towers, targets, { values: {}, gradients: "ignored" }, factors);
  const { measured, gradients } = await cachedGradients(towers, crops, head);
  const found = new Map([...gradients].map(([name, gradient]) => [name, gradient.dataSync<"float32">().slice()]));
  disposeTargets(targets);
  tf.dispose([factors, measured, ...gradients.values(), ...crops.map(({ patches }) => patches)]);
  model.dispose();
  return found;
}

describe("gradients of adapters", () => {
  it("are those of their matrix, times alpha/rank and the other adapter: dA = s·Bᵀ·dW, dB = s·dW·Aᵀ", async () => {
    const adapted = new Map([...parameters, ...adapters]);
    const byAdapter = await gradientsOf(adapted, isAdapter, CROPS);
    const byMatrix = await gradientsOf(mergeAdapters(adapted, ALPHA), (name) => name === MATRIX, CROPS);
    const [rows = 0, columns = 0] = shapes.get(MATRIX) ?? [];
    const matrixOf = (name: string, shape: [number, number]) => tf.tensor2d(adapted.get(name)?.values ?? [], shape);
    const [down, up] = [matrixOf(DOWN, [RANK, columns]), matrixOf(UP, [rows, RANK])];
    const change = tf.tensor2d(byMatrix.get(MATRIX) ?? [], [rows, columns]);
    const byDown = tf.mul(tf.matMul(up, change, true, false), ALPHA / RANK).dataSync();
    const byUp = tf.mul(tf.matMul(change, down, false, true), ALPHA / RANK).dataSync();
    expect(relativeError(byAdapter.get(DOWN) ?? [], byDown)).toBeLessThan(1e-4);
    expect(relativeError(byAdapter.get(UP) ?? [], byUp)).toBeLessThan(1e-4);
    expect(byAdapter.size).toBe(adapters.length);
  });

  it("are the same where crops are encoded in pieces", async () => {
    const adapted = new Map([...parameters, ...adapters]);
    const [whole, pieces] = [await gradientsOf(adapted, isAdapter, CROPS), await gradientsOf(adapted, isAdapter, 8)];
    for (const [name, values] of whole) {
      if (!name.includes("k_proj.lora_B"))
        expect(relativeError(pieces.get(name) ?? [], values), name).toBeLessThan(1e-3);
    }
  });
});
