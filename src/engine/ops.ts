import * as tf from "./tf.js";

/**
 * Matrix products with a gradient that every backend computes well. The WebAssembly backend multiplies with a flagged
 * transposed operand at 0.8 GFLOP/s and transposes first at 5.8 (measured, 384 x 384); the others take the flag.
 */
const TRANSPOSES_FIRST = "wasm";

/** a·b for matrices, or for stacks of them of equal shape: [..., n, k] · [..., k, m] → [..., n, m]. */
export function matMul<T extends tf.Tensor>(a: T, b: T): T {
  return productOp(a, b) as T; // customGrad forgets the rank
}

/** a·bᵀ, likewise: [..., n, k] · [..., m, k] → [..., n, m]. */
export function matMulTransposed<T extends tf.Tensor>(a: T, b: T): T {
  return transposedProductOp(a, b) as T;
}

const productOp = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
  // customGrad hands over the inputs in order, then the function that keeps tensors for the gradient
  const [a, b, save] = args as [tf.Tensor, tf.Tensor, tf.GradSaveFunc];
  save([a, b]);
  const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
    const [x, y] = saved as [tf.Tensor, tf.Tensor]; // what was saved above
    return [multiply(dy, y, false, true), multiply(x, dy, true, false)];
  };
  return { value: multiply(a, b, false, false), gradFunc };
});

const transposedProductOp = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
  const [a, b, save] = args as [tf.Tensor, tf.Tensor, tf.GradSaveFunc];
  save([a, b]);
  const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
    const [x, y] = saved as [tf.Tensor, tf.Tensor];
    return [multiply(dy, y, false, false), multiply(dy, x, true, false)];
  };
  return { value: multiply(a, b, false, true), gradFunc };
});

/** aᵀ·b, for use in gradients: it has none of its own. [..., k, n] · [..., k, m] → [..., n, m]. */
export function transposedMatMul<T extends tf.Tensor>(a: T, b: T): T {
  return multiply(a, b, true, false) as T; // the ranks are equal
}

function multiply(a: tf.Tensor, b: tf.Tensor, transposeA: boolean, transposeB: boolean): tf.Tensor {
  if (tf.getBackend() !== TRANSPOSES_FIRST) return tf.matMul(a, b, transposeA, transposeB);
  return tf.matMul(transposeA ? transposed(a) : a, transposeB ? transposed(b) : b);
}

/** The last two axes swapped. */
function transposed(x: tf.Tensor): tf.Tensor {
  const axes = x.shape.map((_, axis) => axis);
  return tf.transpose(x, [...axes.slice(0, -2), x.rank - 1, x.rank - 2]);
}

/**
 * Rows of a matrix, by index. The gradient of TensorFlow.js's own `gather` is a scatter that the WebAssembly backend
 * lacks; the indices are constants here, so the way back is a gather too: row r receives the sum of the gradients at
 * the places that took it.
 *
 * @param x        [rows, width], borrowed
 * @param indices  [selected], each below rows
 * @returns        [selected, width]; runs inside the caller's tidy
 */
export function gatherRows(x: tf.Tensor2D, indices: Int32Array): tf.Tensor2D {
  const op = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [input] = args as [tf.Tensor2D]; // one input, nothing to save
    const value: tf.Tensor = tf.gather(input, tf.tensor1d(indices, "int32"));
    const gradFunc = (dy: tf.Tensor): tf.Tensor => gatherBack(dy as tf.Tensor2D, indices, input.shape[0]); // as value
    return { value, gradFunc };
  });
  return op(x) as tf.Tensor2D; // customGrad forgets the rank
}

function gatherBack(dy: tf.Tensor2D, indices: Int32Array, rows: number): tf.Tensor {
  const selected = indices.length;
  const withZeroRow = tf.concat([dy, tf.zeros([1, dy.shape[1]])], 0);
  const layers: Int32Array[] = []; // layer k says where the k-th gradient of each row stands
  const seen = new Int32Array(rows);
  indices.forEach((row, place) => {
    const k = seen[row] ?? 0;
    seen[row] = k + 1;
    const layer = layers[k] ?? new Int32Array(rows).fill(selected);
    layers[k] = layer;
    layer[row] = place;
  });
  const gradients = layers.map((layer): tf.Tensor => tf.gather(withZeroRow, tf.tensor1d(layer, "int32")));
  return gradients.reduce((sum, gradient) => tf.add(sum, gradient)); // the first layer always exists
}
