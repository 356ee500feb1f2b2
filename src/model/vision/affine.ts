import { matMul } from "../../engine/ops.js";
import * as tf from "../../engine/tf.js";
import type { ReadParameter } from "../parameters/parameters.js";

/** x·matrix + shift, with the matrix the way round in which the native engine multiplies fastest. */
export interface Affine {
  /** [in, out] */
  readonly matrix: tf.Tensor2D;
  /** [out] */
  readonly shift: tf.Tensor1D;
}

export function affine(x: tf.Tensor2D, { matrix, shift }: Affine): tf.Tensor2D {
  return tf.add(matMul(x, matrix), shift);
}

/**
 * A linear map of a layer norm as one of rows that are only brought to mean 0 and deviation 1: gain and shift are in it.
 *
 * @returns  given; runs in the caller's tidy, as all here
 */
export function afterNorm(read: ReadParameter, norm: string, weight: string, bias: string): Affine {
  const matrix = tf.transpose(read<tf.Rank.R2>(weight)); // [in, out]
  const [gain, shift] = [read<tf.Rank.R1>(`${norm}.weight`), read<tf.Rank.R1>(`${norm}.bias`)];
  return {
    matrix: tf.mul(matrix, tf.reshape(gain, [-1, 1])),
    shift: tf.add(read<tf.Rank.R1>(bias), rowTimes(shift, matrix)),
  };
}

/** The map's outputs times a factor. */
export function times({ matrix, shift }: Affine, factor: number): Affine {
  return { matrix: tf.mul(matrix, factor), shift: tf.mul(shift, factor) };
}

/** The linear map of x·factor, less the mean of its outputs. */
export function centred(weight: tf.Tensor2D, bias: tf.Tensor1D, factor = 1): Affine {
  const matrix = tf.transpose(tf.mul<tf.Tensor2D>(tf.sub(weight, tf.mean(weight, 0, true)), factor));
  return { matrix, shift: tf.sub(bias, tf.mean(bias)) };
}

/** [in] · [in, out] → [out]. */
export function rowTimes(row: tf.Tensor1D, matrix: tf.Tensor2D): tf.Tensor1D {
  return tf.reshape(matMul(tf.reshape<tf.Rank.R2>(row, [1, -1]), matrix), [-1]);
}
