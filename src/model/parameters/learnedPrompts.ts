/** Prompts that are learned in place of a text encoder: as features, or as vectors among their words. */
import { seededRandom } from "../../base/random.js";
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

/** True for a parameter that is learned of the prompts. */
export function isOfPrompts(name: string): boolean {
  return name === PROMPT_FEATURES || name === PROMPT_CONTEXT;
}

/** Those of a model's arrays that were learned of its prompts. */
export function promptArrays(weights: NamedArrays): NamedArrays {
  return new Map([...weights].filter(([name]) => isOfPrompts(name)));
}

/** Number of context vectors of a prompt, and whether all prompts have the same, by their parameter's shape; null for none. */
export function contextShape(shape: readonly number[] | undefined): { vectors: number; isShared: boolean } | null {
  if (shape === undefined) return null;
  return { vectors: shape.at(-2) ?? NaN, isShared: shape.length === 2 };
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
