import { matMul, matMulTransposed } from "../../engine/ops.js";
import * as tf from "../../engine/tf.js";
import type { VisionArchitecture } from "../architecture/architecture.js";
import type { ReadParameter } from "../parameters/parameters.js";
import { type Affine, affine, afterNorm, centred, rowTimes, times } from "./affine.js";

/**
 * A block's self-attention over rows of mean 0 and deviation 1, with all in its matrices that can be:
 *
 * - 1/√d in the queries;
 * - no shift of the keys, which adds the same to all that softmax compares, and cancels;
 * - the values' shift behind the output projection, as the weights of a query add up to 1.
 */
export interface FoldedAttention {
  readonly query: Affine;
  /** [width, width] */
  readonly key: tf.Tensor2D;
  /** [width, width] */
  readonly value: tf.Tensor2D;
  readonly gather: Affine;
}

/** @returns  given; runs in the caller's tidy */
export function foldAttention(read: ReadParameter, { width, heads }: VisionArchitecture): FoldedAttention {
  const all = afterNorm(read, "ln_1", "attn.in_proj_weight", "attn.in_proj_bias");
  const matrixOf = (third: number) => tf.slice(all.matrix, [0, third * width], [width, width]);
  const shiftOf = (third: number) => tf.slice(all.shift, [third * width], [width]);
  const { matrix, shift } = centred(read("attn.out_proj.weight"), read("attn.out_proj.bias"));
  return {
    query: times({ matrix: matrixOf(0), shift: shiftOf(0) }, Math.sqrt(heads / width)), // d = width / heads
    key: matrixOf(1),
    value: matrixOf(2),
    gather: { matrix, shift: tf.add(shift, rowTimes(shiftOf(2), matrix)) },
  };
}

/** What every token gathers from those of its crop: [crops·tokens, width], borrowed → the same, given. */
export function gatherForAll(x: tf.Tensor2D, attention: FoldedAttention, crops: number, heads: number): tf.Tensor2D {
  return tf.tidy(() => {
    const headsOf = (rows: tf.Tensor2D) => tf.reshape<tf.Rank.R4>(rows, [crops, x.shape[0] / crops, heads, -1]);
    const queries = tf.transpose(headsOf(affine(x, attention.query)), [0, 2, 1, 3]); // [crops, heads, tokens, d]
    const keys = tf.transpose(headsOf(matMul(x, attention.key)), [0, 2, 3, 1]); // [crops, heads, d, tokens]
    const values = tf.transpose(headsOf(matMul(x, attention.value)), [0, 2, 1, 3]);
    const gathered = tf.transpose(matMul(tf.softmax(matMul(queries, keys)), values), [0, 2, 1, 3]);
    return affine(tf.reshape(gathered, x.shape), attention.gather);
  });
}

/**
 * What one token of each crop gathers. A single query passes through the keys' matrix instead of every token doing so,
 * and what it gathers passes through the values': no token needs a key or a value.
 *
 * @param x      [crops·tokens, width], borrowed: all that is attended to
 * @param asker  [crops, width], borrowed: the row of `x` that asks, of each crop
 * @returns      [crops, width], given
 */
export function gatherForOne(
  x: tf.Tensor2D,
  asker: tf.Tensor2D,
  attention: FoldedAttention,
  heads: number,
): tf.Tensor2D {
  return tf.tidy(() => {
    const [crops, width] = asker.shape;
    const byHead = (matrix: tf.Tensor2D, order: number[]) =>
      tf.transpose(tf.reshape<tf.Rank.R3>(matrix, [matrix.shape[0], heads, width / heads]), order);
    const tokens = tf.reshape<tf.Rank.R3>(x, [crops, -1, width]);
    const queries = matMul(byHead(affine(asker, attention.query), [1, 0, 2]), byHead(attention.key, [1, 2, 0]));
    const weights = tf.softmax(matMulTransposed(tf.transpose(queries, [1, 0, 2]), tokens)); // [crops, heads, tokens]
    const seen = tf.transpose(matMul(weights, tokens), [1, 0, 2]); // [heads, crops, width]
    const gathered = tf.transpose(matMul(seen, byHead(attention.value, [1, 0, 2])), [1, 0, 2]); // [crops, heads, d]
    return affine(tf.reshape(gathered, asker.shape), attention.gather);
  });
}
