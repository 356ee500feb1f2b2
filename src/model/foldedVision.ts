import { matMul } from "../engine/matMul.js";
import * as tf from "../engine/tf.js";
import type { Architecture, VisionArchitecture } from "./architecture.js";
import { inverseDeviation, QUICK_GELU_SLOPE } from "./layers.js";
import type { ReadParameter } from "./parameters.js";
import { pixelsLast, stem } from "./stem.js";
import { type Attend, attendWithin, blockParameters, everyRow, type PickRows } from "./transformer.js";
import { checkPatches, classFeatures, classStates, placedTokens } from "./visionTower.js";

/** x·matrix + shift. */
interface Affine {
  /** [in, out] */
  readonly matrix: tf.Tensor2D;
  /** [out] */
  readonly shift: tf.Tensor1D;
}

interface FoldedBlock {
  readonly look: Affine;
  readonly gather: Affine;
  readonly up: Affine;
  readonly down: Affine;
}

/** The image tower's matrices as `encodeFolded` wants them. */
export interface FoldedVision {
  /** [pixels of a patch, width] of the one linear map of each patch; null for a hierarchy of them. */
  readonly patch: tf.Tensor2D | null;
  readonly blocks: readonly FoldedBlock[];
}

/**
 * Moves into the weights what is otherwise done to every number that passes, so that a block at inference makes ten
 * passes over its states instead of twenty:
 *
 * - gain and shift of each layer norm, and the queries' 1/√d, into the matrix behind them;
 * - the mean out of everything that is added to the states: whoever reads these is a layer norm, and takes it out anyway
 *   (arXiv 2305.14858, section 3.1);
 * - the slope of QuickGELU, x·σ(1.702 x), into the two matrices around it: u = −1.702 x goes in, u / (1 + exp u) comes
 *   out, and the second matrix divides by −1.702.
 *
 * Matrices are [in, out], the way in which the native engine multiplies fastest.
 *
 * @returns  given; runs in the caller's tidy
 */
export function foldVision(read: ReadParameter, { vision }: Architecture): FoldedVision {
  return {
    patch: vision.stem === "patch" ? tf.transpose(pixelsLast(read("visual.conv1.weight"))) : null,
    blocks: Array.from({ length: vision.layers }, (_, layer) =>
      foldBlock(blockParameters(read, "visual.transformer", layer), vision),
    ),
  };
}

function foldBlock(read: ReadParameter, { width, heads }: VisionArchitecture): FoldedBlock {
  const queries = tf.fill<tf.Rank.R1>([width], Math.sqrt(heads / width)); // 1/√d, d = width / heads
  const scales = tf.concat1d([queries, tf.ones<tf.Rank.R1>([2 * width])]);
  return {
    look: scaledRows(afterNorm(read, "ln_1", "attn.in_proj_weight", "attn.in_proj_bias"), scales),
    gather: centred(read("attn.out_proj.weight"), read("attn.out_proj.bias"), 1),
    up: scaledRows(afterNorm(read, "ln_2", "mlp.c_fc.weight", "mlp.c_fc.bias"), tf.scalar(-QUICK_GELU_SLOPE)),
    down: centred(read("mlp.c_proj.weight"), read("mlp.c_proj.bias"), -1 / QUICK_GELU_SLOPE),
  };
}

/** A linear map of a layer norm as one of its bare quotient. */
function afterNorm(read: ReadParameter, norm: string, weight: string, bias: string): Affine {
  const matrix = tf.transpose(read<tf.Rank.R2>(weight)); // [in, out]
  const [gain, shift] = [read<tf.Rank.R1>(`${norm}.weight`), read<tf.Rank.R1>(`${norm}.bias`)];
  const shifted = tf.reshape<tf.Rank.R1>(matMul(tf.reshape<tf.Rank.R2>(shift, [1, -1]), matrix), [-1]);
  return { matrix: tf.mul(matrix, tf.reshape(gain, [-1, 1])), shift: tf.add(read<tf.Rank.R1>(bias), shifted) };
}

/** Each output times its own factor, or all times one. */
function scaledRows({ matrix, shift }: Affine, factors: tf.Tensor): Affine {
  return { matrix: tf.mul(matrix, factors), shift: tf.mul<tf.Tensor1D>(shift, factors) };
}

/** The linear map of x·factor, less the mean of its outputs. */
function centred(weight: tf.Tensor2D, bias: tf.Tensor1D, factor: number): Affine {
  const matrix = tf.transpose(tf.mul<tf.Tensor2D>(tf.sub(weight, tf.mean(weight, 0, true)), factor));
  return { matrix, shift: tf.sub(bias, tf.mean(bias)) };
}

/**
 * `encodeImages` with folded weights, for scoring: equal to it up to rounding, and without a gradient.
 *
 * @param read     the weights as they are, for what is not folded
 * @param patches  as in `encodeImages`, borrowed
 * @returns        [crops, embedding], given: rows of unit length
 * @throws {ShapeError} where the patches are not those of `crops` crops
 */
export function encodeFolded(
  read: ReadParameter,
  folded: FoldedVision,
  architecture: Architecture,
  patches: tf.Tensor2D,
  crops: number,
): tf.Tensor2D {
  const { vision } = architecture;
  checkPatches(patches, vision, crops);
  return tf.tidy(() => {
    const cells = folded.patch === null ? stem(read, vision, patches) : matMul(patches, folded.patch);
    const tokens = placedTokens(read, vision, cells, crops);
    const start = tf.sub<tf.Tensor2D>(tokens, tf.mean(tokens, 1, true));
    const attend = attendWithin(crops, vision.heads, 1);
    const last = folded.blocks.length - 1;
    const states = folded.blocks.reduce((rows, block, layer) => {
      const pick = layer === last ? classStates(crops) : everyRow;
      return tf.tidy(() => foldedBlock(block, attend, rows, pick));
    }, start);
    return classFeatures(read, architecture, states);
  });
}

function foldedBlock({ look, gather, up, down }: FoldedBlock, attend: Attend, x: tf.Tensor2D, pick: PickRows) {
  const attended = tf.tidy(() => {
    const gathered = pick(attend(affine(normed(x), look)));
    return tf.add<tf.Tensor2D>(pick(x), affine(gathered, gather));
  });
  return tf.tidy(() => {
    const u = affine(normed(attended), up);
    const active = tf.div<tf.Tensor2D>(u, tf.add(tf.exp(u), 1)); // 0 where exp u is infinite
    return tf.add<tf.Tensor2D>(attended, affine(active, down));
  });
}

/** Rows of mean 0 to deviation 1. */
function normed(x: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(x, inverseDeviation(x));
}

function affine(x: tf.Tensor2D, { matrix, shift }: Affine): tf.Tensor2D {
  return tf.add(matMul(x, matrix), shift);
}
