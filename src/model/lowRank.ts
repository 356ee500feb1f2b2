/** Low-rank adapters beside their matrices: y = x·Wᵀ + b + (alpha/rank)·dropout(x)·Aᵀ·Bᵀ, as PEFT trains them. */
import { checkpointed } from "../engine/autodiff/checkpointed.js";
import { matMulTransposed } from "../engine/ops.js";
import * as tf from "../engine/tf.js";
import { NUMBERS_PER_PLACE, uniformAt } from "../engine/uniform.js";
import { blockAdapters, MAPS_OF_BLOCK, type MatrixAdapters } from "./parameters/lora.js";
import { type AdapterDropout, type Adapters, isVision, type ReadParameter } from "./parameters/parameters.js";

/** Adapters of a tower. */
export interface TowerAdapters extends Adapters {
  /** Crops that the rows belong to, as many rows each, one crop after the other; null for prompts, which are never cut. */
  readonly crops: number | null;
}

/** Adapters of an image tower, for a batch of crops. */
export function adaptersFor(
  { crops }: { readonly crops: number },
  { adapters }: { readonly adapters?: Adapters | undefined },
): TowerAdapters | undefined {
  return adapters && { ...adapters, crops };
}

/** Adapters of one matrix: one pair, or those of queries, keys and values. */
export interface LowRank {
  readonly pairs: readonly { readonly down: tf.Tensor2D; readonly up: tf.Tensor2D; readonly stream: number }[];
  readonly tower: TowerAdapters;
}

/** Adapters of a block. */
export interface BlockAdapters {
  /** Their names, without the block's. */
  readonly names: readonly string[];
  /** Those of a matrix; undefined where it has none. @param read  reads the block's parameters */
  readonly of: (read: ReadParameter, weight: string) => LowRank | undefined;
}

/** Sequences of random numbers that the image tower's blocks may use; the text tower's are behind them. */
const IMAGE_STREAMS = 2 ** 20;

/** Adapters of one of a tower's blocks. */
export function adaptersOfBlock(tower: TowerAdapters | undefined, prefix: string, layer: number): BlockAdapters {
  if (tower === undefined) return { names: [], of: () => undefined };
  const matrices = blockAdapters(`${prefix}.resblocks.${layer}`, tower.names);
  const first = (isVision(`${prefix}.`) ? 0 : IMAGE_STREAMS) + layer * MAPS_OF_BLOCK;
  const pairOf = (read: ReadParameter, { down, up, place }: MatrixAdapters["maps"][number]) => ({
    down: read<tf.Rank.R2>(down),
    up: read<tf.Rank.R2>(up),
    stream: first + place,
  });
  return {
    names: matrices.flatMap(({ maps }) => maps.flatMap(({ down, up }) => [down, up])),
    of: (read, weight) => {
      const maps = matrices.find((matrix) => matrix.weight === weight)?.maps;
      return maps && { pairs: maps.map((map) => pairOf(read, map)), tower };
    },
  };
}

/**
 * A linear map's value and what its adapters add: value + (alpha/rank)·dropout(f(inputs))·Aᵀ·Bᵀ. For the backward pass
 * the inputs alone are kept.
 * @param value     [rows, out]
 * @param f         gives the map's input, [rows, in], of `inputs` alone
 * @param adapters  undefined where there are none
 */
export function plusLowRank(
  value: tf.Tensor2D,
  f: (inputs: readonly tf.Tensor[]) => tf.Tensor2D,
  inputs: readonly tf.Tensor[],
  adapters: LowRank | undefined,
): tf.Tensor2D {
  if (adapters === undefined) return value;
  const { pairs, tower } = adapters;
  const { alpha, dropout, crops } = tower;
  const added = (given: readonly tf.Tensor[]) => {
    const x = f(given.slice(0, inputs.length));
    const parts = pairs.map(({ down: { shape }, stream }, i) => {
      const [down, up] = given.slice(inputs.length + 2 * i) as [tf.Tensor2D, tf.Tensor2D]; // in the order below
      const kept = dropout === null ? x : tf.mul<tf.Tensor2D>(x, dropoutMask(x.shape, { ...dropout, crops }, stream));
      return matMulTransposed(tf.mul<tf.Tensor2D>(matMulTransposed(kept, down), alpha / shape[0]), up);
    });
    return parts.length === 1 ? (parts[0] as tf.Tensor2D) : tf.concat2d(parts, 1); // the only one
  };
  return tf.add(value, checkpointed(added, [...inputs, ...pairs.flatMap(({ down, up }) => [down, up])]));
}

/**
 * 0 where an input is dropped, 1/(1 − rate) where it is kept: a function of the step's key, of the map, of the crop's
 * place among those of the step and of the entry's place in the crop. However the crops are cut, it is the same.
 */
export function dropoutMask(
  [rows, width]: readonly [number, number],
  { rate, draw, crops }: AdapterDropout & Pick<TowerAdapters, "crops">,
  stream: number,
): tf.Tensor2D {
  return tf.tidy(() => {
    const places = Math.ceil(width / NUMBERS_PER_PLACE); // of a row
    const [key, firstCrop] = [tf.slice1d(draw, 0, 1), tf.slice1d(draw, 1, 1)];
    const perCrop = crops === null ? 0 : (rows / crops) * places;
    const place = tf.mul<tf.Tensor1D>(firstCrop, tf.scalar(perCrop, "int32"));
    const numbers = uniformAt([rows, NUMBERS_PER_PLACE * places], { key, stream, place });
    const kept = tf.greaterEqual(tf.slice(numbers, [0, 0], [rows, width]), rate);
    return tf.mul<tf.Tensor2D>(tf.cast(kept, "float32"), 1 / (1 - rate));
  });
}
