import * as tf from "./tf.js";

/** a·b for matrices, or for stacks of them of equal shape: [..., n, k] · [..., k, m] → [..., n, m]. */
export function matMul<T extends tf.Tensor>(a: T, b: T): T {
  return product(a, b) as T; // customGrad forgets the rank
}

/** a·bᵀ for matrices or stacks of them: [..., n, k] · [..., m, k] → [..., n, m]. */
export function matMulTransposed<T extends tf.Tensor>(a: T, b: T): T {
  return transposedProduct(a, b) as T;
}

/** aᵀ·b, without a gradient, for use in gradients: [..., k, n] · [..., k, m] → [..., n, m]. */
export function transposedMatMul<T extends tf.Tensor>(a: T, b: T): T {
  return multiply(a, b, "a") as T; // the ranks are equal
}

const product = productWithGradient("none");
const transposedProduct = productWithGradient("b");

function productWithGradient(transposed: "none" | "b") {
  return tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    // customGrad hands over the inputs in order, then the function that keeps tensors for the gradient
    const [a, b, save] = args as [tf.Tensor, tf.Tensor, tf.GradSaveFunc];
    save([a, b]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [x, y] = saved as [tf.Tensor, tf.Tensor]; // what was saved above
      return transposed === "b"
        ? [multiply(dy, y, "none"), multiply(dy, x, "a")]
        : [multiply(dy, y, "b"), multiply(x, dy, "a")];
    };
    return { value: multiply(a, b, transposed), gradFunc };
  });
}

/** Product of two matrices, one of them transposed. */
function multiply(a: tf.Tensor, b: tf.Tensor, transposed: "none" | "a" | "b"): tf.Tensor {
  const [isA, isB] = [transposed === "a", transposed === "b"];
  // The WebAssembly backend multiplies with a flagged transposed operand at 0.8 GFLOP/s and transposes first at 5.8
  // (measured, 384 x 384); the others take the flag.
  if (tf.getBackend() !== "wasm") return tf.matMul(a, b, isA, isB);
  return tf.matMul(isA ? swapLastAxes(a) : a, isB ? swapLastAxes(b) : b);
}

function swapLastAxes(x: tf.Tensor): tf.Tensor {
  const axes = x.shape.map((_, axis) => axis);
  return tf.transpose(x, [...axes.slice(0, -2), x.rank - 1, x.rank - 2]);
}

/**
 * Rows of a matrix, by index. TensorFlow.js's own `gather` has a scatter for its gradient, which the WebAssembly
 * backend lacks; the indices are constants here, so the gradient is a gather too: row r receives the sum of the
 * gradients at the places that selected it.
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
  const layers: Int32Array[] = []; // layer k holds the place of each row's k-th gradient
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
