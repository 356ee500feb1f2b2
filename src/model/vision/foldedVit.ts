import { matMul, matMulTransposed } from "../../engine/ops.js";
import * as tf from "../../engine/tf.js";
import type { VisionArchitecture } from "../architecture/architecture.js";
import { inverseDeviation, QUICK_GELU_SLOPE } from "../layers/layers.js";
import { blockParameters } from "../layers/transformer.js";
import type { EncoderWeights, ReadParameter } from "../parameters/parameters.js";
import type { PatchBatch } from "./patches.js";
import { pixelsLast, stem } from "./stem.js";
import { classTokens, encodeBy } from "./vit.js";

/** Matrices of the image encoder as `encodeFolded` reads them. */
export interface FoldedVit {
  /** [pixels of a patch, width] of the one linear map of each patch; null for a hierarchy of them. */
  readonly patch: tf.Tensor2D | null;
  readonly blocks: readonly FoldedBlock[];
}

interface FoldedBlock {
  readonly attention: FoldedAttention;
  readonly up: Affine;
  readonly down: Affine;
}

/**
 * Folds elementwise steps into the weights, so that a block at inference makes half as many passes over its states:
 *
 * - gain and shift of each layer norm into the next matrix;
 * - the mean out of everything that is added to the states: the layer norms that read them subtract it anyway
 *   (arXiv 2305.14858, section 3.1);
 * - the slope of QuickGELU, x·σ(1.702 x), into the two matrices around it: u = 1.702 x goes in, u·σ(u) comes out, and
 *   the second matrix divides by 1.702;
 * - attention as in `FoldedAttention`.
 *
 * @returns  given; runs in the caller's tidy
 */
export function foldVit({ read, architecture: { vision } }: EncoderWeights): FoldedVit {
  return {
    patch: vision.stem === "patch" ? tf.transpose(pixelsLast(read("visual.conv1.weight"))) : null,
    blocks: Array.from({ length: vision.layers }, (_, layer) =>
      foldBlock(blockParameters(read, "visual.transformer", layer), vision),
    ),
  };
}

/** True where `encodeFolded` no longer reads a weight of the image encoder, since it was folded. */
export function isFolded(name: string): boolean {
  return name.startsWith("visual.transformer.") || name === "visual.conv1.weight";
}

/** Has a tidy of its own: the intermediates are three times as large as the weights. */
function foldBlock(read: ReadParameter, vision: VisionArchitecture): FoldedBlock {
  const up = { norm: "ln_2", weight: "mlp.c_fc.weight", bias: "mlp.c_fc.bias" };
  const fold = (): object => ({
    attention: foldAttention(read, vision),
    up: scaleAffine(foldLayerNorm(read, up), QUICK_GELU_SLOPE),
    down: foldCentering(read("mlp.c_proj.weight"), read("mlp.c_proj.bias"), 1 / QUICK_GELU_SLOPE),
  });
  return tf.tidy(fold as () => tf.TensorContainer) as unknown as FoldedBlock; // any nesting of objects
}

/**
 * `encodeImages` with folded weights, for scoring: equal to it up to rounding, and without a gradient. The last block is
 * computed for the class tokens alone.
 *
 * @param weights  unfolded weights, for those that are not folded
 * @returns        [crops, embedding], given: rows of unit length
 * @throws {ShapeError} where the patches are not those of `crops` crops
 */
export function encodeFolded(weights: EncoderWeights, folded: FoldedVit, batch: PatchBatch): tf.Tensor2D {
  const { patch, blocks } = folded;
  const { read, architecture } = weights;
  return encodeBy(weights, batch, {
    embed: (patches) => (patch === null ? stem(read, architecture.vision, patches) : matMul(patches, patch)),
    blocks: (tokens) => {
      const start = tf.sub<tf.Tensor2D>(tokens, tf.mean(tokens, 1, true));
      return blocks.reduce((rows, block, layer) => {
        const attend = layer === blocks.length - 1 ? classAttention : allAttention;
        const attended = attend(block.attention, rows, batch.crops);
        const next = feedForward(block, attended);
        tf.dispose([attended, rows]);
        return next;
      }, start);
    },
  });
}

/** Adds attention to all tokens: [crops·tokens, width]. */
function allAttention(attention: FoldedAttention, x: tf.Tensor2D, crops: number): tf.Tensor2D {
  return tf.tidy(() => tf.add<tf.Tensor2D>(x, attendAll(attention, normed(x), crops)));
}

/** Adds attention to the class tokens alone: [crops·tokens, width] → [crops, width]. */
function classAttention(attention: FoldedAttention, x: tf.Tensor2D, crops: number): tf.Tensor2D {
  return tf.tidy(() => {
    const [ofClass, rows] = [classTokens(crops), normed(x)];
    return tf.add<tf.Tensor2D>(ofClass(x), attendQuery(attention, rows, ofClass(rows)));
  });
}

function feedForward({ up, down }: FoldedBlock, x: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    const u = affine(normed(x), up);
    const active = tf.tidy(() => tf.mul<tf.Tensor2D>(u, tf.sigmoid(u)));
    return tf.add<tf.Tensor2D>(x, affine(active, down));
  });
}

/** Brings rows of mean 0 to deviation 1. */
function normed(x: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(x, inverseDeviation(x));
}

/**
 * A block's self-attention over rows of mean 0 and deviation 1, folded into its matrices:
 *
 * - 1/√d in the queries;
 * - no shift of the keys, which adds the same to all that softmax compares, and cancels;
 * - the values' shift after the output projection, as the weights of a query add up to 1.
 */
interface FoldedAttention {
  readonly heads: number;
  readonly query: Affine;
  /** [width, width] */
  readonly key: tf.Tensor2D;
  /** [width, width] */
  readonly value: tf.Tensor2D;
  readonly gather: Affine;
}

/** @returns  given; runs in the caller's tidy */
function foldAttention(read: ReadParameter, { width, heads }: VisionArchitecture): FoldedAttention {
  const all = foldLayerNorm(read, { norm: "ln_1", weight: "attn.in_proj_weight", bias: "attn.in_proj_bias" });
  const matrixOf = (third: number) => tf.slice(all.matrix, [0, third * width], [width, width]);
  const shiftOf = (third: number) => tf.slice(all.shift, [third * width], [width]);
  const { matrix, shift } = foldCentering(read("attn.out_proj.weight"), read("attn.out_proj.bias"));
  return {
    heads,
    query: scaleAffine({ matrix: matrixOf(0), shift: shiftOf(0) }, Math.sqrt(heads / width)), // d = width / heads
    key: matrixOf(1),
    value: matrixOf(2),
    gather: { matrix, shift: tf.add(shift, rowTimes(shiftOf(2), matrix)) },
  };
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
 *
 * @param x      [crops·tokens, width], borrowed: the tokens attended to
 * @param asker  [crops, width], borrowed: the row of `x` with the query, of each crop
 * @returns      [crops, width], given
 */
function attendQuery(attention: FoldedAttention, x: tf.Tensor2D, asker: tf.Tensor2D): tf.Tensor2D {
  const { heads, query, key, value, gather } = attention;
  return tf.tidy(() => {
    const [crops, width] = asker.shape;
    const byHead = (matrix: tf.Tensor2D, order: number[]) =>
      tf.transpose(tf.reshape<tf.Rank.R3>(matrix, [matrix.shape[0], heads, width / heads]), order);
    const tokens = tf.reshape<tf.Rank.R3>(x, [crops, -1, width]);
    const queries = matMul(byHead(affine(asker, query), [1, 0, 2]), byHead(key, [1, 2, 0]));
    const weights = tf.softmax(matMulTransposed(tf.transpose(queries, [1, 0, 2]), tokens)); // [crops, heads, tokens]
    const seen = tf.transpose(matMul(weights, tokens), [1, 0, 2]); // [heads, crops, width]
    const gathered = tf.transpose(matMul(seen, byHead(value, [1, 0, 2])), [1, 0, 2]); // [crops, heads, d]
    return affine(tf.reshape(gathered, asker.shape), gather);
  });
}

/** x·matrix + shift, with the matrix in the layout in which the native engine multiplies fastest. */
interface Affine {
  /** [in, out] */
  readonly matrix: tf.Tensor2D;
  /** [out] */
  readonly shift: tf.Tensor1D;
}

function affine(x: tf.Tensor2D, { matrix, shift }: Affine): tf.Tensor2D {
  return tf.add(matMul(x, matrix), shift);
}

/**
 * A linear map of a layer norm as one of rows that only have mean 0 and deviation 1: gain and shift are folded in.
 *
 * @param names  of the norm, and of the map's weight and bias
 * @returns      given; runs in the caller's tidy, as all functions here
 */
function foldLayerNorm(read: ReadParameter, names: Record<"norm" | "weight" | "bias", string>): Affine {
  const matrix = tf.transpose(read<tf.Rank.R2>(names.weight)); // [in, out]
  const [gain, shift] = [read<tf.Rank.R1>(`${names.norm}.weight`), read<tf.Rank.R1>(`${names.norm}.bias`)];
  return {
    matrix: tf.mul(matrix, tf.reshape(gain, [-1, 1])),
    shift: tf.add(read<tf.Rank.R1>(names.bias), rowTimes(shift, matrix)),
  };
}

/** The map's outputs times a factor. */
function scaleAffine({ matrix, shift }: Affine, factor: number): Affine {
  return { matrix: tf.mul(matrix, factor), shift: tf.mul(shift, factor) };
}

/** The linear map of x·factor, less the mean of its outputs. */
function foldCentering(weight: tf.Tensor2D, bias: tf.Tensor1D, factor = 1): Affine {
  const matrix = tf.transpose(tf.mul<tf.Tensor2D>(tf.sub(weight, tf.mean(weight, 0, true)), factor));
  return { matrix, shift: tf.sub(bias, tf.mean(bias)) };
}

/** [in] · [in, out] → [out]. */
function rowTimes(row: tf.Tensor1D, matrix: tf.Tensor2D): tf.Tensor1D {
  return tf.reshape(matMul(tf.reshape<tf.Rank.R2>(row, [1, -1]), matrix), [-1]);
}
