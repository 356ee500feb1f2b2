import { linear, matMul, matMulTransposed, withGradients } from "../../engine/ops.js";
import { checkShape } from "../../engine/shape.js";
import * as tf from "../../engine/tf.js";
import type { Activation, VisionTransformer } from "../architecture/architecture.js";
import {
  type Checkpointing,
  FOLDED_ACTIVATIONS,
  inverseDeviation,
  l2Normalize,
  layerNorm,
  type LinearMap,
  scale,
  selfAttention,
  transformer,
} from "../layers.js";
import { adaptersFor } from "../lowRank.js";
import type { ImageTower, ReadParameter } from "../parameters/parameters.js";
import type { FoldedVit } from "./foldedVit.js";
import { type PatchBatch, pixelsLast, stemStrides } from "./patches.js";

/** @throws {ShapeError} where the patches are not those of `crops` crops */
function checkPatches({ patches, crops }: PatchBatch, vision: VisionTransformer): void {
  const [stride = 1] = stemStrides(vision);
  checkShape("encodeImages: patches", patches, [crops * (vision.imageSize / stride) ** 2, stride * stride * 3]);
}

/**
 * CLIP's vision transformer: tokens of patches and one class token, whose last state is the image's feature
 * (arXiv 2103.00020, section 2.4; OpenAI CLIP, model.py `VisionTransformer`).
 * @param keep  for the backward pass; see `transformer`
 * @returns     [crops, embedding], given: rows of unit length
 * @throws {ShapeError} where the patches are not those of `crops` crops
 */
export function encodeVit(tower: ImageTower<VisionTransformer>, batch: PatchBatch, keep?: Checkpointing): tf.Tensor2D {
  const { read, vision } = tower;
  const { heads, layers, activation } = vision;
  const attend = selfAttention(batch.crops, heads);
  const stack = {
    read,
    prefix: "visual.transformer",
    layers,
    attend,
    activation,
    select: classTokens(batch.crops),
    keep,
  };
  return encodeBy(tower, batch, {
    embed: (patches) => stem(read, vision, patches),
    blocks: (tokens) => transformer(tokens, { ...stack, adapters: adaptersFor(batch, tower) }),
  });
}

/**
 * `encodeVit` with folded weights, for scoring: equal to it up to rounding, and without a gradient. The last block
 * is computed for the class tokens alone. `tower` has those that are not folded.
 */
export function encodeFoldedVit(
  tower: ImageTower<VisionTransformer>,
  folded: FoldedVit,
  batch: PatchBatch,
): tf.Tensor2D {
  const { patch, blocks } = folded;
  const { read, vision } = tower;
  return encodeBy(tower, batch, {
    embed: (patches) => (patch === null ? stem(read, vision, patches) : matMul(patches, patch)),
    blocks: (tokens) => {
      const start = tf.sub<tf.Tensor2D>(tokens, tf.mean(tokens, 1, true));
      return blocks.reduce((rows, block, layer) => {
        const attend = layer === blocks.length - 1 ? classAttention : allAttention;
        return foldedBlock(block, rows, { attend, crops: batch.crops, activation: vision.activation });
      }, start);
    },
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
function encodeBy(
  { read, vision, embedding }: ImageTower<VisionTransformer>,
  batch: PatchBatch,
  stages: Stages,
): tf.Tensor2D {
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

/** Rows of the class tokens: [crops·tokens, width] → [crops, width]. */
function classTokens(crops: number): (states: tf.Tensor2D) => tf.Tensor2D {
  return (states) => {
    const [rows, width] = states.shape;
    const first = tf.slice(tf.reshape(states, [crops, rows / crops, width]), [0, 0, 0], [-1, 1, -1]);
    return tf.reshape(first, [crops, width]);
  };
}

type FoldedBlock = FoldedVit["blocks"][number];
type FoldedAttention = FoldedBlock["attention"];

/** Adds attention to rows, of which it returns all or some. */
type AddAttention = (block: FoldedBlock, x: tf.Tensor2D, crops: number) => tf.Tensor2D;

/** A folded block over rows of mean 0, which are freed: [crops·tokens, width] → what `attend` returns of them. */
export function foldedBlock(
  block: FoldedBlock,
  rows: tf.Tensor2D,
  {
    attend,
    crops,
    activation,
  }: { readonly attend: AddAttention; readonly crops: number; readonly activation: Activation },
): tf.Tensor2D {
  const attended = attend(block, rows, crops);
  const next = feedForward(block, attended, activation);
  tf.dispose([attended, rows]);
  return next;
}

/** Adds attention to all tokens: [crops·tokens, width]. */
export const allAttention: AddAttention = ({ attention, epsilon }, x, crops) =>
  tf.tidy(() => tf.add<tf.Tensor2D>(x, attendAll(attention, normed(x, epsilon), crops)));

/** Adds attention to the class tokens alone: [crops·tokens, width] → [crops, width]. */
const classAttention: AddAttention = ({ attention, epsilon }, x, crops) =>
  tf.tidy(() => {
    const [ofClass, rows] = [classTokens(crops), normed(x, epsilon)];
    return tf.add<tf.Tensor2D>(ofClass(x), attendQuery(attention, rows, ofClass(rows)));
  });

function feedForward({ up, down, epsilon }: FoldedBlock, x: tf.Tensor2D, activation: Activation): tf.Tensor2D {
  return tf.tidy(() => {
    const u = affine(normed(x, epsilon), up);
    const active = tf.tidy(() => FOLDED_ACTIVATIONS[activation].of(u));
    return tf.add<tf.Tensor2D>(x, affine(active, down));
  });
}

/** Brings rows of mean 0 to deviation 1. */
function normed(x: tf.Tensor2D, epsilon: number): tf.Tensor2D {
  return tf.mul(x, inverseDeviation(x, epsilon));
}

/** Attention of every token to those of its crop: [crops·tokens, width], borrowed → the same, given. */
function attendAll({ heads, query, key, value, gather }: FoldedAttention, x: tf.Tensor2D, crops: number): tf.Tensor2D {
  return tf.tidy(() => {
    const headsOf = (rows: tf.Tensor2D) => tf.reshape<tf.Rank.R4>(rows, [crops, x.shape[0] / crops, heads, -1]);
    const queries = tf.transpose(headsOf(affine(x, query)), [0, 2, 1, 3]); // [crops, heads, tokens, d]
    const keys = tf.transpose(headsOf(matMul(x, key)), [0, 2, 3, 1]); // [crops, heads, d, tokens]
    const values = tf.transpose(headsOf(matMul(x, value)), [0, 2, 1, 3]);
    const gathered = tf.transpose(matMul(tf.softmax(matMul(queries, keys)), values), [0, 2, 1, 3]);
    return affine(tf.reshape(gathered, x.shape), gather);
  });
}

/**
 * Attention of one token of each crop. The single query passes through the keys' matrix instead of every token doing so,
 * and its gathered sum through the values': no token needs a key or a value.
 * @param x     [crops·tokens, width], borrowed: the tokens attended to
 * @param rows  [crops, width], borrowed: the row of `x` with the query, of each crop
 * @returns     [crops, width], given
 */
function attendQuery(attention: FoldedAttention, x: tf.Tensor2D, rows: tf.Tensor2D): tf.Tensor2D {
  const { heads, query, key, value, gather } = attention;
  return tf.tidy(() => {
    const [crops, width] = rows.shape;
    const byHead = (matrix: tf.Tensor2D, order: number[]) =>
      tf.transpose(tf.reshape<tf.Rank.R3>(matrix, [matrix.shape[0], heads, width / heads]), order);
    const tokens = tf.reshape<tf.Rank.R3>(x, [crops, -1, width]);
    const queries = matMul(byHead(affine(rows, query), [1, 0, 2]), byHead(key, [1, 2, 0]));
    const weights = tf.softmax(matMulTransposed(tf.transpose(queries, [1, 0, 2]), tokens)); // [crops, heads, tokens]
    const seen = tf.transpose(matMul(weights, tokens), [1, 0, 2]); // [heads, crops, width]
    const gathered = tf.transpose(matMul(seen, byHead(value, [1, 0, 2])), [1, 0, 2]); // [crops, heads, d]
    return affine(tf.reshape(gathered, rows.shape), gather);
  });
}

function affine(x: tf.Tensor2D, { matrix, shift }: FoldedBlock["up"]): tf.Tensor2D {
  return tf.add(matMul(x, matrix), shift);
}

/**
 * Pixels to tokens: CLIP's one linear map of each patch, or levels of small patches, each a linear map, a layer norm
 * and, except for the last, a GELU (arXiv 2203.09795).
 *
 * The levels' cells are many and narrow, so time goes into passes over them. Seven are saved, four forward and three
 * backward, by two equivalent forms: a linear map whose outputs have mean 0, which the layer norm would subtract; and
 * √2·GELU(√2·z), whose factors are moved into the small vectors and matrices around it.
 * @param patches  [crops·cells, stride·stride·3], borrowed: see `imagePatches`
 * @returns        [crops·tokens, width]; each level has a tidy, as blocks have
 */
function stem(read: ReadParameter, { stem: levels }: VisionTransformer, patches: tf.Tensor2D): tf.Tensor2D {
  if (levels === "patch") return linear(patches, pixelsLast(read("visual.conv1.weight")));
  const last = levels.length - 1;
  return levels.reduce<tf.Tensor2D>(
    (cells, { width }, i) =>
      tf.tidy(() => {
        const name = `visual.stem.${i}`;
        const map = { weight: pixelsLast(read(`${name}.weight`)), bias: read<tf.Rank.R1>(`${name}.bias`) };
        const centered = centeredLinear(cells, map, i === 0 ? 1 : Math.SQRT1_2);
        checkShape(`encodeImages: ${name}`, centered, ["cells", width]);
        const [gain, shift] = [read<tf.Rank.R1>(`${name}.norm.weight`), read<tf.Rank.R1>(`${name}.norm.bias`)];
        const next =
          i === last
            ? normOfCentered(centered, gain, shift)
            : scaledGelu(normOfCentered(centered, scale(gain, Math.SQRT1_2), scale(shift, Math.SQRT1_2)));
        return next as tf.Tensor2D; // as `centered`
      }),
    patches,
  );
}

/** A level's linear map of cells·factor, less each row's mean: [cells, in] of the level below → [cells, width]. */
function centeredLinear(cells: tf.Tensor2D, { weight, bias }: LinearMap, factor: number): tf.Tensor2D {
  const centeredWeight = tf.sub<tf.Tensor2D>(weight, tf.mean(weight, 0, true));
  const gathered = tf.reshape<tf.Rank.R2>(cells, [-1, weight.shape[1]]); // neighbors are adjacent already
  return linear(gathered, scale(centeredWeight, factor), tf.sub<tf.Tensor1D>(bias, tf.mean(bias)));
}

/** Layer norm of rows that have mean 0: [rows, width] → [rows, width]. */
const normOfCentered = withGradients((x: tf.Tensor2D, gain: tf.Tensor1D, shift: tf.Tensor1D) => {
  const perDeviation = inverseDeviation(x); // [rows, 1]
  const normalized = tf.mul(x, perDeviation); // [rows, width]
  return {
    value: tf.add(tf.mul(normalized, gain), shift),
    saved: [normalized, perDeviation, gain],
    gradients: (dy, n, r, g) => {
      const byGain = tf.mul<tf.Tensor2D>(dy, n); // [rows, width]
      const alongNormalized = tf.mean(tf.mul(byGain, g), 1, true); // [rows, 1]
      const dx = tf.mul(tf.sub(tf.mul(dy, g), tf.mul(n, alongNormalized)), r);
      return [dx, tf.sum(byGain, 0), tf.sum(dy, 0)];
    },
  };
});

/** Logarithm of 2/√π: the slope of erf is 2/√π·exp(−z²) = exp(this − z²). */
const LOG_SLOPE = Math.log(2 / Math.sqrt(Math.PI));

/** √2·GELU(√2·z) = z·(1 + erf z), elementwise. */
const scaledGelu = withGradients((z: tf.Tensor) => {
  const rising = tf.add(tf.erf(z), 1);
  // d(z·(1 + erf z))/dz = 1 + erf z + z·2/√π·exp(−z²)
  const gradients = (dy: tf.Tensor, at: tf.Tensor, u: tf.Tensor) => {
    const slope = tf.exp(tf.sub(LOG_SLOPE, tf.square(at)));
    return [tf.mul(dy, tf.add(u, tf.mul(at, slope)))];
  };
  return { value: tf.mul(z, rising), saved: [z, rising], gradients };
});
