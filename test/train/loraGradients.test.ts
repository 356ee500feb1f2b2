import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.js";
import { canCompile } from "../../src/engine/compile/binding.js";
import { EngineConfig } from "../../src/engine/config.js";
import * as tf from "../../src/engine/tf.js";
import { disposeTargets } from "../../src/losses/targets.js";
import { LiqeModel } from "../../src/model/liqe.js";
import { adapterShapes, isAdapter, mergeAdapters } from "../../src/model/parameters/lora.js";
import type { NamedArrays } from "../../src/model/parameters/parameters.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import { patchBatches } from "../../src/model/vision/patches.js";
import { loadParameters } from "../../src/model/weights/loadParameters.js";
import { cachedGradients, type Recompute, type StepDropout } from "../../src/train/gradientCache.js";
import { compileWeights } from "../../src/train/optimizer/createOptimizer.js";
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

interface Options {
  readonly dropout?: StepDropout;
  readonly engine?: Partial<EngineConfig>;
  readonly recompute?: Recompute;
}

/** Gradients of the reference's losses by some parameters. */
async function gradientsOf(
  weights: NamedArrays,
  isTrained: (name: string) => boolean,
  microBatch: number,
  { dropout, engine = { compile: "never" }, recompute = "always" }: Options = {},
) {
  const model = new LiqeModel(weights, promptGrid(), { loraAlpha: ALPHA });
  const trained = [...model.parameters.variables.keys()].filter(isTrained);
  const targets = goldenTargets(model);
  const crops = patchBatches(goldenPixels(), model.architecture.vision, { size: microBatch });
  const factors = tf.tensor1d([1, 1, 1]);
  const variables = new Map([...model.parameters.variables].filter(([name]) => isTrained(name)));
  const compiled = compileWeights(variables, EngineConfig.parse(engine));
  const functions = compiled === null ? {} : { runner: compiled.runner, weights: compiled.values };
  const towers = { model, trained, recompute, logitScale: model.logitScale(), dropout: dropout ?? null, ...functions };
  const head = lossHead(towers, targets, { values: {}, gradients: "ignored" }, factors);
  const { measured, gradients } = await cachedGradients(towers, crops, head);
  const found = new Map([...gradients].map(([name, gradient]) => [name, gradient.dataSync<"float32">().slice()]));
  disposeTargets(targets);
  tf.dispose([factors, measured, ...gradients.values(), ...crops.map(({ patches }) => patches)]);
  compiled?.runner.dispose();
  compiled?.values.dispose();
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

const ADAPTED = new Map([...parameters, ...adapters]);
const DROPOUT = { rate: 0.3, key: 77 };

/** Names of adapters whose gradients differ by more than rounding; those of keys' B are sums that cancel. */
function differing(found: ReadonlyMap<string, Float32Array>, wanted: ReadonlyMap<string, Float32Array>): string[] {
  const names = [...wanted.keys()].filter((name) => !name.includes("k_proj.lora_B"));
  return names.filter((name) => !(relativeError(found.get(name) ?? [NaN], wanted.get(name) ?? []) < 1e-3));
}

describe("gradients of adapters with dropout", () => {
  const wanted = gradientsOf(ADAPTED, isAdapter, CROPS, { dropout: DROPOUT });

  it("are the same where crops are encoded in pieces, and where nothing is computed again", async () => {
    expect((await wanted).size).toBe(adapters.length);
    for (const [microBatch, recompute] of [
      [8, "always"],
      [5, "never"],
      [CROPS, "text"],
    ] as const) {
      const found = await gradientsOf(ADAPTED, isAdapter, microBatch, { dropout: DROPOUT, recompute });
      expect(differing(found, await wanted), `${microBatch} crops, ${recompute}`).toEqual([]);
    }
  });

  it.skipIf(!canCompile()).each([
    ["compiled", {}, [CROPS, 8]],
    ["compiled by XLA", { xla: "always" }, [CROPS]],
  ] as const)("are the same where the step is %s", async (_, engine, sizes) => {
    for (const microBatch of sizes) {
      const found = await gradientsOf(ADAPTED, isAdapter, microBatch, { dropout: DROPOUT, engine });
      expect(differing(found, await wanted), `${microBatch} crops`).toEqual([]);
    }
  });

  it("are others in another step, and without dropout", async () => {
    const [other, none] = [
      await gradientsOf(ADAPTED, isAdapter, CROPS, { dropout: { ...DROPOUT, key: 78 } }),
      await gradientsOf(ADAPTED, isAdapter, CROPS),
    ];
    const most = adapters.length - adapters.filter(([name]) => name.includes("k_proj.lora_B")).length;
    expect(differing(other, await wanted)).toHaveLength(most);
    expect(differing(none, await wanted)).toHaveLength(most);
  });

  it("are nearly those of adapters in their matrices where nearly nothing is dropped", async () => {
    const found = await gradientsOf(ADAPTED, isAdapter, CROPS, { dropout: { rate: 1e-12, key: 1 } });
    expect(differing(found, await gradientsOf(ADAPTED, isAdapter, CROPS))).toEqual([]);
  });
});
