import * as tf from "../../src/engine/tf.js";
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
  const labels = {
    mos: Float32Array.from(goldenTensor(inputs, "mos").values),
    mosStd: [...goldenTensor(inputs, "mos_std").values],
    scenes: Float32Array.from(goldenTensor(inputs, "scene").values),
    distortions: Int32Array.from(goldenTensor(inputs, "distortion").values),
    databases: [
      { name: "first", images: first },
      { name: "second", images: second },
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
  return [...model.parameters.variables.keys()].filter((name) => name !== "logit_scale");
}

/** The reference's AdamW over all parameters; dispose of its optimizer. */
export function goldenTrainer(model: LiqeModel, microBatch: number): SteppedContext & { readonly optimizer: AdamW } {
  const trained = trainedNames(model);
  const variables = new Map([...model.parameters.variables].filter(([name]) => trained.includes(name)));
  const optimizer = new AdamW(variables, { weightDecay: 0.05 });
  return { model, optimizer, trained, logitScale: model.logitScale(), clipNorm: null, microBatch };
}

/**
 * Adam divides a gradient by its own size, so an entry whose gradient is rounding alone moves by rounding's sign. Of the
 * 1,115,329 entries the same script of PyTorch, run on another machine, leaves 7 or 8 (two threads or one) beyond AFTER,
 * up to 1.3e-4; in float64 7. We leave 9, up to 6.1e-5; on WebAssembly, whose sums round more, 13, up to 1.1e-4.
 */
export const STRAYS = { most: 18, atol: 2e-4 };
/**
 * The same of the 11 thousand entries that paper.json keeps: one, by 3.2e-4. Its first gradient is 1e-8, which is Adam's
 * epsilon, in a tensor whose entries have 4e-4.
 */
export const FEW_STRAYS = { most: 2, atol: 5e-4 };
export const AFTER = { rtol: 0, atol: 2e-5 };

/** The key third of this bias has no gradient but rounding: softmax ignores what all keys share. */
export function isKeyBias(name: string, entry: number, entries: number): boolean {
  return name.endsWith("attn.in_proj_bias") && Math.floor((3 * entry) / entries) === 1;
}

/** The value of a trained parameter after training. */
export function valuesOf(model: LiqeModel, name: string): Float32Array {
  return Float32Array.from(model.parameters.read<tf.Rank>(name).dataSync());
}
