import { extentOf } from "../../base/collections.js";
import { exactMatMul, matMul, matMulTransposed, withGradients } from "../../engine/ops.js";
import * as tf from "../../engine/tf.js";
import {
  type Attention,
  type Checkpointing,
  l2Normalize,
  normalized,
  normOf,
  scale,
  selfAttention,
  SIGLIP_EPSILON,
  splitQkv,
  transformer,
} from "../layers.js";
import { PROMPT_CONTEXT } from "../parameters/learnedPrompts.js";
import { type EncoderWeights, USED_ROWS } from "../parameters/parameters.js";
import type { PromptTree } from "./promptTree.js";

/** Addend of the score of a row that may not be seen: its softmax weight is exactly 0 in float32. */
const UNSEEN = -1e9;

/**
 * CLIP's causal text transformer over a tree of prompts; each prompt's feature is the state of its end token
 * (arXiv 2103.00020, section 2.4). Equal to encoding every padded prompt by itself, up to the order of sums. SigLIP's,
 * which is not causal, encodes them so, and reads the last token (arXiv 2303.15343). Keeps the tree's constants on the
 * device until `dispose()`.
 */
export class PromptEncoder {
  /** [rows, used tokens + context vectors], one 1 in each row. */
  readonly tokens: tf.Tensor2D;
  /** [rows, positions], one 1 in each row. */
  readonly positions: tf.Tensor2D;
  /** Masks of the tree; null where all rows of a prompt see each other. */
  readonly #masks: Masks | null;

  constructor(readonly tree: PromptTree) {
    const depth = extentOf(tree.positions).most + 1;
    const oneHot = (indices: Int32Array, classes: number) =>
      tf.keep(tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(indices, "int32"), classes), "float32") as tf.Tensor2D));
    this.tokens = oneHot(tree.tokens, tree.usedTokens.length + tree.contextRows);
    this.positions = oneHot(tree.positions, depth);
    this.#masks = tree.trunk === 0 ? null : masksOf(tree);
  }

  /** Features, [prompts, embedding], given: rows of unit length. @param keep  see `transformer` */
  encode({ read, adapters: own, architecture: { text } }: EncoderWeights, keep?: Checkpointing): tf.Tensor2D {
    const { heads, layers, activation, kind } = text;
    const epsilon = kind === "siglip" ? SIGLIP_EPSILON : undefined;
    const { tree } = this;
    const attend = this.#masks === null ? selfAttention(tree.groups, heads) : treeAttention(tree, this.#masks, heads);
    const adapters = own && { ...own, crops: null };
    const stack = { read, prefix: "transformer", layers, attend, activation, epsilon, keep, adapters };
    return tf.tidy(() => {
      const places = tf.slice(read<tf.Rank.R2>("positional_embedding"), [0, 0], [this.positions.shape[1], text.width]);
      const tokens = exactMatMul(this.tokens, this.#vectors(read, text.width));
      const embedded = tf.add<tf.Tensor2D>(tokens, exactMatMul(this.positions, places)); // [rows, width]
      const select = (states: tf.Tensor2D) => gatherRows(states, tree.ends);
      const ends = transformer(embedded, { ...stack, select }); // [prompts, width]
      const projected = matMul(
        normalized(ends, normOf(read, "ln_final", epsilon)),
        read<tf.Rank.R2>("text_projection"),
      );
      return l2Normalize(kind === "siglip" ? tf.add(projected, read("text_projection_bias")) : projected);
    });
  }

  /** Vectors that rows choose from, [used tokens + context vectors, width]: words as they are embedded, then contexts. */
  #vectors(read: EncoderWeights["read"], width: number): tf.Tensor2D {
    const words = read<tf.Rank.R2>(USED_ROWS);
    const { contextRows } = this.tree;
    if (contextRows === 0) return words;
    return tf.concat2d([words, tf.reshape<tf.Rank.R2>(read(PROMPT_CONTEXT), [contextRows, width])], 0);
  }

  dispose(): void {
    tf.dispose([this.tokens, this.positions]);
    if (this.#masks !== null) tf.dispose([this.#masks.trunk, this.#masks.group]);
  }
}

/** Addends of attention scores: 0 where a row may see another, else UNSEEN. */
interface Masks {
  /** [trunk, trunk] */
  readonly trunk: tf.Tensor2D;
  /** [groups, groupSize, trunk + groupSize] */
  readonly group: tf.Tensor3D;
}

/** Masks of a tree, kept until they are disposed of. */
function masksOf({ trunk, groups, groupSize, trunkSees, groupSees }: PromptTree): Masks {
  const penalty = (sees: ArrayLike<number>) => Float32Array.from(sees, (seen) => (seen ? 0 : UNSEEN));
  return {
    trunk: tf.keep(tf.tensor2d(penalty(trunkSees), [trunk, trunk])),
    group: tf.keep(tf.tensor3d(penalty(groupSees), [groups, groupSize, trunk + groupSize])),
  };
}

/** Attention of the trunk to itself, and of each group to the trunk and to itself, all of it under masks. */
function treeAttention({ trunk, groups, groupSize }: PromptTree, masks: Masks, heads: number): Attention {
  return (qkv) => {
    const [rows, threeWidths] = qkv.shape;
    const depth = threeWidths / 3 / heads;
    const apart = tf.transpose(tf.reshape(qkv, [rows, 3, heads, depth]), [1, 2, 0, 3]); // [3, heads, rows, depth]
    const parts = tf.split(apart, [trunk, rows - trunk], 2);
    const [trunkParts, groupParts] = parts as [tf.Tensor4D, tf.Tensor4D]; // split into two
    const [trunkQ, trunkK, trunkV] = splitQkv(trunkParts, [1, heads, trunk, depth]);
    const factor = 1 / Math.sqrt(depth);
    const trunkScores = matMulTransposed(scale(trunkQ, factor), trunkK); // [1, heads, trunk, trunk]
    const trunkOut = matMul(tf.softmax(tf.add(trunkScores, masks.trunk)), trunkV); // [1, heads, trunk, depth]
    if (groups === 0) return joinHeads(trunkOut, rows);

    const [q, k, v] = splitQkv(groupParts, [heads, groups, groupSize, depth]);
    const queries = scale(q, factor);
    const allRows: [number, number, number, number] = [1, heads, groups * groupSize, depth];
    const onTrunk = matMulTransposed(tf.reshape<tf.Rank.R4>(queries, allRows), trunkK); // [1, heads, groups·size, trunk]
    const onGroup = matMulTransposed(queries, k); // [heads, groups, size, size]
    const onBoth = tf.concat([tf.reshape(onTrunk, [heads, groups, groupSize, trunk]), onGroup], 3);
    const scores = tf.add(onBoth, masks.group);
    const [toTrunk, toGroup] = tf.split(tf.softmax(scores), [trunk, groupSize], 3) as [tf.Tensor4D, tf.Tensor4D];
    const fromTrunk = matMul(tf.reshape<tf.Rank.R4>(toTrunk, [1, heads, groups * groupSize, trunk]), trunkV);
    const fromGroup = tf.reshape(matMul(toGroup, v), allRows);
    return joinHeads(tf.concat([trunkOut, tf.add(fromTrunk, fromGroup)], 2), rows);
  };
}

/** [1, heads, rows, depth] → [rows, heads·depth]. */
function joinHeads(x: tf.Tensor, rows: number): tf.Tensor2D {
  return tf.reshape<tf.Rank.R2>(tf.transpose(x, [0, 2, 1, 3]), [rows, x.size / rows]);
}

/**
 * Rows of a matrix, by index. The gradient of TensorFlow.js's `gather` is a scatter, which the WebAssembly backend lacks;
 * with constant indices it is a gather too: row r receives the sum of the gradients at the places that selected it.
 * @param x        [rows, width], borrowed
 * @param indices  [selected], each below rows
 * @returns        [selected, width]; runs inside the caller's tidy
 */
function gatherRows(x: tf.Tensor2D, indices: Int32Array): tf.Tensor2D {
  const gather = withGradients((input: tf.Tensor2D) => ({
    value: tf.gather(input, tf.tensor1d(indices, "int32")),
    saved: [],
    gradients: (dy) => [gatherBack(dy as tf.Tensor2D, indices, x.shape[0])], // of the value's shape
  }));
  return gather(x) as tf.Tensor2D; // as its input
}

function gatherBack(dy: tf.Tensor2D, indices: Int32Array, rows: number): tf.Tensor {
  const selected = indices.length;
  const withZeroRow = tf.concat([dy, tf.zeros([1, dy.shape[1]])], 0);
  const layers: Int32Array[] = []; // layer k holds the place of each row's k-th gradient
  const seen = new Int32Array(rows);
  indices.forEach((row, place) => {
    const k = seen[row] ?? 0;
    seen[row] = k + 1;
    const layer = layers[k] ?? new Int32Array(rows).fill(selected);
    layers[k] = layer;
    layer[row] = place;
  });
  const gradients = layers.map((layer): tf.Tensor => tf.gather(withZeroRow, tf.tensor1d(layer, "int32")));
  return gradients.reduce((sum, gradient) => tf.add(sum, gradient)); // the first layer always exists
}
