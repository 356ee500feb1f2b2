import { matMul } from "../../engine/ops.js";
import * as tf from "../../engine/tf.js";
import type { Architecture, VisionArchitecture } from "../architecture/architecture.js";
import { inverseDeviation, QUICK_GELU_SLOPE } from "../layers/layers.js";
import { blockParameters } from "../layers/transformer.js";
import type { ReadParameter } from "../parameters/parameters.js";
import { type Affine, affine, afterNorm, centred, times } from "./affine.js";
import { foldAttention, type FoldedAttention, gatherForAll, gatherForOne } from "./foldedAttention.js";
import { pixelsLast, stem } from "./stem.js";
import { checkPatches, classFeatures, classStates, placedTokens } from "./vit.js";

interface FoldedBlock {
  readonly attention: FoldedAttention;
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
 * Moves into the weights what is otherwise done to every number that passes, so that a block at inference makes half as
 * many passes over its states:
 *
 * - gain and shift of each layer norm into the matrix behind them;
 * - the mean out of everything that is added to the states: whoever reads these is a layer norm, and takes it out anyway
 *   (arXiv 2305.14858, section 3.1);
 * - the slope of QuickGELU, x·σ(1.702 x), into the two matrices around it: u = 1.702 x goes in, u·σ(u) comes out, and
 *   the second matrix divides by 1.702;
 * - of attention what `FoldedAttention` says.
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

/** Whether `encodeFolded` reads a weight of the image tower no more: what it was folded into is enough. */
export function isFolded(name: string): boolean {
  return name.startsWith("visual.transformer.") || name === "visual.conv1.weight";
}

/** With a tidy of its own: what is made on the way is three times as large as the weights. */
function foldBlock(read: ReadParameter, vision: VisionArchitecture): FoldedBlock {
  const fold = (): object => ({
    attention: foldAttention(read, vision),
    up: times(afterNorm(read, "ln_2", "mlp.c_fc.weight", "mlp.c_fc.bias"), QUICK_GELU_SLOPE),
    down: centred(read("mlp.c_proj.weight"), read("mlp.c_proj.bias"), 1 / QUICK_GELU_SLOPE),
  });
  return tf.tidy(fold as () => tf.TensorContainer) as unknown as FoldedBlock; // any nesting of objects
}

/**
 * `encodeImages` with folded weights, for scoring: equal to it up to rounding, and without a gradient. The last block is
 * computed for the class tokens alone.
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
    const last = folded.blocks.length - 1;
    const states = folded.blocks.reduce((rows, block, layer) => {
      const attended = layer === last ? attendClass(block, rows, crops, vision) : attendAll(block, rows, crops, vision);
      const next = feedForward(block, attended);
      tf.dispose([attended, rows]);
      return next;
    }, start);
    return classFeatures(read, architecture, states);
  });
}

function attendAll({ attention }: FoldedBlock, x: tf.Tensor2D, crops: number, { heads }: VisionArchitecture) {
  return tf.tidy(() => tf.add<tf.Tensor2D>(x, gatherForAll(normed(x), attention, crops, heads)));
}

/** Of the class tokens alone: [crops, width]. */
function attendClass({ attention }: FoldedBlock, x: tf.Tensor2D, crops: number, { heads }: VisionArchitecture) {
  return tf.tidy(() => {
    const [ofClass, rows] = [classStates(crops), normed(x)];
    return tf.add<tf.Tensor2D>(ofClass(x), gatherForOne(rows, ofClass(rows), attention, heads));
  });
}

function feedForward({ up, down }: FoldedBlock, x: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    const u = affine(normed(x), up);
    const active = tf.tidy(() => tf.mul<tf.Tensor2D>(u, tf.sigmoid(u)));
    return tf.add<tf.Tensor2D>(x, affine(active, down));
  });
}

/** Rows of mean 0 to deviation 1. */
function normed(x: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(x, inverseDeviation(x));
}
