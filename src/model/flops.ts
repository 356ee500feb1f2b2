import type { Architecture } from "./architecture/architecture.js";
import { MLP_RATIO } from "./parameters/shapes.js";
import type { PromptTree } from "./text/promptTree.js";

/**
 * The work of the towers, counted from their shapes alone: the floating-point operations (FLOP) of their matrix
 * products, a multiplication and its addition being two. What else they do (norms, softmax, activations) grows with
 * the width and not with its square, and is left out, as is usual.
 */
const PER_PRODUCT = 2;

/** Forward pass of the image tower over one crop; 8.3 GFLOP for ViT-B/32. */
export function imageFlops({ vision, embedding }: Architecture): number {
  const tokens = (vision.imageSize / vision.patchSize) ** 2 + 1;
  const attention = attentionFlops(tokens, tokens, vision.width);
  return stemFlops(vision) + stackFlops(vision, tokens, attention, 1) + matrixFlops(1, vision.width, embedding);
}

/** Forward pass of the text tower over a tree of prompts, the rows that fill its groups up included. */
export function promptFlops({ text, embedding }: Architecture, tree: PromptTree): number {
  const rows = tree.tokens.length;
  const depth = tree.positions.reduce((deepest, position) => Math.max(deepest, position), 0) + 1;
  const embed = matrixFlops(rows, tree.usedTokens.length + depth, text.width); // one-hot rows select by a product
  const attention =
    attentionFlops(tree.trunk, tree.trunk, text.width) +
    attentionFlops(tree.groups * tree.groupSize, tree.trunk + tree.groupSize, text.width);
  const read = tree.ends.length;
  return embed + stackFlops(text, rows, attention, read) + matrixFlops(read, text.width, embedding);
}

/** Cosines of images with prompts. */
export function logitFlops({ embedding }: Architecture, images: number, prompts: number): number {
  return matrixFlops(images, embedding, prompts);
}

/** [rows, inner] · [inner, cols]. */
function matrixFlops(rows: number, inner: number, cols: number): number {
  return PER_PRODUCT * rows * inner * cols;
}

/**
 * A stack of blocks: queries, keys and values of all rows, and their attention; then the output projection and the two
 * maps of the feed-forward part, in the last block for the rows that are read alone.
 */
function stackFlops(
  { width, layers }: { readonly width: number; readonly layers: number },
  rows: number,
  attention: number,
  read: number,
): number {
  const looking = matrixFlops(rows, width, 3 * width) + attention;
  const goingOn = (layers - 1) * rows + read;
  return layers * looking + matrixFlops(goingOn, width, (1 + 2 * MLP_RATIO) * width);
}

/** Scores of each row with all that it may look at, and the sum of their values; the heads share the width. */
function attentionFlops(rows: number, seen: number, width: number): number {
  return 2 * matrixFlops(rows, width, seen);
}

/** Pixels to tokens. */
function stemFlops({ stem, imageSize, patchSize, width }: Architecture["vision"]): number {
  const stages = stem === "patch" ? [{ stride: patchSize, width }] : stem;
  let side = imageSize;
  let channels = 3;
  return stages.reduce((sum, stage) => {
    side /= stage.stride;
    const level = matrixFlops(side * side, channels * stage.stride ** 2, stage.width);
    channels = stage.width;
    return sum + level;
  }, 0);
}
