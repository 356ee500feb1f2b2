import type { Architecture } from "../../model/architecture/architecture.js";
import { keepsNorms } from "../../model/layers/layers.js";
import type { BlockMemory } from "../../model/layers/transformer.js";
import type { PromptTree } from "../../model/text/promptTree.js";

/**
 * What one training step keeps on the device between its forward and its backward pass, besides weights, moments and
 * gradients: estimates, from numbers counted on the native engine (docs/performance.md has them beside measurements).
 */

/** Of each block's activations: numbers of the size of its rows, and of its attention scores. */
const KEPT = { states: 11, scores: 2 };
/** Besides, where norms and activations are kept. */
const KEPT_NORMS = 6;
/** While one block is computed or passed back, besides. */
const PASSING = { states: 20, scores: 4 };
/** The same for each output of a stem's level: a linear map, a layer norm and a GELU. */
const STEM_LEVEL = 10;

const BYTES = 4;

/** A stack of blocks as far as its memory is concerned. */
interface Stack {
  readonly layers: number;
  readonly width: number;
  /** Numbers in the rows that go through. */
  readonly rows: number;
  /** Attention scores of all heads. */
  readonly scores: number;
}

/** Of one crop in the image tower. */
export function bytesPerCrop({ vision }: Architecture, keep: BlockMemory): number {
  const { imageSize, patchSize, width, layers, heads, stem } = vision;
  const tokens = (imageSize / patchSize) ** 2 + 1;
  const blocks = stackBytes({ layers, width, rows: tokens * width, scores: heads * tokens ** 2 }, keep);
  if (stem === "patch") return blocks;
  let side = imageSize;
  const levels = stem.reduce((sum, stage) => {
    side /= stage.stride;
    return sum + side * side * stage.width;
  }, 0);
  return blocks + BYTES * STEM_LEVEL * levels;
}

/** Of all prompts in the text tower. */
export function bytesOfPrompts({ text }: Architecture, tree: PromptTree, keep: BlockMemory): number {
  const { trunk, groups, groupSize } = tree;
  const rows = (trunk + groups * groupSize) * text.width;
  const scores = text.heads * (trunk ** 2 + groups * groupSize * (trunk + groupSize));
  return stackBytes({ layers: text.layers, width: text.width, rows, scores }, keep);
}

function stackBytes({ layers, width, rows, scores }: Stack, keep: BlockMemory): number {
  const states = KEPT.states + (keepsNorms(width) ? KEPT_NORMS : 0);
  const block = states * rows + KEPT.scores * scores;
  const passing = PASSING.states * rows + PASSING.scores * scores;
  const kept = keep === "activations" ? layers * block : layers * rows + block;
  return BYTES * (kept + passing);
}
