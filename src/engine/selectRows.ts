import * as tf from "./tf.js";

/**
 * Rows of a matrix, by index. The gradient of TensorFlow.js's own `gather` is a scatter that the WebAssembly backend
 * lacks; the indices are constants here, so the way back is a gather too: row r receives the sum of the gradients at
 * the places that took it.
 *
 * @param x        [rows, width], borrowed
 * @param indices  [selected], each below rows
 * @returns        [selected, width]; runs inside the caller's tidy
 */
export function selectRows(x: tf.Tensor2D, indices: Int32Array): tf.Tensor2D {
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
