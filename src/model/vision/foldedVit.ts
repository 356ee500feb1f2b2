import { matMul } from "../../engine/ops.js";
import * as tf from "../../engine/tf.js";
import type { SiglipVision, VisionTransformer } from "../architecture/architecture.js";
import { blockParameters, FOLDED_ACTIVATIONS, LAYER_NORM_EPSILON, SIGLIP_EPSILON } from "../layers.js";
import type { ImageTower, ReadParameter } from "../parameters/parameters.js";
import { pixelsLast } from "./patches.js";

/** Matrices of the image encoder as `encodeFoldedVit` reads them. */
export interface FoldedVit {
  /** [pixels of a patch, width] of the one linear map of each patch; null for a hierarchy of them. */
  readonly patch: tf.Tensor2D | null;
  readonly blocks: readonly FoldedBlock[];
}

/** The same matrices as other tensors: those that `given` has in their places. */
export function withTensors<T>(folded: T, given: ReadonlyMap<tf.Tensor, tf.Tensor | undefined>): T {
  const replaced = (value: unknown): unknown => {
    if (value instanceof tf.Tensor) return given.get(value as tf.Tensor) ?? value;
    if (Array.isArray(value)) return value.map(replaced);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, replaced(part)]));
  };
  return replaced(folded) as T; // of the same keys
}

type FoldedBlock = {
  readonly attention: FoldedAttention;
  readonly up: Affine;
  readonly down: Affine;
  /** Constant of its layer norms. */
  readonly epsilon: number;
};

/**
 * Folds elementwise steps into the weights, so that a block at inference makes half as many passes over its states:
 *
 * - gain and shift of each layer norm into the next matrix;
 * - the mean out of everything that is added to the states: the layer norms that read them subtract it anyway
 *   (arXiv 2305.14858, section 3.1);
 * - the constant factors of the activation into the two matrices around it (`FOLDED_ACTIVATIONS`);
 * - attention as in `FoldedAttention`.
 * @returns  given; runs in the caller's tidy
 */
export function foldVit({ read, vision }: ImageTower<VisionTransformer | SiglipVision>): FoldedVit {
  return {
    patch:
      vision.kind === "siglip" || vision.stem === "patch"
        ? tf.transpose(pixelsLast(read("visual.conv1.weight")))
        : null,
    blocks: Array.from({ length: vision.layers }, (_, layer) =>
      foldBlock(blockParameters(read, "visual.transformer", layer), vision),
    ),
  };
}

/** True where `encodeFoldedVit` no longer reads a weight of the image encoder, since it was folded. */
export function isFoldedOfVit(name: string): boolean {
  return name.startsWith("visual.transformer.") || name === "visual.conv1.weight";
}

/** Has a tidy of its own: the intermediates are three times as large as the weights. */
function foldBlock(read: ReadParameter, vision: VisionTransformer | SiglipVision): FoldedBlock {
  const { into, outOf } = FOLDED_ACTIVATIONS[vision.activation];
  const up = { norm: "ln_2", weight: "mlp.c_fc.weight", bias: "mlp.c_fc.bias" };
  const fold = (): object => ({
    attention: foldAttention(read, vision),
    up: scaleAffine(foldLayerNorm(read, up), into),
    down: foldCentering(read("mlp.c_proj.weight"), read("mlp.c_proj.bias"), outOf),
    epsilon: vision.kind === "siglip" ? SIGLIP_EPSILON : LAYER_NORM_EPSILON,
  });
  return tf.tidy(fold as () => tf.TensorContainer) as unknown as FoldedBlock; // any nesting of objects
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
function foldAttention(
  read: ReadParameter,
  { width, heads }: Pick<VisionTransformer, "width" | "heads">,
): FoldedAttention {
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

/** x·matrix + shift, with the matrix in the layout in which the native engine multiplies fastest. */
interface Affine {
  /** [in, out] */
  readonly matrix: tf.Tensor2D;
  /** [out] */
  readonly shift: tf.Tensor1D;
}

/** A linear map of a layer norm, with gain and shift folded in, for rows of mean 0 and deviation 1. @returns  given */
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
