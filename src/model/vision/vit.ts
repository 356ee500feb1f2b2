import { matMul } from "../../engine/ops.js";
import { checkShape } from "../../engine/shape.js";
import * as tf from "../../engine/tf.js";
import type { Architecture, VisionArchitecture } from "../architecture/architecture.js";
import { layerNorm, l2Normalize } from "../layers/layers.js";
import type { Checkpointing, SelectRows } from "../layers/transformer.js";
import { selfAttention, transformer } from "../layers/transformer.js";
import type { ReadParameter } from "../parameters/parameters.js";
import { imagePatches, stemStrides } from "./patches.js";
import { stem } from "./stem.js";

/**
 * CLIP's vision transformer: tokens of patches and one class token, whose last state is the image's feature
 * (arXiv 2103.00020, section 2.4; OpenAI CLIP, model.py `VisionTransformer`).
 *
 * @param patches  [crops·cells, stride·stride·3], borrowed: `imagePatches` of the crops' pixels
 * @param crops    how many crops they are
 * @param keep     for the backward pass; see `transformer`
 * @returns        [crops, embedding], given: rows of unit length
 * @throws {ShapeError} where the patches are not those of `crops` crops
 */
export function encodeImages(
  read: ReadParameter,
  architecture: Architecture,
  patches: tf.Tensor2D,
  crops: number,
  keep?: Checkpointing,
): tf.Tensor2D {
  const { vision } = architecture;
  checkPatches(patches, vision, crops);
  return tf.tidy(() => {
    const tokens = embedTokens(read, vision, stem(read, vision, patches), crops);
    const attend = selfAttention(crops, vision.heads);
    const pick = classTokens(crops);
    const states = transformer(read, "visual.transformer", vision.layers, attend, tokens, pick, keep);
    return projectClassTokens(read, architecture, states);
  });
}

/** @throws {ShapeError} where the patches are not those of `crops` crops */
export function checkPatches(patches: tf.Tensor2D, vision: VisionArchitecture, crops: number): void {
  const [stride = 1] = stemStrides(vision);
  checkShape("encodeImages: patches", patches, [crops * (vision.imageSize / stride) ** 2, stride * stride * 3]);
}

/** Each crop's class token before its patches' tokens, [crops·patches, width], at their places: [crops·tokens, width]. */
export function embedTokens(
  read: ReadParameter,
  { width }: VisionArchitecture,
  patchTokens: tf.Tensor2D,
  crops: number,
): tf.Tensor2D {
  const cells = tf.reshape(patchTokens, [crops, -1, width]);
  const classToken = tf.add(tf.zeros([crops, 1, width]), read("visual.class_embedding"));
  const placed = tf.add(tf.concat([classToken, cells], 1), read("visual.positional_embedding"));
  return layerNorm(tf.reshape(placed, [-1, width]), read("visual.ln_pre.weight"), read("visual.ln_pre.bias"));
}

/** The rows of the class tokens: [crops·tokens, width] → [crops, width]. */
export function classTokens(crops: number): SelectRows {
  return (states) => {
    const [rows, width] = states.shape;
    const first = tf.slice(tf.reshape(states, [crops, rows / crops, width]), [0, 0, 0], [-1, 1, -1]);
    return tf.reshape(first, [crops, width]);
  };
}

/** The class tokens' last states to the crops' features: [crops, width] → [crops, embedding], rows of unit length. */
export function projectClassTokens(read: ReadParameter, { embedding }: Architecture, states: tf.Tensor2D): tf.Tensor2D {
  const pooled = layerNorm(states, read("visual.ln_post.weight"), read("visual.ln_post.bias"));
  const features = l2Normalize(matMul(pooled, read<tf.Rank.R2>("visual.proj")));
  checkShape("encodeImages: features", features, [states.shape[0], embedding]);
  return features;
}

/**
 * Pixels as `encodeImages` takes them.
 *
 * @param pixels  [crops, imageSize, imageSize, 3], RGB, 0 to 255, borrowed
 * @param memory  where the tensor's numbers are to stand, borrowed for as long as it lives; by default new memory
 * @returns       [crops·cells, stride·stride·3], given
 */
export function patchTensor(pixels: Uint8Array, vision: VisionArchitecture, memory?: Float32Array): tf.Tensor2D {
  const [stride = 1] = stemStrides(vision);
  const values = imagePatches(pixels, vision, memory);
  const columns = stride * stride * 3;
  return tf.tensor2d(values, [values.length / columns, columns]);
}
