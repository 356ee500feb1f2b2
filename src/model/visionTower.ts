import { matMul } from "../engine/matMul.js";
import { checkShape } from "../engine/shape.js";
import * as tf from "../engine/tf.js";
import type { Architecture, VisionArchitecture } from "./architecture.js";
import { layerNorm, unitRows } from "./layers.js";
import type { ReadParameter } from "./parameters.js";
import { imagePatches, stemStrides } from "./patches.js";
import { stem } from "./stem.js";
import type { BlockMemory, PickRows } from "./transformer.js";
import { attendWithin, transformer } from "./transformer.js";

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
  { vision, embedding }: Architecture,
  patches: tf.Tensor2D,
  crops: number,
  keep?: BlockMemory,
): tf.Tensor2D {
  const [stride = 1] = stemStrides(vision);
  checkShape("encodeImages: patches", patches, [crops * (vision.imageSize / stride) ** 2, stride * stride * 3]);
  return tf.tidy(() => {
    const tokens = (vision.imageSize / vision.patchSize) ** 2 + 1;
    const cells = tf.reshape(stem(read, vision, patches), [crops, tokens - 1, vision.width]);
    const classToken = tf.add(tf.zeros([crops, 1, vision.width]), read("visual.class_embedding"));
    const placed = tf.add(tf.concat([classToken, cells], 1), read("visual.positional_embedding"));
    const rows = tf.reshape<tf.Rank.R2>(placed, [crops * tokens, vision.width]);
    const before = layerNorm(rows, read("visual.ln_pre.weight"), read("visual.ln_pre.bias"));
    const attend = attendWithin(crops, vision.heads);
    const classStates: PickRows = (states) => {
      const first = tf.slice(tf.reshape(states, [crops, tokens, vision.width]), [0, 0, 0], [-1, 1, -1]);
      return tf.reshape(first, [crops, vision.width]);
    };
    const after = transformer(read, "visual.transformer", vision.layers, attend, before, classStates, keep);
    const pooled = layerNorm(after, read("visual.ln_post.weight"), read("visual.ln_post.bias"));
    const features = unitRows(matMul(pooled, read<tf.Rank.R2>("visual.proj")));
    checkShape("encodeImages: features", features, [crops, embedding]);
    return features;
  });
}

/**
 * Pixels as `encodeImages` takes them.
 *
 * @param pixels  [crops, imageSize, imageSize, 3], RGB, 0 to 255, borrowed
 * @returns       [crops·cells, stride·stride·3], given
 */
export function patchTensor(pixels: Uint8Array, vision: VisionArchitecture): tf.Tensor2D {
  const [stride = 1] = stemStrides(vision);
  const values = imagePatches(pixels, vision);
  const columns = stride * stride * 3;
  return tf.tensor2d(values, [values.length / columns, columns]);
}
