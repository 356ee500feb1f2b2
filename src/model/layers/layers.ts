import { valueAndGradients } from "../../engine/autodiff/valueAndGradients.js";
import { matMul, matMulTransposed, transposedMatMul } from "../../engine/ops.js";
import * as tf from "../../engine/tf.js";

/**
 * The layers that both towers are made of, on matrices: rows are tokens, columns are features. Weights are in
 * PyTorch's layouts. Helpers of the towers: they run inside the caller's tidy and have none of their own.
 *
 * Layer norm and the activations carry hand-written gradients: TensorFlow.js would record each of their elementwise
 * operations and keep all of the intermediates for the backward pass.
 */

/** Inside the square root of layer norm, as in CLIP (PyTorch's default). */
export const LAYER_NORM_EPSILON = 1e-5;

/** QuickGELU's slope: x·σ(1.702 x) (OpenAI CLIP, model.py). */
export const QUICK_GELU_SLOPE = 1.702;

/** x·Wᵀ + b: x [rows, in], weight [out, in], bias [out] → [rows, out]. */
export function linear(x: tf.Tensor2D, weight: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor2D {
  const product = matMulTransposed(x, weight);
  return bias === undefined ? product : tf.add<tf.Tensor2D>(product, bias);
}

/** Normalises each row to mean 0 and deviation 1, then scales and shifts: [rows, width] → [rows, width]. */
export function layerNorm(x: tf.Tensor2D, gain: tf.Tensor1D, shift: tf.Tensor1D): tf.Tensor2D {
  return layerNormOp(x, gain, shift) as tf.Tensor2D; // customGrad forgets the rank
}

const layerNormOp = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
  // customGrad hands over the inputs in order, then the function that keeps tensors for the gradient
  const [x, gain, shift, save] = args as [tf.Tensor2D, tf.Tensor1D, tf.Tensor1D, tf.GradSaveFunc];
  const centred = tf.sub<tf.Tensor2D>(x, tf.mean(x, 1, true)); // [rows, width]
  const perDeviation = inverseDeviation(centred); // [rows, 1]
  const normalised = tf.mul(centred, perDeviation); // [rows, width]
  save([normalised, perDeviation, gain]);
  const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
    const [n, r, g] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D]; // what was saved above
    const dn = tf.mul(dy, g); // [rows, width]
    const alongOnes = tf.mean(dn, 1, true); // [rows, 1]
    const alongNormalised = tf.mean(tf.mul(dn, n), 1, true); // [rows, 1]
    const dx = tf.mul(tf.sub(tf.sub(dn, alongOnes), tf.mul(n, alongNormalised)), r);
    return [dx, tf.sum(tf.mul(dy, n), 0), tf.sum(dy, 0)];
  };
  return { value: tf.add(tf.mul(normalised, gain), shift), gradFunc };
});

/** What rows of mean 0 are multiplied with to have deviation 1: [rows, width] → [rows, 1]. */
export function inverseDeviation(centred: tf.Tensor2D): tf.Tensor2D {
  const variance = tf.mean(tf.square(centred), 1, true);
  return tf.rsqrt(tf.add<tf.Tensor2D>(variance, LAYER_NORM_EPSILON));
}

/**
 * Towers narrower than this keep what norms and activations give for the backward pass; wider ones compute it again. The
 * products' share of the time grows with the width: 256 wide, computing it again takes 8 % of a step (vit-tiny, measured),
 * and memory is short where towers are wide.
 */
const COMPUTED_AGAIN_FROM = 512;

/** Whether a tower of this width keeps what norms and activations give. */
export function keepsNorms(width: number): boolean {
  return width < COMPUTED_AGAIN_FROM;
}

/** A linear map of the normalised rows, `linear(layerNorm(x, gain, shift), weight, bias)`; a wide tower keeps `x` alone. */
export function linearOfNorm(
  x: tf.Tensor2D,
  gain: tf.Tensor1D,
  shift: tf.Tensor1D,
  weight: tf.Tensor2D,
  bias: tf.Tensor1D,
): tf.Tensor2D {
  if (keepsNorms(x.shape[1])) return linear(layerNorm(x, gain, shift), weight, bias);
  const norm = (inputs: readonly tf.Tensor[]) => layerNormOp(...inputs) as tf.Tensor2D; // customGrad forgets the rank
  return linearOf(norm, [x, gain, shift], weight, bias);
}

/**
 * A linear map of x·σ(1.702 x), CLIP's activation, to the tower's width; a wide tower keeps `x` alone. The activation is
 * a quotient, since the engine's own sigmoid is two and a half times less exact than its exponential; on the reference's
 * step that alone doubles the error of the gradients.
 */
export function linearOfQuickGelu(x: tf.Tensor2D, weight: tf.Tensor2D, bias: tf.Tensor1D): tf.Tensor2D {
  const activation = (inputs: readonly tf.Tensor[]) => quickGeluOp(...inputs) as tf.Tensor2D; // as above
  const [width] = weight.shape;
  if (keepsNorms(width)) return linear(activation([x]), weight, bias);
  return linearOf(activation, [x], weight, bias);
}

const quickGeluOp = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
  const [x, save] = args as [tf.Tensor, tf.GradSaveFunc];
  const divisor = tf.add(tf.exp(tf.mul(x, -QUICK_GELU_SLOPE)), 1); // 1/σ, infinite below x = −52
  const value = tf.div(x, divisor);
  save([divisor, value]);
  // d(x·s)/dx = s + 1.702·x·s·(1 − s) = s + 1.702·y·(1 − s)
  const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor => {
    const [d, y] = saved as [tf.Tensor, tf.Tensor];
    const s = tf.div(1, d);
    return tf.mul(dy, tf.add(s, tf.mul(tf.mul(y, QUICK_GELU_SLOPE), tf.sub(1, s))));
  };
  return { value, gradFunc };
});

/**
 * f(inputs)·Wᵀ + b for an `f` that is cheap beside the product: what `f` gives is not kept for the backward pass, which
 * computes it again. In a residual block it would be six of the seventeen states that are kept for each token.
 */
function linearOf(
  f: (inputs: readonly tf.Tensor[]) => tf.Tensor2D,
  inputs: readonly tf.Tensor[],
  weight: tf.Tensor2D,
  bias: tf.Tensor1D,
): tf.Tensor2D {
  const op = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [w, b, ...given] = args.slice(0, -1) as [tf.Tensor2D, tf.Tensor1D, ...tf.Tensor[]]; // in the order below
    const value: tf.Tensor = linear(f(given), w, b);
    (args.at(-1) as tf.GradSaveFunc)([w, ...given]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [matrix, ...again] = saved as [tf.Tensor2D, ...tf.Tensor[]]; // what was saved above
      const { value: x, gradients } = valueAndGradients(() => f(again), again, matMul(dy, matrix));
      return [transposedMatMul(dy, x), tf.sum(dy, 0), ...gradients.map((gradient) => gradient ?? missing())];
    };
    return { value, gradFunc };
  });
  return op(weight, bias, ...inputs) as tf.Tensor2D;
}

function missing(): never {
  throw new Error("internal: linearOf: f does not depend on all of its inputs");
}

/** x·factor, of any shape, keeping nothing: TensorFlow.js would keep x for the gradient by the factor. */
export function scale<T extends tf.Tensor>(x: T, factor: number): T {
  const op = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => ({
    value: tf.mul(args[0] as tf.Tensor, factor), // the one input
    gradFunc: (dy: tf.Tensor): tf.Tensor => tf.mul(dy, factor),
  }));
  return op(x) as T;
}

/** Rows to unit length, as CLIP compares them: [rows, width] → [rows, width]. */
export function l2Normalize(x: tf.Tensor2D): tf.Tensor2D {
  return tf.div<tf.Tensor2D>(x, tf.sqrt(tf.sum(tf.square(x), 1, true)));
}
