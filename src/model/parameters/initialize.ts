import type { Random } from "../../base/random.js";
import { seededRandom } from "../../base/random.js";
import type { Architecture } from "../architecture/architecture.js";
import type { NamedArray } from "./parameters.js";
import { parameterShapes } from "./shapes.js";

/** What cosines are multiplied by from the start, frozen. CLIP starts at 1 / 0.07 and learns it, up to 100. */
const INITIAL_LOGIT_SCALE = 20;

/**
 * Random weights to learn from, a function of the seed and the names alone. Deviations as in OpenAI CLIP (model.py
 * `initialize_parameters`): residual branches shrink with depth; a stem's stage keeps the variance of its input.
 */
export function initialParameters(architecture: Architecture, seed: number): Map<string, NamedArray> {
  const arrays = new Map<string, NamedArray>();
  for (const [name, shape] of parameterShapes(architecture)) {
    const size = shape.reduce((product, side) => product * side, 1);
    arrays.set(name, { shape, values: initialValues(name, shape, size, architecture, seed) });
  }
  return arrays;
}

function initialValues(
  name: string,
  shape: readonly number[],
  size: number,
  architecture: Architecture,
  seed: number,
): Float32Array {
  if (name === "logit_scale") return Float32Array.of(Math.log(INITIAL_LOGIT_SCALE));
  if (/bias$/.test(name)) return new Float32Array(size);
  if (/(ln_\w+|norm)\.weight$/.test(name)) return new Float32Array(size).fill(1);
  if (name === "visual.stem.0.weight" && shape[0] === fanIn(shape)) return dctFilters(shape[2] ?? 1);
  return normals(size, deviation(name, shape, architecture), seededRandom(seed, "initialize", name));
}

/** The standard deviation that a matrix or an embedding starts with. */
function deviation(name: string, shape: readonly number[], { vision, text }: Architecture): number {
  if (name === "token_embedding.weight") return 0.02;
  if (name === "positional_embedding") return 0.01;
  const { width, layers } = name.startsWith("visual.") ? vision : text;
  const scale = width ** -0.5;
  if (/c_fc\.weight$/.test(name)) return (2 * width) ** -0.5;
  if (/(out_proj|c_proj)\.weight$/.test(name)) return scale * (2 * layers) ** -0.5;
  if (/^visual\.(stem\.\d+|conv1)\.weight$/.test(name)) return fanIn(shape) ** -0.5;
  return scale; // projections, class and image position embeddings
}

/** Inputs of one output: [out, in, rows, cols] → in·rows·cols. */
function fanIn(shape: readonly number[]): number {
  return shape.slice(1).reduce((product, side) => product * side, 1);
}

function normals(size: number, std: number, random: Random): Float32Array {
  return Float32Array.from({ length: size }, () => std * random.normal());
}

/** Luminance and two colour differences, orthonormal. */
const OPPONENTS = [
  [1, 1, 1].map((part) => part / Math.sqrt(3)),
  [1, -1, 0].map((part) => part / Math.SQRT2),
  [1, 1, -2].map((part) => part / Math.sqrt(6)),
] as const;

/** Photographs have less of a frequency the higher it is, and little of colour's: these gains bring all to about 1. */
const MEAN_GAIN = [0.25, 0.8, 0.8] as const;
const FREQUENCY_GAIN = [0.75, 2.25, 2.25] as const;

/**
 * First weights for a stem's first level that learns low-level quality: each output is one frequency (discrete cosine)
 * of luminance or of a colour difference, scaled so that in photographs all are of like size. With random weights the
 * layer norm that follows sees little but a patch's mean colour, and noise, blur and blocks drown in it.
 *
 * @param stride  side of a patch in pixels
 * @returns       [3·stride·stride, 3, stride, stride], flat
 */
export function dctFilters(stride: number): Float32Array {
  const weights: number[] = [];
  OPPONENTS.forEach((colour, kind) => {
    for (let vertical = 0; vertical < stride; vertical++) {
      for (let horizontal = 0; horizontal < stride; horizontal++) {
        const order = vertical + horizontal;
        const gain = order === 0 ? (MEAN_GAIN[kind] ?? NaN) : (FREQUENCY_GAIN[kind] ?? NaN) * order;
        for (const part of colour) {
          for (let row = 0; row < stride; row++) {
            for (let col = 0; col < stride; col++) {
              weights.push(gain * part * cosine(vertical, row, stride) * cosine(horizontal, col, stride));
            }
          }
        }
      }
    }
  });
  return Float32Array.from(weights);
}

/** The orthonormal discrete cosine transform (DCT-II): entry `position` of basis vector `frequency`. */
function cosine(frequency: number, position: number, size: number): number {
  const norm = Math.sqrt((frequency === 0 ? 1 : 2) / size);
  return norm * Math.cos((Math.PI * (2 * position + 1) * frequency) / (2 * size));
}
