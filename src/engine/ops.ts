import { inFloat32 } from "./compile/tracing.js";
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

/** x·Wᵀ + b: x [rows, in], weight [out, in], bias [out] → [rows, out]. */
export function linear(x: tf.Tensor2D, weight: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor2D {
  const product = matMulTransposed(x, weight);
  return bias === undefined ? product : tf.add<tf.Tensor2D>(product, bias);
}

/** aᵀ·b, without a gradient, for use in gradients: [..., k, n] · [..., k, m] → [..., n, m]. */
export function transposedMatMul<T extends tf.Tensor>(a: T, b: T): T {
  return multiply(a, b, "a") as T;
}

/** `matMul` in float32 whatever `engine.precision` says, forward and backward: [..., n, k] · [..., k, m] → [..., n, m]. */
export function exactMatMul<T extends tf.Tensor>(a: T, b: T): T {
  return exactProduct(a, b) as T;
}

/** `matMulTransposed` in float32 whatever `engine.precision` says, forward and backward. */
export function exactMatMulTransposed<T extends tf.Tensor>(a: T, b: T): T {
  return exactTransposedProduct(a, b) as T;
}

type Multiply = typeof multiply;

const exactly: Multiply = (...operands) => inFloat32(() => multiply(...operands));

const productBy = (times: Multiply) =>
  withGradients((a: tf.Tensor, b: tf.Tensor) => ({
    value: times(a, b, "none"),
    saved: [a, b],
    gradients: (dy, x, y) => [times(dy, y, "b"), times(x, dy, "a")],
  }));

const transposedProductBy = (times: Multiply) =>
  withGradients((a: tf.Tensor, b: tf.Tensor) => ({
    value: times(a, b, "b"),
    saved: [a, b],
    gradients: (dy, x, y) => [times(dy, y, "none"), times(dy, x, "a")],
  }));

const [product, exactProduct] = [productBy(multiply), productBy(exactly)];
const [transposedProduct, exactTransposedProduct] = [transposedProductBy(multiply), transposedProductBy(exactly)];

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
