import { trainableParameters } from "../../src/train/optimizer/parameterGroups.js";
import { extentOf } from "../../src/base/collections.js";
import type { CompiledWeights } from "../../src/engine/adam.js";
import type * as tf from "../../src/engine/tf.js";
import { LossesConfig } from "../../src/losses/config.js";
import { batchTargets, type BatchTargets } from "../../src/losses/targets.js";
import { LiqeModel } from "../../src/model/liqe.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import { loadParameters } from "../../src/model/weights/loadParameters.js";
import { AdamW } from "../../src/train/optimizer/adamw.js";
import type { StepWeights } from "../../src/train/weighting/taskWeights.js";
import { golden, goldenTensor, goldenWeights } from "./golden.js";
import type { SteppedContext } from "./steps.js";

const { inputs, meta } = golden();

/** Crops of the reference's step: seven images, three of each. */
export const CROPS = 21;

export const WEIGHT_FILES = ["weights-hf.safetensors", "weights-openai.pt", "weights-openai-jit.pt"] as const;
export type WeightFile = (typeof WEIGHT_FILES)[number];

export async function goldenModel(file: WeightFile = WEIGHT_FILES[0]): Promise<LiqeModel> {
  return new LiqeModel((await loadParameters(goldenWeights(file))).parameters, promptGrid());
}

export function goldenPixels(): Uint8Array {
  return Uint8Array.from(goldenTensor(inputs, "pixels").values);
}

/** The reference's labels, for losses other than cross-entropy where `losses` says so. */
export function goldenTargets(model: LiqeModel, losses: Partial<LossesConfig> = {}): BatchTargets {
  const [first = 0, second = 0] = meta.images_per_database;
  const mos = Float32Array.from(goldenTensor(inputs, "mos").values);
  const scaleOf = (scores: Float32Array) => {
    const { least, most } = extentOf(scores);
    return { mosSpan: most - least, mosLowest: least };
  };
  const labels = {
    mos,
    mosStd: [...goldenTensor(inputs, "mos_std").values],
    scenes: Float32Array.from(goldenTensor(inputs, "scene").values),
    distortions: Int32Array.from(goldenTensor(inputs, "distortion").values),
    databases: [
      { name: "first", images: first, ...scaleOf(mos.subarray(0, first)) },
      { name: "second", images: second, ...scaleOf(mos.subarray(first)) },
    ],
  };
  return batchTargets(labels, model.grid.axes, LossesConfig.parse({ weighting: "equal", ...losses }));
}

/** Every task counts the same. */
export const EVEN_WEIGHTS: StepWeights = {
  values: { quality: 1, scene: 1, distortion: 1 },
  gradients: "ignored",
};

export function trainedNames(model: LiqeModel): string[] {
  return trainableParameters(model.parameters.variables.keys(), []);
}

/** The reference's AdamW over all parameters; dispose of its optimizer, and of its functions where they are compiled. */
export function goldenTrainer(
  model: LiqeModel,
  microBatch: number,
  compiled: CompiledWeights | null = null,
): SteppedContext & { readonly optimizer: AdamW } {
  const trained = trainedNames(model);
  const optimizer = new AdamW(variablesOf(model), { weightDecay: 0.05, kernel: compiled ?? "auto" });
  const context = { model, optimizer, trained, logitScale: model.logitScale(), clipNorm: null, microBatch };
  return compiled === null ? context : { ...context, runner: compiled.runner, weights: compiled.values };
}

/** The trained parameters' variables. */
export function variablesOf(model: LiqeModel): Map<string, tf.Variable> {
  const trained = trainedNames(model);
  return new Map([...model.parameters.variables].filter(([name]) => trained.includes(name)));
}

/**
 * Values of a parameter, every `stride`-th, without the key third of a projection's bias: softmax ignores what all keys
 * share, so that its gradient is rounding alone.
 */
export function withoutKeyBias(name: string, values: ArrayLike<number>, stride = 1): number[] {
  const all = Array.from(values);
  if (!name.endsWith("attn.in_proj_bias")) return all;
  const entries = all.length * stride;
  return all.filter((_, i) => Math.floor((3 * i * stride) / entries) !== 1);
}

/** The value of a trained parameter after training. */
export function valuesOf(model: LiqeModel, name: string): Float32Array {
  return Float32Array.from(model.parameters.read<tf.Rank>(name).dataSync());
}
