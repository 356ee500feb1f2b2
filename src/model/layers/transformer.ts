import { checkpointed } from "../../engine/autodiff/checkpointed.js";
import { matMul, matMulTransposed } from "../../engine/ops.js";
import * as tf from "../../engine/tf.js";
import type { ReadParameter } from "../parameters/parameters.js";
import { linear, linearOfNorm, linearOfQuickGelu, scale } from "./layers.js";

/** Queries, keys and values side by side, [rows, 3·width], to what each row gathered, [rows, width]. */
export type Attention = (queriesKeysValues: tf.Tensor2D) => tf.Tensor2D;

/** Some rows of the states, [rows, width] → [picked, width]: those that are read behind the last block. */
export type SelectRows = (states: tf.Tensor2D) => tf.Tensor2D;

/**
 * What a tower's blocks keep for the backward pass: all that it reads, or each block's input alone, from which the
 * block is computed a second time.
 */
export type Checkpointing = "activations" | "inputs";

/**
 * A stack of CLIP's residual blocks: x + attention(ln_1 x), then x + mlp(ln_2 x). The two towers differ in who
 * attends to whom, and in whose last state is read. The last block's output projection and feed-forward part, three
 * quarters of its work, are computed for those rows alone.
 *
 * Each block has a tidy of its own, so that without a tape (at inference) one block's intermediates are freed before
 * the next block runs.
 *
 * @param prefix  where the blocks' parameters are, e.g. `visual.transformer`
 * @param x       [rows, width], borrowed
 * @param pick    the rows whose last state is wanted
 * @param keep    for the backward pass; without a tape both are the same
 * @returns       [picked, width], given
 */
export function transformer(
  read: ReadParameter,
  prefix: string,
  layers: number,
  attend: Attention,
  x: tf.Tensor2D,
  pick: SelectRows,
  keep: Checkpointing = "activations",
): tf.Tensor2D {
  return Array.from({ length: layers }).reduce<tf.Tensor2D>((rows, _, layer) => {
    const parameters = BLOCK_PARAMETERS.map(blockParameters(read, prefix, layer));
    const goOn = layer === layers - 1 ? pick : everyRow;
    if (keep === "activations") return tf.tidy(() => residualBlock(readFrom(parameters), attend, rows, goOn));
    const block = ([first, ...others]: readonly tf.Tensor[]) =>
      residualBlock(readFrom(others), attend, first as tf.Tensor2D, goOn); // the order of the inputs below
    return checkpointed(block, [rows, ...parameters]) as tf.Tensor2D; // customGrad forgets the rank
  }, x);
}

const everyRow: SelectRows = (states) => states;

/** What a residual block reads, in the order of its forward pass. */
const BLOCK_PARAMETERS = [
  "ln_1.weight",
  "ln_1.bias",
  "attn.in_proj_weight",
  "attn.in_proj_bias",
  "attn.out_proj.weight",
  "attn.out_proj.bias",
  "ln_2.weight",
  "ln_2.bias",
  "mlp.c_fc.weight",
  "mlp.c_fc.bias",
  "mlp.c_proj.weight",
  "mlp.c_proj.bias",
] as const;

/** Reads one block's parameters by the names in `BLOCK_PARAMETERS`. */
export function blockParameters(read: ReadParameter, prefix: string, layer: number): ReadParameter {
  return (part) => read(`${prefix}.resblocks.${layer}.${part}`);
}

/** Reads a block's parameters, given in the order of `BLOCK_PARAMETERS`, by the names there. */
function readFrom(parameters: readonly tf.Tensor[]): ReadParameter {
  return <R extends tf.Rank>(name: string) => {
    const found = parameters[(BLOCK_PARAMETERS as readonly string[]).indexOf(name)];
    if (found === undefined) throw new Error(`internal: residualBlock: "${name}" is not among BLOCK_PARAMETERS`);
    return found as tf.Tensor<R>; // its rank is what parameterShapes says of this name
  };
}

/** Each half has a tidy, so that one is freed before the other runs. Every row is attended to, and some go on. */
function residualBlock(read: ReadParameter, attend: Attention, x: tf.Tensor2D, pick: SelectRows): tf.Tensor2D {
  const attended = tf.tidy(() => tf.add<tf.Tensor2D>(pick(x), attentionSublayer(read, attend, x, pick)));
  return tf.tidy(() => tf.add<tf.Tensor2D>(attended, feedForward(read, attended)));
}

function attentionSublayer(read: ReadParameter, attend: Attention, x: tf.Tensor2D, pick: SelectRows): tf.Tensor2D {
  const [gain, shift] = [read<tf.Rank.R1>("ln_1.weight"), read<tf.Rank.R1>("ln_1.bias")];
  const qkv = linearOfNorm(x, gain, shift, read("attn.in_proj_weight"), read("attn.in_proj_bias"));
  return linear(pick(attend(qkv)), read("attn.out_proj.weight"), read("attn.out_proj.bias"));
}

function feedForward(read: ReadParameter, x: tf.Tensor2D): tf.Tensor2D {
  const [gain, shift] = [read<tf.Rank.R1>("ln_2.weight"), read<tf.Rank.R1>("ln_2.bias")];
  const hidden = linearOfNorm(x, gain, shift, read("mlp.c_fc.weight"), read("mlp.c_fc.bias"));
  return linearOfQuickGelu(hidden, read("mlp.c_proj.weight"), read("mlp.c_proj.bias"));
}

/** softmax(q·kᵀ/√d)·v for each sequence and head, everyone seeing everyone. */
export function selfAttention(sequences: number, heads: number): Attention {
  return (qkv) => {
    const [rows, threeWidths] = qkv.shape;
    const tokens = rows / sequences;
    const depth = threeWidths / 3 / heads;
    const apart = tf.transpose(tf.reshape(qkv, [sequences, tokens, 3, heads, depth]), [2, 0, 3, 1, 4]);
    const [q, k, v] = splitQkv(apart, [sequences, heads, tokens, depth]);
    const weights = tf.softmax(matMulTransposed(scale(q, 1 / Math.sqrt(depth)), k)); // [.., tokens, tokens]
    const gathered = tf.transpose(matMul(weights, v), [0, 2, 1, 3]); // [sequences, tokens, heads, depth]
    return tf.reshape(gathered, [rows, heads * depth]);
  };
}

/** Splits the leading axis of three into queries, keys and values of `shape`. */
export function splitQkv(
  x: tf.Tensor,
  shape: [number, number, number, number],
): [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D] {
  const parts = tf.split(x, 3, 0).map((part) => tf.reshape<tf.Rank.R4>(part, shape));
  return parts as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D]; // split gives as many parts as it is asked for
}
