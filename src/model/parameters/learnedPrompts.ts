/** Prompts that are learned in place of a text encoder: as features, or as vectors among their words. */
import { CheckpointError } from "../../base/errors.js";
import { seededRandom } from "../../base/random.js";
import { isAdapter } from "./lora.js";
import type { NamedArray, NamedArrays } from "./parameters.js";

/**
 * Features of the grid's prompts as parameters, [prompts, embedding], of any length: a linear classifier over image
 * features, in place of what the text encoder makes of the prompts.
 */
export const PROMPT_FEATURES = "prompt_features";

/**
 * Context vectors (CoOp, arXiv 2109.01134) in place of the words that all prompts begin with: [context, width] for all
 * prompts, or [prompts, context, width] for each its own.
 */
export const PROMPT_CONTEXT = "prompt_context";

/** Entry of a safetensors file's metadata that says of its features of prompts that they were learned, not encoded. */
export const PROMPTS_RECORD = "liqe.prompts";
export const LEARNED = "learned";

/** True for a parameter that is learned of the prompts. */
function isOfPrompts(name: string): boolean {
  return name === PROMPT_FEATURES || name === PROMPT_CONTEXT;
}

/** True for weights among which there is something learned of the prompts. */
export function hasLearnedPrompts(weights: NamedArrays): boolean {
  return [...weights.keys()].some(isOfPrompts);
}

/** Those of a model's arrays that were learned of its prompts. */
export function promptArrays(weights: NamedArrays): NamedArrays {
  return new Map([...weights].filter(([name]) => isOfPrompts(name)));
}

/** Those of a model's arrays that its network has: neither adapters nor learned prompts. */
export function networkArrays(weights: NamedArrays): NamedArrays {
  return new Map([...weights].filter(([name]) => !isAdapter(name) && !isOfPrompts(name)));
}

/** Context vectors of prompts: how many a prompt has, and whether all prompts have the same. */
export interface ContextShape {
  readonly vectors: number;
  readonly isShared: boolean;
}

/** Context vectors by their parameter's shape; null for none. */
export function contextShape(shape: readonly number[] | undefined): ContextShape | null {
  if (shape === undefined) return null;
  return { vectors: shape.at(-2) ?? NaN, isShared: shape.length === 2 };
}

/** @throws {CheckpointError} where what was learned of prompts is of another number of them, or of another network */
export function checkLearnedPrompts(
  where: string,
  weights: NamedArrays,
  prompts: number,
  { embedding, text }: Widths,
): void {
  const features = weights.get(PROMPT_FEATURES)?.shape ?? [prompts, embedding];
  const context = weights.get(PROMPT_CONTEXT)?.shape ?? [1, text.width];
  const isOfGrid = features.join() === [prompts, embedding].join();
  const isOfText = context.slice(0, -2).every((count) => count === prompts) && context.at(-1) === text.width;
  if (isOfGrid && isOfText && (context.length === 2 || context.length === 3)) return;
  const [name, shape, expected] = isOfGrid
    ? [PROMPT_CONTEXT, context, `[vectors, ${text.width}] or [${prompts}, vectors, ${text.width}]`]
    : [PROMPT_FEATURES, features, `[${prompts}, ${embedding}]`];
  const remedy = "name the prompts that it was learned with: --config F, or --prompts FILE";
  throw new CheckpointError(
    `${where}: ${name} is [${shape.join(", ")}], for these prompts it must be ${expected}; ${remedy}`,
  );
}

/** Widths that learned prompts have to fit. */
interface Widths {
  readonly embedding: number;
  readonly text: { readonly width: number };
}

/** Standard deviation of context vectors that begin at random, as those of CoOp. */
const CONTEXT_DEVIATION = 0.02;

/** Beginning of context vectors: the embeddings of words, or random numbers by a seed. */
export interface ContextStart {
  /** Number of prompts that each have their own; null for one context that all share. */
  readonly prompts: number | null;
  readonly vectors: number;
  /** Tokens whose embeddings they begin as, `vectors` of them; null to begin at random. */
  readonly words: readonly number[] | null;
  readonly seed: number;
}

/**
 * Context vectors before any training; each prompt's own ones all begin alike from words, and differ at random.
 * @param table  [vocabulary, width], borrowed
 */
export function initialContext(table: NamedArray, { prompts, vectors, words, seed }: ContextStart): NamedArray {
  const width = table.shape[1] ?? 0;
  const random = seededRandom(seed, "context");
  const values = new Float32Array((prompts ?? 1) * vectors * width);
  for (let row = 0; row < values.length / width; row++) {
    const token = words?.[row % vectors];
    const at = values.subarray(row * width, (row + 1) * width);
    if (token !== undefined) at.set(table.values.subarray(token * width, (token + 1) * width));
    else at.forEach((_, i) => (at[i] = CONTEXT_DEVIATION * random.normal()));
  }
  return { shape: prompts === null ? [vectors, width] : [prompts, vectors, width], values };
}
