import { matMul, matMulTransposed } from "../../engine/ops.js";
import { checkShape } from "../../engine/shape.js";
import * as tf from "../../engine/tf.js";
import { l2Normalize, layerNorm, scale } from "../layers/layers.js";
import { type Attention, type Checkpointing, splitQkv, transformer } from "../layers/transformer.js";
import type { EncoderWeights, ReadParameter } from "../parameters/parameters.js";
import { checkPatches, type PatchBatch } from "./patches.js";
import { stem } from "./stem.js";

/**
 * CLIP's vision transformer: tokens of patches and one class token, whose last state is the image's feature
 * (arXiv 2103.00020, section 2.4; OpenAI CLIP, model.py `VisionTransformer`).
 *
 * @param keep  for the backward pass; see `transformer`
 * @returns     [crops, embedding], given: rows of unit length
 * @throws {ShapeError} where the patches are not those of `crops` crops
 */
export function encodeImages(weights: EncoderWeights, batch: PatchBatch, keep?: Checkpointing): tf.Tensor2D {
  const { read, architecture } = weights;
  const { heads, layers } = architecture.vision;
  const attend = selfAttention(batch.crops, heads);
  const select = classTokens(batch.crops);
  return encodeBy(weights, batch, {
    embed: (patches) => stem(read, architecture.vision, patches),
    blocks: (tokens) => transformer(tokens, { read, prefix: "visual.transformer", layers, attend, select, keep }),
  });
}

/** Stages of the encoder that differ between its weights as they are and folded ones. */
interface Stages {
  /** [crops·cells, stride·stride·3] → [crops·patches, width] */
  readonly embed: (patches: tf.Tensor2D) => tf.Tensor2D;
  /** [crops·tokens, width] → last states of the class tokens, [crops, width] */
  readonly blocks: (tokens: tf.Tensor2D) => tf.Tensor2D;
}

/** Image features by the given stages. @throws {ShapeError} where the patches are not those of `crops` crops */
export function encodeBy({ read, architecture }: EncoderWeights, batch: PatchBatch, stages: Stages): tf.Tensor2D {
  const { vision, embedding } = architecture;
  checkPatches(batch, vision);
  return tf.tidy(() => {
    const cells = tf.reshape<tf.Rank.R3>(stages.embed(batch.patches), [batch.crops, -1, vision.width]);
    const states = stages.blocks(embedTokens(read, cells));
    const pooled = layerNorm(states, read("visual.ln_post.weight"), read("visual.ln_post.bias"));
    const features = l2Normalize(matMul(pooled, read<tf.Rank.R2>("visual.proj")));
    checkShape("encodeImages: features", features, [batch.crops, embedding]);
    return features;
  });
}

/** Puts each crop's class token before its patches' tokens: [crops, patches, width] → [crops·tokens, width]. */
function embedTokens(read: ReadParameter, cells: tf.Tensor3D): tf.Tensor2D {
  const [crops, , width] = cells.shape;
  const classToken = tf.add(tf.zeros([crops, 1, width]), read("visual.class_embedding"));
  const placed = tf.add(tf.concat([classToken, cells], 1), read("visual.positional_embedding"));
  return layerNorm(tf.reshape(placed, [-1, width]), read("visual.ln_pre.weight"), read("visual.ln_pre.bias"));
}

/** softmax(q·kᵀ/√d)·v for each sequence and head, every token seeing every other. */
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

/** Rows of the class tokens: [crops·tokens, width] → [crops, width]. */
export function classTokens(crops: number): (states: tf.Tensor2D) => tf.Tensor2D {
  return (states) => {
    const [rows, width] = states.shape;
    const first = tf.slice(tf.reshape(states, [crops, rows / crops, width]), [0, 0, 0], [-1, 1, -1]);
    return tf.reshape(first, [crops, width]);
  };
}
