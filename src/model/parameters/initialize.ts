import { type Random, seededRandom } from "../../base/random.js";
import {
  type Architecture,
  type ResNet,
  resNetOutput,
  type SiglipVision,
  type VisionTransformer,
} from "../architecture/architecture.js";
import type { NamedArray } from "./parameters.js";
import { parameterShapes, sizeOf } from "./shapes.js";

/** Multiplier of cosines in a network that starts at random, frozen. CLIP starts at 1 / 0.07 and learns it, up to 100. */
const INITIAL_LOGIT_SCALE = 20;

/**
 * Random initial weights, a function of the seed and the names alone. Deviations as in OpenAI CLIP (model.py
 * `initialize_parameters`): residual branches shrink with depth; a stem's stage keeps the variance of its input.
 */
export function initialParameters(architecture: Architecture, seed: number): Map<string, NamedArray> {
  const arrays = new Map<string, NamedArray>();
  for (const [name, shape] of parameterShapes(architecture)) {
    const std = deviation(name, shape, architecture);
    const values = constantValues(name, shape) ?? normals(sizeOf(shape), std, seededRandom(seed, "initialize", name));
    arrays.set(name, { shape, values });
  }
  return arrays;
}

/** Values of a parameter that does not start at random, or null. */
function constantValues(name: string, shape: readonly number[]): Float32Array | null {
  if (name === "logit_scale") return Float32Array.of(Math.log(INITIAL_LOGIT_SCALE));
  if (/(bias|running_mean)$/.test(name) || /layer\d+\.\d+\.bn3\.weight$/.test(name))
    return new Float32Array(sizeOf(shape));
  if (/((ln_\w+|norm|bn\d|downsample\.1)\.weight|running_var)$/.test(name))
    return new Float32Array(sizeOf(shape)).fill(1);
  return name === "visual.stem.0.weight" && shape[0] === fanIn(shape) ? dctFilters(shape[2] ?? 1) : null;
}

/** Standard deviation that a matrix or an embedding starts with. */
function deviation(name: string, shape: readonly number[], { vision, text }: Architecture): number {
  if (name === "token_embedding.weight") return 0.02;
  if (name === "positional_embedding") return 0.01;
  if (vision.kind === "resnet" && name.startsWith("visual.")) return resNetDeviation(name, shape, vision);
  const { width, layers } = name.startsWith("visual.") ? (vision as VisionTransformer | SiglipVision) : text; // no ResNet: see above
  const scale = width ** -0.5;
  if (/c_fc\.weight$/.test(name)) return (2 * width) ** -0.5;
  if (/(out_proj|c_proj)\.weight$/.test(name)) return scale * (2 * layers) ** -0.5;
  if (/^visual\.(stem\.\d+|conv1)\.weight$/.test(name)) return fanIn(shape) ** -0.5;
  return scale; // projections, class and image position embeddings
}

/** Convolutions keep the variance of what ReLU lets through (arXiv 1502.01852); the last of a block adds nothing at first. */
function resNetDeviation(name: string, shape: readonly number[], vision: ResNet): number {
  return name.startsWith("visual.attnpool.") ? resNetOutput(vision) ** -0.5 : (2 / fanIn(shape)) ** 0.5;
}

/** Inputs of one output: [out, in, rows, cols] → in·rows·cols. */
function fanIn(shape: readonly number[]): number {
  return sizeOf(shape.slice(1));
}

function normals(size: number, std: number, random: Random): Float32Array {
  return Float32Array.from({ length: size }, () => std * random.normal());
}

/** Luminance and two color differences, orthonormal. */
const OPPONENTS = [
  [1, 1, 1].map((part) => part / Math.sqrt(3)),
  [1, -1, 0].map((part) => part / Math.SQRT2),
  [1, 1, -2].map((part) => part / Math.sqrt(6)),
] as const;

/** Gains that bring all outputs to about 1: photographs have less of high frequencies, and little of color's. */
const MEAN_GAIN = [0.25, 0.8, 0.8] as const;
const FREQUENCY_GAIN = [0.75, 2.25, 2.25] as const;

/**
 * Initial weights of a stem's first level: each output is one frequency (discrete cosine) of luminance or of a color
 * difference, scaled so that in photographs all are of like size. With random weights the following layer norm sees
 * little but a patch's mean color, and noise, blur and blocks drown in it.
 * @param stride  side of a patch in pixels
 * @returns       [3·stride·stride, 3, stride, stride], flat
 */
export function dctFilters(stride: number): Float32Array {
  const weights: number[] = [];
  OPPONENTS.forEach((color, kind) => {
    for (let vertical = 0; vertical < stride; vertical++) {
      for (let horizontal = 0; horizontal < stride; horizontal++) {
        const order = vertical + horizontal;
        const gain = order === 0 ? (MEAN_GAIN[kind] ?? NaN) : (FREQUENCY_GAIN[kind] ?? NaN) * order;
        for (const part of color) {
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

/** Entry `position` of basis vector `frequency` of the orthonormal discrete cosine transform (DCT-II). */
function cosine(frequency: number, position: number, size: number): number {
  const norm = Math.sqrt((frequency === 0 ? 1 : 2) / size);
  return norm * Math.cos((Math.PI * (2 * position + 1) * frequency) / (2 * size));
}
