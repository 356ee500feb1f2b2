import * as tf from "../tf.js";

/** Sides of the square matrices to try: an engine that is done with one too soon gets the next. */
const SIZES = [512, 1024, 2048, 4096];
const LARGEST = 8192;
/** Time below which a product measures the way to the device rather than its speed. */
const LONG_ENOUGH_MS = 4;
/** Time enough for steady speed on any engine. */
const MEASURED_MS = 200;

/**
 * Speed of this machine in float32 matrix products on the current engine, in floating-point operations a second: a
 * multiplication and its addition are two. Takes about a quarter of a second.
 */
export function peakFlopsPerSecond(): number {
  const square = (size: number): ProductShape => ({ rows: size, inner: size, cols: size });
  const size = SIZES.find((candidate) => fastestProductMs(square(candidate), 0) >= LONG_ENOUGH_MS) ?? LARGEST;
  return (2 * size ** 3) / (fastestProductMs(square(size), MEASURED_MS) / 1000);
}

/** The product of a transformer's wider feed-forward matrix: 36 crops of 50 tokens of ViT-B/32. */
const WIDE: ProductShape = { rows: 1800, inner: 768, cols: 3072 };

/** Speed of a product with a matrix of 3,072 columns, which oneDNN computes at half speed on some processors. */
export function wideFlopsPerSecond(): number {
  return (2 * WIDE.rows * WIDE.inner * WIDE.cols) / (fastestProductMs(WIDE, MEASURED_MS) / 1000);
}

/** [rows, inner] · [inner, cols]. */
interface ProductShape {
  readonly rows: number;
  readonly inner: number;
  readonly cols: number;
}

/** Time of the fastest product among those that fit `forMs`, at least one: the others shared the processor. */
function fastestProductMs({ rows, inner, cols }: ProductShape, forMs: number): number {
  return tf.tidy(() => {
    const left = tf.ones<tf.Rank.R2>([rows, inner]);
    const right = tf.ones<tf.Rank.R2>([inner, cols]);
    const multiply = () => {
      const startedMs = performance.now();
      const product = tf.matMul(left, right);
      const corner = tf.slice(product, [0, 0], [1, 1]);
      corner.dataSync(); // waits for the product; reading all of it would measure the way back
      tf.dispose([product, corner]);
      return performance.now() - startedMs;
    };
    multiply(); // the first one loads and allocates
    const end = performance.now() + forMs;
    let fastestMs = multiply();
    while (performance.now() < end) fastestMs = Math.min(fastestMs, multiply());
    return fastestMs;
  });
}
