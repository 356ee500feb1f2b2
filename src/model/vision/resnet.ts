/**
 * CLIP's modified ResNet with attention pooling (arXiv 2103.00020, section 2.4; OpenAI CLIP, model.py `ModifiedResNet`).
 * Pictures are matrices: a row a pixel, a column a channel, crop after crop. Batch statistics are constants, so that each
 * norm is folded into the convolution before it; all products are of matrices, on every engine.
 */
import { checkpointed } from "../../engine/autodiff/checkpointed.js";
import { computedAfter } from "../../engine/compile/tracing.js";
import { linear, matMul, matMulTransposed, transposedMatMul, withGradients } from "../../engine/ops.js";
import * as tf from "../../engine/tf.js";
import type { ResNet } from "../architecture/architecture.js";
import { type Checkpointing, l2Normalize, type LinearMap, scale } from "../layers.js";
import type { ImageTower, ReadParameter } from "../parameters/parameters.js";
import { type PatchBatch, pixelsLast, RESNET_CELL } from "./patches.js";

/** Constant inside the square root of a batch norm, as in PyTorch. */
export const BATCH_NORM_EPSILON = 1e-5;

/** Convolutions with their norms folded in: kernels [out, rows·cols·in], shifts [out]. */
export interface FoldedResNet {
  readonly stem: readonly LinearMap[];
  readonly blocks: readonly FoldedBottleneck[];
}

interface FoldedBottleneck {
  /** 1 x 1, 3 x 3, 1 x 1. */
  readonly maps: readonly [LinearMap, LinearMap, LinearMap];
  /** Of the shortcut; null where that is the block's input itself. */
  readonly shortcut: LinearMap | null;
  /** 2 where the block halves the picture's side. */
  readonly stride: number;
}

/** True where `encodeFoldedResNet` no longer reads a weight, since it was folded. */
export function isFoldedOfResNet(name: string): boolean {
  return !name.startsWith("visual.attnpool.");
}

/** Folds each norm into its convolution. @returns  given; runs in the caller's tidy; gradients pass through */
export function foldResNet({ read, vision }: ImageTower<ResNet>): FoldedResNet {
  const conv = (name: string, norm: string) => foldNorm(read, `visual.${name}.weight`, `visual.${norm}`);
  const first = foldNorm(read, "visual.conv1.weight", "visual.bn1", cellKernel);
  return {
    stem: [first, conv("conv2", "bn2"), conv("conv3", "bn3")],
    blocks: bottlenecks(vision).map(({ name, stride, hasShortcut }) => ({
      maps: [1, 2, 3].map((i) => conv(`${name}.conv${i}`, `${name}.bn${i}`)) as [LinearMap, LinearMap, LinearMap], // of three
      shortcut: hasShortcut ? conv(`${name}.downsample.0`, `${name}.downsample.1`) : null,
      stride,
    })),
  };
}

/** Blocks from the input up. */
export function bottlenecks(vision: ResNet) {
  return vision.stages.flatMap((blocks, stage) =>
    Array.from({ length: blocks }, (_, i) => ({
      name: `layer${stage + 1}.${i}`,
      stride: i === 0 && stage > 0 ? 2 : 1,
      hasShortcut: i === 0,
    })),
  );
}

type KernelOrder = (kernel: tf.Tensor4D) => tf.Tensor2D;

function foldNorm(read: ReadParameter, conv: string, norm: string, order: KernelOrder = pixelsLast): LinearMap {
  const variance = tf.add(read<tf.Rank.R1>(`${norm}.running_var`), BATCH_NORM_EPSILON);
  const factor = tf.mul<tf.Tensor1D>(read<tf.Rank.R1>(`${norm}.weight`), tf.rsqrt(variance)); // [out]
  const shift = tf.sub<tf.Tensor1D>(read(`${norm}.bias`), tf.mul(read(`${norm}.running_mean`), factor));
  return { weight: tf.mul<tf.Tensor2D>(order(read(conv)), tf.reshape(factor, [-1, 1])), bias: shift };
}

/**
 * Kernel [out, 3, 3, 3] of the first convolution, of stride 2 and padding 1, over cells: a picture's output (i, j) reads the
 * cells i - 1 and i, without the first's upper row, and likewise of columns. [out, 2·2 cells · 2·2 pixels · 3]
 */
function cellKernel(kernel: tf.Tensor4D): tf.Tensor2D {
  const [out, channels] = kernel.shape;
  const even = tf.pad(kernel, [[0, 0], [0, 0], [1, 0], [1, 0]]); // prettier-ignore
  const apart = tf.reshape(even, [out, channels, RESNET_CELL, RESNET_CELL, RESNET_CELL * RESNET_CELL]); // [out, in, cell row, row, cell col · col]
  const rows = tf.transpose(apart, [0, 2, 3, 4, 1]); // [out, cell row, row, cell col · col, in]
  const columns = tf.reshape(rows, [out * RESNET_CELL, RESNET_CELL, RESNET_CELL, RESNET_CELL * channels]); // [.., row, cell col, col · in]
  return tf.reshape(tf.transpose(columns, [0, 2, 1, 3]), [out, -1]); // [out, cell row · cell col · row · col · in]
}

/** Crops of a batch, and the side of their pictures as they are now. */
interface Grid {
  readonly crops: number;
  readonly side: number;
}

/**
 * Image features.
 * @param keep  for the backward pass: all activations, or each block's input alone
 * @returns     [crops, embedding], given: rows of unit length
 */
export function encodeResNet(tower: ImageTower<ResNet>, batch: PatchBatch, keep?: Checkpointing): tf.Tensor2D {
  return tf.tidy(() => encodeFoldedResNet(tower, foldResNet(tower), batch, keep));
}

/** `encodeResNet` with convolutions that were folded before; it reads the attention pooling's weights alone. */
export function encodeFoldedResNet(
  { read, vision }: ImageTower<ResNet>,
  { stem, blocks }: FoldedResNet,
  { patches, crops }: PatchBatch,
  keep: Checkpointing = "activations",
): tf.Tensor2D {
  return tf.tidy(() => {
    let side = vision.imageSize / RESNET_CELL;
    let x = tf.tidy(() => stemOf(stem, patches, { crops, side }));
    side /= 2;
    for (const block of blocks) {
      const grid = { crops, side };
      const maps = [...block.maps, ...(block.shortcut === null ? [] : [block.shortcut])];
      const apply = ([rows, ...tensors]: readonly tf.Tensor[]) =>
        bottleneck(rows as tf.Tensor2D, withMaps(block, tensors), grid);
      const inputs = [x, ...maps.flatMap(({ weight, bias }) => [weight, bias])];
      x = keep === "activations" ? tf.tidy(() => apply(inputs)) : (checkpointed(apply, inputs) as tf.Tensor2D); // as `apply`
      side /= block.stride;
    }
    return l2Normalize(attentionPool(read, tf.reshape<tf.Rank.R3>(x, [crops, side * side, -1]), vision.heads));
  });
}

/** The block with its maps as other tensors: weight and bias of each, in order. */
function withMaps(block: FoldedBottleneck, tensors: readonly tf.Tensor[]): FoldedBottleneck {
  const map = (i: number): LinearMap => ({ weight: tensors[2 * i] as tf.Tensor2D, bias: tensors[2 * i + 1] as tf.Tensor1D }); // prettier-ignore
  return { ...block, maps: [map(0), map(1), map(2)], shortcut: block.shortcut === null ? null : map(3) };
}

/** Cells [crops·side·side, 12] to [crops·(side/2)², width]: three convolutions, then half the side. */
function stemOf([first, second, third]: readonly LinearMap[], cells: tf.Tensor2D, grid: Grid): tf.Tensor2D {
  if (first === undefined || second === undefined || third === undefined) throw new Error("internal: resnet: no stem");
  const one = tf.tidy(() => relu(linear(besideCells(cells, grid), first.weight, first.bias)));
  const two = tf.tidy(() => relu(convolution(one, second, grid)));
  return averaged(relu(convolution(two, third, grid)), grid);
}

/** Each cell with the one above, the one on its left and the one between: [.., 12] → [.., 48]; zeros outside. */
function besideCells(cells: tf.Tensor2D, { crops, side }: Grid): tf.Tensor2D {
  const channels = cells.shape[1];
  const padded = tf.pad(tf.reshape(cells, [crops, side, side, channels]), [[0, 0], [1, 0], [1, 0], [0, 0]]); // prettier-ignore
  const corner = (row: number, col: number) => tf.slice(padded, [0, row, col, 0], [crops, side, side, channels]);
  return tf.reshape(tf.concat([corner(0, 0), corner(0, 1), corner(1, 0), corner(1, 1)], 3), [-1, 4 * channels]);
}

/** A residual block; the stride is an averaging between the convolutions, and before the shortcut's. */
function bottleneck(x: tf.Tensor2D, { maps, shortcut, stride }: FoldedBottleneck, grid: Grid): tf.Tensor2D {
  const [first, second, third] = maps;
  const smaller = (rows: tf.Tensor2D) => (stride === 1 ? rows : averaged(rows, grid));
  const narrow = tf.tidy(() => relu(linear(x, first.weight, first.bias)));
  const seen = tf.tidy(() => smaller(relu(convolution(narrow, second, grid))));
  const residual = linear(seen, third.weight, third.bias);
  const kept = shortcut === null ? x : linear(smaller(x), shortcut.weight, shortcut.bias);
  return relu(tf.add(residual, kept));
}

function relu(x: tf.Tensor2D): tf.Tensor2D {
  return reluOp(x) as tf.Tensor2D; // as its input
}

const reluOp = withGradients((x: tf.Tensor) => {
  const value = tf.relu(x);
  return { value, saved: [value], gradients: (dy, y) => [tf.mul(dy, tf.cast(tf.greater(y, 0), "float32"))] };
});

/** Mean of each two by two pixels: [crops·side·side, channels] → [crops·(side/2)², channels]. */
function averaged(x: tf.Tensor2D, { crops, side }: Grid): tf.Tensor2D {
  const [channels, half] = [x.shape[1], side / 2];
  const rows = tf.mean(tf.reshape(x, [crops * half, 2, side * channels]), 1); // [crops·half, side·channels]
  return tf.reshape(tf.mean(tf.reshape(rows, [crops * half * half, 2, channels]), 1), [-1, channels]);
}

/** Largest number of values in one matrix of neighborhoods: of more, crops are convolved in groups. */
const NEIGHBORHOODS = 2 ** 24;

/** Convolution of 3 x 3 with padding 1: [crops·side·side, in] → [.., out]. */
function convolution(x: tf.Tensor2D, { weight, bias }: LinearMap, grid: Grid): tf.Tensor2D {
  const perCrop = grid.side ** 2 * 9 * x.shape[1];
  const size = Math.max(1, Math.floor(NEIGHBORHOODS / perCrop));
  const pixels = grid.side ** 2;
  const groups = Array.from({ length: Math.ceil(grid.crops / size) }, (_, i) => {
    const crops = Math.min(size, grid.crops - i * size);
    const rows = size >= grid.crops ? x : tf.slice(x, [i * size * pixels, 0], [crops * pixels, -1]);
    return neighborProduct(rows, weight, { crops, side: grid.side });
  });
  return tf.add(groups.length === 1 ? (groups[0] as tf.Tensor2D) : tf.concat2d(groups, 0), bias); // one is there
}

/**
 * Product of each pixel's neighborhood with the kernel [out, 9·in]. It keeps no neighborhoods: they are nine times as
 * large as the picture, and quick to gather again.
 */
function neighborProduct(x: tf.Tensor2D, kernel: tf.Tensor2D, grid: Grid): tf.Tensor2D {
  const op = withGradients((rows: tf.Tensor2D, k: tf.Tensor2D) => ({
    value: matMulTransposed(neighborhoods(rows, grid, "forward"), k),
    saved: [rows, k],
    gradients: (dy, seen, weights) => [
      byInput(dy as tf.Tensor2D, weights, grid), // as the value
      tf.tidy(() =>
        transposedMatMul(
          dy,
          computedAfter(dy, () => neighborhoods(seen, grid, "forward")),
        ),
      ),
    ],
  }));
  return op(x, kernel) as tf.Tensor2D; // a matrix times a matrix
}

/** Gradient by the input: each pixel gathers from where it was seen, in the opposite order of neighbors. */
function byInput(dy: tf.Tensor2D, kernel: tf.Tensor2D, grid: Grid): tf.Tensor2D {
  return tf.tidy(() => {
    const [out, columns] = kernel.shape;
    const turned = tf.transpose(tf.reshape<tf.Rank.R3>(kernel, [out, 9, columns / 9]), [1, 0, 2]); // [9, out, in]
    return matMul(neighborhoods(dy, grid, "backward"), tf.reshape<tf.Rank.R2>(turned, [9 * out, columns / 9]));
  });
}

/** Each pixel's neighbors side by side, zeros outside: [crops·side·side, channels] → [.., 9·channels]. */
function neighborhoods(x: tf.Tensor2D, { crops, side }: Grid, order: "forward" | "backward"): tf.Tensor2D {
  return tf.tidy(() => {
    const channels = x.shape[1];
    const padded = tf.pad(tf.reshape(x, [crops, side, side, channels]), [[0, 0], [1, 1], [1, 1], [0, 0]]); // prettier-ignore
    const shifts = Array.from({ length: 9 }, (_, i) => (order === "forward" ? i : 8 - i));
    const parts = shifts.map((shift) =>
      tf.slice(padded, [0, Math.floor(shift / 3), shift % 3, 0], [crops, side, side, channels]),
    );
    return tf.reshape(tf.concat(parts, 3), [crops * side * side, 9 * channels]);
  });
}

/** Attention of the mean over a crop's pixels to all of them and itself: [crops, pixels, width] → [crops, embedding]. */
function attentionPool(read: ReadParameter, cells: tf.Tensor3D, heads: number): tf.Tensor2D {
  const [crops, , width] = cells.shape;
  const project = (name: string, rows: tf.Tensor2D) =>
    linear(rows, read(`visual.attnpool.${name}.weight`), read(`visual.attnpool.${name}.bias`));
  const all = tf.concat([tf.mean(cells, 1, true), cells], 1);
  const placed = tf.add<tf.Tensor3D>(all, read("visual.attnpool.positional_embedding"));
  const rows = tf.reshape<tf.Rank.R2>(placed, [-1, width]);
  const first = tf.reshape<tf.Rank.R2>(tf.slice(placed, [0, 0, 0], [-1, 1, -1]), [crops, width]);
  const byHead = (matrix: tf.Tensor2D) =>
    tf.transpose(tf.reshape<tf.Rank.R4>(matrix, [crops, matrix.shape[0] / crops, heads, -1]), [0, 2, 1, 3]);
  const query = scale(byHead(project("q_proj", first)), Math.sqrt(heads / width)); // [crops, heads, 1, d]
  const weights = tf.softmax(matMulTransposed(query, byHead(project("k_proj", rows)))); // [crops, heads, 1, tokens]
  const gathered = matMul(weights, byHead(project("v_proj", rows))); // [crops, heads, 1, d]
  return project("c_proj", tf.reshape<tf.Rank.R2>(gathered, [crops, width]));
}
