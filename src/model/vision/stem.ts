import { withGradients } from "../../engine/ops.js";
import { checkShape } from "../../engine/shape.js";
import * as tf from "../../engine/tf.js";
import type { VisionArchitecture } from "../architecture/architecture.js";
import { inverseDeviation, linear, type LinearMap, scale } from "../layers/layers.js";
import type { ReadParameter } from "../parameters/parameters.js";

/**
 * Pixels to tokens: CLIP's one linear map of each patch, or levels of small patches, each a linear map, a layer norm
 * and, except for the last, a GELU (arXiv 2203.09795).
 *
 * The levels' cells are many and narrow, so time goes into passes over them. Seven are saved, four forward and three
 * backward, by two equivalent forms: a linear map whose outputs have mean 0, which the layer norm would subtract; and
 * √2·GELU(√2·z), whose factors are moved into the small vectors and matrices around it.
 *
 * @param patches  [crops·cells, stride·stride·3], borrowed: see `imagePatches`
 * @returns        [crops·tokens, width]; each level has a tidy, as blocks have
 */
export function stem(read: ReadParameter, { stem: levels }: VisionArchitecture, patches: tf.Tensor2D): tf.Tensor2D {
  if (levels === "patch") return linear(patches, pixelsLast(read("visual.conv1.weight")));
  const last = levels.length - 1;
  return levels.reduce<tf.Tensor2D>(
    (cells, { width }, i) =>
      tf.tidy(() => {
        const name = `visual.stem.${i}`;
        const map = { weight: pixelsLast(read(`${name}.weight`)), bias: read<tf.Rank.R1>(`${name}.bias`) };
        const centered = centeredLinear(cells, map, i === 0 ? 1 : Math.SQRT1_2);
        checkShape(`encodeImages: ${name}`, centered, ["cells", width]);
        const [gain, shift] = [read<tf.Rank.R1>(`${name}.norm.weight`), read<tf.Rank.R1>(`${name}.norm.bias`)];
        const next =
          i === last
            ? normOfCentered(centered, gain, shift)
            : scaledGelu(normOfCentered(centered, scale(gain, Math.SQRT1_2), scale(shift, Math.SQRT1_2)));
        return next as tf.Tensor2D; // as `centered`
      }),
    patches,
  );
}

/** A level's linear map of cells·factor, less each row's mean: [cells, in] of the level below → [cells, width]. */
function centeredLinear(cells: tf.Tensor2D, { weight, bias }: LinearMap, factor: number): tf.Tensor2D {
  const centeredWeight = tf.sub<tf.Tensor2D>(weight, tf.mean(weight, 0, true));
  const gathered = tf.reshape<tf.Rank.R2>(cells, [-1, weight.shape[1]]); // neighbors are adjacent already
  return linear(gathered, scale(centeredWeight, factor), tf.sub<tf.Tensor1D>(bias, tf.mean(bias)));
}

/** Matrix [out, rows·cols·in] of a convolution's [out, in, rows, cols], in the patches' order. */
export function pixelsLast(kernel: tf.Tensor4D): tf.Tensor2D {
  const out = kernel.shape[0];
  return tf.reshape<tf.Rank.R2>(tf.transpose(kernel, [0, 2, 3, 1]), [out, kernel.size / out]);
}

/** Layer norm of rows that have mean 0: [rows, width] → [rows, width]. */
const normOfCentered = withGradients((x: tf.Tensor2D, gain: tf.Tensor1D, shift: tf.Tensor1D) => {
  const perDeviation = inverseDeviation(x); // [rows, 1]
  const normalized = tf.mul(x, perDeviation); // [rows, width]
  return {
    value: tf.add(tf.mul(normalized, gain), shift),
    saved: [normalized, perDeviation, gain],
    gradients: (dy, n, r, g) => {
      const byGain = tf.mul<tf.Tensor2D>(dy, n); // [rows, width]
      const alongNormalized = tf.mean(tf.mul(byGain, g), 1, true); // [rows, 1]
      const dx = tf.mul(tf.sub(tf.mul(dy, g), tf.mul(n, alongNormalized)), r);
      return [dx, tf.sum(byGain, 0), tf.sum(dy, 0)];
    },
  };
});

/** Logarithm of 2/√π: the slope of erf is 2/√π·exp(−z²) = exp(this − z²). */
const LOG_SLOPE = Math.log(2 / Math.sqrt(Math.PI));

/** √2·GELU(√2·z) = z·(1 + erf z), elementwise. */
const scaledGelu = withGradients((z: tf.Tensor) => {
  const rising = tf.add(tf.erf(z), 1);
  // d(z·(1 + erf z))/dz = 1 + erf z + z·2/√π·exp(−z²)
  const gradients = (dy: tf.Tensor, at: tf.Tensor, u: tf.Tensor) => {
    const slope = tf.exp(tf.sub(LOG_SLOPE, tf.square(at)));
    return [tf.mul(dy, tf.add(u, tf.mul(at, slope)))];
  };
  return { value: tf.mul(z, rising), saved: [z, rising], gradients };
});
