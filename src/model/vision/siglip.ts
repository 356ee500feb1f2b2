/** SigLIP's image encoder, in its form of fixed resolution (arXiv 2303.15343, 2502.14786; big_vision, models/vit.py). */
import { linear, matMul, matMulTransposed } from "../../engine/ops.js";
import { checkShape } from "../../engine/shape.js";
import * as tf from "../../engine/tf.js";
import type { SiglipVision } from "../architecture/architecture.js";
import {
  type Checkpointing,
  l2Normalize,
  linearOfActivation,
  linearOfNorm,
  mapOf,
  normalized,
  normOf,
  scale,
  selfAttention,
  SIGLIP_EPSILON,
  transformer,
} from "../layers.js";
import { adaptersFor } from "../lowRank.js";
import type { ImageTower, ReadParameter } from "../parameters/parameters.js";
import { SIGLIP_PROBE } from "../parameters/shapes.js";
import type { FoldedVit } from "./foldedVit.js";
import { type PatchBatch, pixelsLast } from "./patches.js";
import { allAttention, foldedBlock } from "./vit.js";

/**
 * Tokens of patches without a class token; a learned query gathers their last states, and a feed-forward layer adds to
 * what it gathered, which is the feature: there is no projection.
 * @param keep  for the backward pass; see `transformer`
 * @returns     [crops, embedding], given: rows of unit length
 * @throws {ShapeError} where the patches are not those of `crops` crops
 */
export function encodeSiglip(tower: ImageTower<SiglipVision>, batch: PatchBatch, keep?: Checkpointing): tf.Tensor2D {
  const { read, vision } = tower;
  const { heads, layers, activation } = vision;
  const attend = selfAttention(batch.crops, heads);
  const stack = { prefix: "visual.transformer", layers, attend, activation, epsilon: SIGLIP_EPSILON, keep };
  return encodeBy(tower, batch, {
    embed: (patches) => linear(patches, pixelsLast(read("visual.conv1.weight"))),
    blocks: (tokens) =>
      transformer(tokens, { read, ...stack, adapters: adaptersFor(batch, tower), select: (states) => states }),
  });
}

/** `encodeSiglip` with folded weights, for scoring: equal to it up to rounding, and without a gradient. */
export function encodeFoldedSiglip(
  tower: ImageTower<SiglipVision>,
  { patch, blocks }: FoldedVit,
  batch: PatchBatch,
): tf.Tensor2D {
  if (patch === null) throw new Error("internal: encodeFoldedSiglip: folded weights of another encoder");
  const routing = { attend: allAttention, crops: batch.crops, activation: tower.vision.activation };
  return encodeBy(tower, batch, {
    embed: (patches) => matMul(patches, patch),
    blocks: (tokens) => {
      const start = tf.sub<tf.Tensor2D>(tokens, tf.mean(tokens, 1, true)); // the last norm subtracts it, too
      return blocks.reduce((rows, block) => foldedBlock(block, rows, routing), start);
    },
  });
}

/** Stages of the encoder that differ between its weights as they are and folded ones. */
interface Stages {
  /** [crops·patches, patchSize·patchSize·3] → [crops·patches, width], without a bias */
  readonly embed: (patches: tf.Tensor2D) => tf.Tensor2D;
  /** [crops·patches, width] → last states of all patches, of the same shape */
  readonly blocks: (tokens: tf.Tensor2D) => tf.Tensor2D;
}

/** Image features by the given stages. @throws {ShapeError} where the patches are not those of `crops` crops */
function encodeBy(
  { read, vision, embedding }: ImageTower<SiglipVision>,
  { patches, crops }: PatchBatch,
  stages: Stages,
): tf.Tensor2D {
  const { imageSize, patchSize, width } = vision;
  const tokens = (imageSize / patchSize) ** 2;
  checkShape("encodeImages: patches", patches, [crops * tokens, patchSize * patchSize * 3]);
  return tf.tidy(() => {
    const places = tf.add(read("visual.positional_embedding"), read("visual.conv1.bias")); // [tokens, width]
    const placed = tf.add(tf.reshape(stages.embed(patches), [crops, tokens, width]), places);
    const states = normalized(stages.blocks(tf.reshape(placed, [-1, width])), normOf(read, "visual.ln_post", SIGLIP_EPSILON)); // prettier-ignore
    const gathered = attentionPool(read, tf.reshape<tf.Rank.R3>(states, [crops, tokens, width]), vision.heads);
    const norm = normOf(read, "visual.attnpool.ln_mlp", SIGLIP_EPSILON);
    const hidden = linearOfNorm(gathered, norm, mapOf(read, "visual.attnpool.mlp.c_fc"));
    const added = linearOfActivation(hidden, mapOf(read, "visual.attnpool.mlp.c_proj"), vision.activation);
    const features = l2Normalize(tf.add<tf.Tensor2D>(gathered, added));
    checkShape("encodeImages: features", features, [crops, embedding]);
    return features;
  });
}

/**
 * Attention of the learned query to the tokens of each crop. The query, one for all crops, passes through the keys'
 * matrix instead of every token doing so, and what it gathers through the values'; the keys' bias adds the same to all
 * that softmax compares, and cancels.
 * @param states  [crops, tokens, width], borrowed
 * @returns       [crops, width]
 */
function attentionPool(read: ReadParameter, states: tf.Tensor3D, heads: number): tf.Tensor2D {
  const [crops, tokens, width] = states.shape;
  const depth = width / heads;
  const matrices = tf.split(read<tf.Rank.R2>("visual.attnpool.attn.in_proj_weight"), 3, 0);
  const shifts = tf.split(read<tf.Rank.R1>("visual.attnpool.attn.in_proj_bias"), 3, 0);
  const [queries, keys, values] = matrices as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D]; // split into three
  const [queryShift, , valueShift] = shifts as [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
  const probe = tf.reshape<tf.Rank.R2>(read(SIGLIP_PROBE), [1, width]);
  const query = scale(linear(probe, queries, queryShift), 1 / Math.sqrt(depth)); // [1, width]
  const perHead = (matrix: tf.Tensor2D) => tf.reshape<tf.Rank.R3>(matrix, [heads, depth, width]);
  const asked = matMul(tf.reshape<tf.Rank.R3>(query, [heads, 1, depth]), perHead(keys)); // [heads, 1, width]
  const rows = tf.reshape<tf.Rank.R2>(states, [crops * tokens, width]);
  const scores = matMulTransposed(rows, tf.reshape<tf.Rank.R2>(asked, [heads, width])); // [crops·tokens, heads]
  const weights = tf.softmax(tf.transpose(tf.reshape<tf.Rank.R3>(scores, [crops, tokens, heads]), [0, 2, 1]));
  const seen = tf.transpose(matMul(weights, states), [1, 0, 2]); // [heads, crops, width]
  const gathered = tf.transpose(matMulTransposed(seen, perHead(values)), [1, 0, 2]); // [crops, heads, depth]
  const shifted = tf.add<tf.Tensor2D>(tf.reshape<tf.Rank.R2>(gathered, [crops, width]), valueShift);
  const { weight, bias } = mapOf(read, "visual.attnpool.attn.out_proj");
  return linear(shifted, weight, bias);
}
