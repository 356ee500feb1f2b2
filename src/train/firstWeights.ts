/** Weights that a run begins with: those of the network, and what it is to learn beside them. */
import { getOrThrow } from "../base/collections.js";
import { gridOf } from "../model/config.js";
import { LiqeModel } from "../model/liqe.js";
import { initialContext, PROMPT_CONTEXT, PROMPT_FEATURES } from "../model/parameters/learnedPrompts.js";
import { initialAdapters } from "../model/parameters/lora.js";
import { type NamedArray, type NamedArrays, TOKEN_EMBEDDING } from "../model/parameters/parameters.js";
import type { AdapterRecord } from "./checkpoint/adapter.js";
import type { Checkpoint } from "./checkpoint/checkpoint.js";
import { isOnBase } from "./config.js";
import { loraShapes } from "./optimizer/parameterGroups.js";
import { contextWords, type RunPlan } from "./plan.js";

/** Weights that a new run begins with, its adapters or what is learned of the prompts among them. */
export async function firstWeights(plan: RunPlan): Promise<NamedArrays> {
  const { train, seed } = plan.config;
  const weights = await plan.initialWeights();
  if (train.tune === "probe") return new Map([...weights, [PROMPT_FEATURES, encodedPrompts(plan, weights)]]);
  if (train.tune === "prompts") return new Map([...weights, [PROMPT_CONTEXT, firstContext(plan, weights)]]);
  if (train.tune !== "lora") return weights;
  const shapes = new Map([...weights].map(([name, { shape }]) => [name, shape]));
  return new Map([...weights, ...initialAdapters(loraShapes(shapes, train), seed)]);
}

/** Features of a run's prompts by the text encoder that it begins with. */
function encodedPrompts({ config, architecture, tokenizer }: RunPlan, weights: NamedArrays): NamedArray {
  const model = new LiqeModel(weights, gridOf(config.prompts), { architecture, tokenizer });
  const features = model.promptFeatures();
  const array = { shape: features.shape, values: Float32Array.from(features.dataSync()) }; // not the engine's memory
  model.dispose();
  return array;
}

/** Context vectors that a run begins with. */
function firstContext({ config, architecture }: RunPlan, weights: NamedArrays): NamedArray {
  const { vectors, scope } = config.train.prompts;
  const grid = gridOf(config.prompts);
  const words = contextWords(config, architecture);
  const table = getOrThrow(weights, TOKEN_EMBEDDING, "firstContext");
  const prompts = scope === "shared" ? null : grid.prompts.length;
  return initialContext(table, { prompts, vectors, words, seed: config.seed });
}

/** Record of a run's adapters or learned prompts, by its checkpoint or of a new run; null where it has none. */
export async function adapterOf(plan: RunPlan, checkpoint: Checkpoint | null): Promise<AdapterRecord | null> {
  const { tune, lora } = plan.config.train;
  if (!isOnBase({ tune })) return null;
  if (checkpoint !== null) return checkpoint.adapter;
  const base = await plan.initialBase();
  return tune === "lora" ? { rank: lora.rank, alpha: lora.alpha, dropout: lora.dropout, base } : { base };
}
