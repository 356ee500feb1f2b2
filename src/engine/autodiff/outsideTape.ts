import * as tf from "../tf.js";

/**
 * Runs `f` as if no gradient were being recorded: its operations are on no tape, and it may take gradients of its own
 * while another one's forward pass is under way, which TensorFlow.js would record into that one's tape. What `f` gives
 * back is a constant to the gradient outside.
 *
 * @param f  synchronous; its tensors belong to the scope around it
 */
export function outsideTape<T>(f: () => T): T {
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
