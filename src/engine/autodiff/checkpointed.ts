import { computedAfter } from "../compile/tracing.js";
import * as tf from "../tf.js";
import { valueAndGradients } from "./valueAndGradients.js";

/**
 * Value of `f`, with none of its intermediates kept for the gradient: the backward pass runs `f` once more (gradient
 * checkpointing; T. Chen et al., Training Deep Nets with Sublinear Memory Cost, arXiv 1604.06174). Value and gradients
 * are the same, bit for bit; memory is that of one such part at a time, for the price of one more forward pass.
 * @param f       returns one tensor; reads only its inputs and constants, and returns the same each time
 * @param inputs  all tensors that gradients are to reach, borrowed
 * @returns       `f`'s tensor, given
 */
export function checkpointed(f: (inputs: readonly tf.Tensor[]) => tf.Tensor, inputs: readonly tf.Tensor[]): tf.Tensor {
  const op = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    // customGrad hands over the inputs in order, then the function that keeps tensors for the gradient
    const given = args.slice(0, -1) as tf.Tensor[];
    const save = args.at(-1) as tf.GradSaveFunc;
    const value = f(given);
    save(given); // after `f`: where that throws, nothing is kept
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] =>
      tf.tidy(() => {
        const { gradients } = computedAfter(dy, () => valueAndGradients(() => f(saved), saved, dy));
        return gradients.map(need);
      });
    return { value, gradFunc };
  });
  return op(...inputs);
}

/** Refuses a missing gradient, which would silently count as zero for a tensor that `f` reads from elsewhere. */
function need(gradient: tf.Tensor | undefined, input: number): tf.Tensor {
  if (gradient !== undefined) return gradient;
  throw new Error(
    `internal: checkpointed: the value does not depend on input ${input}; does f read it from elsewhere?`,
  );
}

/**
 * Runs `f` with gradient recording off: its result is a constant to the gradient outside. It may take gradients of its
 * own during another one's forward pass, which TensorFlow.js would record into that one's tape.
 * @param f  synchronous; its tensors belong to the scope around it
 */
export function stopRecording<T>(f: () => T): T {
  const { state } = tf.engine();
  const { activeTape, gradientDepth } = state;
  state.gradientDepth = 0;
  try {
    return f();
  } finally {
    state.activeTape = activeTape; // a gradient inside leaves none behind
    state.gradientDepth = gradientDepth;
  }
}
