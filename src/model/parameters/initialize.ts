import type { Random } from "../../base/random.js";
import { seededRandom } from "../../base/random.js";
import type { Architecture } from "../architecture/architecture.js";
import { frequencyStem } from "./frequencyStem.js";
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
  if (name === "visual.stem.0.weight" && shape[0] === fanIn(shape)) return frequencyStem(shape[2] ?? 1);
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
