/**
 * Low-rank adapters of the transformers' matrices (LoRA, arXiv 2106.09685): W + (alpha/rank)·B·A, where W stays as it is
 * and A [rank, in] and B [out, rank] are trained. As PEFT has them: queries, keys and values each have their own pair.
 */
import { getOrThrow } from "../../base/collections.js";
import { seededRandom } from "../../base/random.js";
import { exactMatMul } from "../../engine/ops.js";
import * as tf from "../../engine/tf.js";
import type { NamedArray, NamedArrays, ReadParameter } from "./parameters.js";
import type { Shapes } from "./shapes.js";

/** Parts of a block that adapters may have. */
export const LORA_PARTS = ["attention", "feed-forward"] as const;
export type LoraPart = (typeof LORA_PARTS)[number];

/** Matrices of a block, and the linear maps that they hold one below the other, by PEFT's names. */
const MATRICES = [
  {
    part: "attention",
    weight: "attn.in_proj_weight",
    maps: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
  },
  { part: "attention", weight: "attn.out_proj.weight", maps: ["self_attn.out_proj"] },
  { part: "feed-forward", weight: "mlp.c_fc.weight", maps: ["mlp.fc1"] },
  { part: "feed-forward", weight: "mlp.c_proj.weight", maps: ["mlp.fc2"] },
] as const satisfies readonly { part: LoraPart; weight: string; maps: readonly string[] }[];

const BLOCK = /^((?:visual\.)?transformer\.resblocks\.\d+)\.(.+)$/;

/** True for an adapter's name: a map's, such as `visual.transformer.resblocks.0.mlp.fc1`, and `.lora_A.weight` or `B`. */
export function isAdapter(name: string): boolean {
  return /\.lora_[AB]\.weight$/.test(name);
}

/** Matrix that may have adapters: its part of the block, and their names without `.lora_A.weight`; null for any other. */
function adaptable(name: string): { readonly part: LoraPart; readonly adapters: readonly string[] } | null {
  const [, block = "", rest] = BLOCK.exec(name) ?? [];
  const found = MATRICES.find(({ weight }) => weight === rest);
  return found === undefined ? null : { part: found.part, adapters: found.maps.map((map) => `${block}.${map}`) };
}

const downOf = (adapter: string) => `${adapter}.lora_A.weight`;
const upOf = (adapter: string) => `${adapter}.lora_B.weight`;

/** Matrix of a block, and its adapters. */
export interface MatrixAdapters {
  /** Name of the matrix in its block. */
  readonly weight: string;
  /** Its linear maps one below the other; `place` counts those of a block, adapted or not. */
  readonly maps: readonly { readonly down: string; readonly up: string; readonly place: number }[];
}

/** Linear maps of a block. */
export const MAPS_OF_BLOCK = MATRICES.reduce((sum, { maps }) => sum + maps.length, 0);

/** Matrices of a block that have adapters among some names. @param block  its name, `visual.transformer.resblocks.0` */
export function blockAdapters(block: string, names: ReadonlySet<string>): MatrixAdapters[] {
  const all = MATRICES.flatMap(({ maps }): readonly string[] => maps);
  const matrices = MATRICES.map(({ weight, maps }) => ({
    weight,
    maps: maps.map((map) => ({ down: downOf(map), up: upOf(map), place: all.indexOf(map) })),
  }));
  return matrices.filter(({ maps }) => maps.some(({ down }) => names.has(`${block}.${down}`)));
}

/**
 * Shapes of the adapters of a network.
 * @param shapes     of its parameters
 * @param isChosen   true for a matrix that is to have them, by its name and its part of the block
 */
export function adapterShapes(
  shapes: Shapes,
  rank: number,
  isChosen: (name: string, part: LoraPart) => boolean,
): Map<string, readonly number[]> {
  const found = new Map<string, readonly number[]>();
  for (const [name, [rows = 0, columns = 0]] of shapes) {
    const { part, adapters } = adaptable(name) ?? { part: "attention", adapters: [] };
    for (const adapter of isChosen(name, part) ? adapters : []) {
      found.set(downOf(adapter), [rank, columns]);
      found.set(upOf(adapter), [rows / adapters.length, rank]);
    }
  }
  return found;
}

/** Adapters that change nothing yet, as PEFT begins: A uniform within 1/√in, B zero; a function of seed and names. */
export function initialAdapters(shapes: Shapes, seed: number): Map<string, NamedArray> {
  return new Map(
    [...shapes].map(([name, shape]): [string, NamedArray] => {
      const [rows = 0, columns = 0] = shape;
      const values = new Float32Array(rows * columns);
      if (name.endsWith(".lora_B.weight")) return [name, { shape, values }];
      const random = seededRandom(seed, "lora", name);
      const limit = 1 / Math.sqrt(columns);
      return [name, { shape, values: values.map(() => limit * (2 * random.uniform() - 1)) }];
    }),
  );
}

/**
 * Reads weights with their adapters: W + (alpha/rank)·B·A, a new tensor each time, in the caller's tidy.
 * @param read  of weights and adapters, both borrowed; gradients reach what it gives
 */
export function adaptedRead(read: ReadParameter, names: ReadonlySet<string>, alpha: number): ReadParameter {
  return <R extends tf.Rank>(name: string) => {
    const weight = read<tf.Rank.R2>(name);
    const adapters = adaptable(name)?.adapters.filter((adapter) => names.has(downOf(adapter))) ?? [];
    if (adapters.length === 0) return weight as tf.Tensor as tf.Tensor<R>; // as `read` gives it
    const changes = adapters.map((adapter) => {
      const down = read<tf.Rank.R2>(downOf(adapter)); // [rank, in]
      return tf.mul<tf.Tensor2D>(exactMatMul(read<tf.Rank.R2>(upOf(adapter)), down), alpha / down.shape[0]);
    });
    return tf.add<tf.Tensor>(weight, tf.concat2d(changes, 0)) as tf.Tensor<R>; // of the weight's shape
  };
}

/** Weights with their adapters merged, on the host; without adapters the same map. Others share their arrays. */
export function mergeAdapters(arrays: NamedArrays, alpha: number): NamedArrays {
  if (![...arrays.keys()].some(isAdapter)) return arrays;
  const weights = [...arrays].filter(([name]) => !isAdapter(name));
  return new Map(weights.map(([name, weight]) => [name, mergedArray(arrays, name, weight, alpha)]));
}

function mergedArray(arrays: NamedArrays, name: string, weight: NamedArray, alpha: number): NamedArray {
  const adapters = adaptable(name)?.adapters ?? [];
  if (!adapters.some((adapter) => arrays.has(downOf(adapter)))) return weight;
  const values = weight.values.slice();
  const part = values.length / adapters.length;
  adapters.forEach((adapter, i) => {
    addProduct(values.subarray(i * part, (i + 1) * part), {
      down: getOrThrow(arrays, downOf(adapter), "mergeAdapters"),
      up: getOrThrow(arrays, upOf(adapter), "mergeAdapters"),
      alpha,
    });
  });
  return { shape: weight.shape, values };
}

/** Adds (alpha/rank)·B·A to a matrix [out, in] in place, each entry summed in float64. */
function addProduct(
  values: Float32Array,
  { down, up, alpha }: { readonly down: NamedArray; readonly up: NamedArray; readonly alpha: number },
): void {
  const [rank = 0, columns = 0] = down.shape;
  const [a, b] = [down.values, up.values];
  for (let row = 0; row * columns < values.length; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += (b[row * rank + k] ?? NaN) * (a[k * columns + column] ?? NaN);
      const at = row * columns + column;
      values[at] = (values[at] ?? NaN) + (alpha / rank) * sum;
    }
  }
}

/** Towers as OpenAI names their blocks, and as PEFT names those of transformers' `CLIPModel`. */
const PEFT_TOWERS = [
  ["visual.transformer.resblocks.", "base_model.model.vision_model.encoder.layers."],
  ["transformer.resblocks.", "base_model.model.text_model.encoder.layers."],
] as const;

/** PEFT's name of an adapter. */
export function peftName(name: string): string {
  return renamed(name, PEFT_TOWERS) ?? name;
}

/** Adapter of a name of PEFT's; null where it is none of ours. */
export function fromPeftName(name: string): string | null {
  const ours = renamed(
    name,
    PEFT_TOWERS.map(([own, peft]) => [peft, own] as const),
  );
  return ours !== null && isAdapter(ours) ? ours : null;
}

function renamed(name: string, prefixes: readonly (readonly [string, string])[]): string | null {
  const found = prefixes.find(([from]) => name.startsWith(from));
  return found === undefined ? null : found[1] + name.slice(found[0].length);
}
