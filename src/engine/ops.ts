import * as tf from "./tf.js";

/** Result of an operation: its value, the tensors that its gradient keeps, and the gradients by its inputs. */
interface Forward<S extends tf.Tensor[]> {
  readonly value: tf.Tensor;
  readonly saved: S;
  readonly gradients: (dy: tf.Tensor, ...saved: S) => tf.Tensor[];
}

/** Operation with a hand-written gradient. @param forward  gets the operation's inputs */
export function withGradients<I extends tf.Tensor[], S extends [] | tf.Tensor[]>(
  forward: (...inputs: I) => Forward<S>,
): (...inputs: I) => tf.Tensor {
  return tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    // customGrad passes the inputs in order, then the function that keeps tensors for the gradient
    const { value, saved, gradients } = forward(...(args.slice(0, -1) as I));
    (args.at(-1) as tf.GradSaveFunc)(saved);
    return { value, gradFunc: (dy: tf.Tensor, kept: tf.Tensor[]) => gradients(dy, ...(kept as S)) }; // what was saved
  });
}

/** a·b for matrices, or for stacks of them of equal shape: [..., n, k] · [..., k, m] → [..., n, m]. */
export function matMul<T extends tf.Tensor>(a: T, b: T): T {
  return product(a, b) as T; // the ranks are equal
}

/** a·bᵀ for matrices or stacks of them: [..., n, k] · [..., m, k] → [..., n, m]. */
export function matMulTransposed<T extends tf.Tensor>(a: T, b: T): T {
  return transposedProduct(a, b) as T;
}

/** aᵀ·b, without a gradient, for use in gradients: [..., k, n] · [..., k, m] → [..., n, m]. */
export function transposedMatMul<T extends tf.Tensor>(a: T, b: T): T {
  return multiply(a, b, "a") as T;
}

const product = withGradients((a: tf.Tensor, b: tf.Tensor) => ({
  value: multiply(a, b, "none"),
  saved: [a, b],
  gradients: (dy, x, y) => [multiply(dy, y, "b"), multiply(x, dy, "a")],
}));

const transposedProduct = withGradients((a: tf.Tensor, b: tf.Tensor) => ({
  value: multiply(a, b, "b"),
  saved: [a, b],
  gradients: (dy, x, y) => [multiply(dy, y, "none"), multiply(dy, x, "a")],
}));

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
  const gather = withGradients((input: tf.Tensor2D) => ({
    value: tf.gather(input, tf.tensor1d(indices, "int32")),
    saved: [],
    gradients: (dy) => [gatherBack(dy as tf.Tensor2D, indices, x.shape[0])], // of the value's shape
  }));
  return gather(x) as tf.Tensor2D; // as its input
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
