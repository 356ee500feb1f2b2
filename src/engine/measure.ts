import * as tf from "./tf.js";

const SIZE = 512;
/** Long enough for steady speed on any engine, too short to be noticed. */
const MEASURED_MS = 200;

/** Speed of float32 matrix products on the current engine, in 10^9 multiplications and additions a second. */
export function gigaflopsPerSecond(): number {
  return tf.tidy(() => {
    const square = tf.ones([SIZE, SIZE]);
    const multiply = () => {
      const product = tf.matMul(square, square);
      product.dataSync(); // not returned through a tidy, which would look for tensors in each of its numbers
      product.dispose();
    };
    multiply(); // the first one loads and allocates
    const end = performance.now() + MEASURED_MS;
    let fastestMs = Infinity; // the others shared the processor with somebody
    for (let now = performance.now(); now < end;) {
      multiply();
      fastestMs = Math.min(fastestMs, performance.now() - now);
      now = performance.now();
    }
    return (2 * SIZE ** 3) / fastestMs / 1e6;
  });
}
