import {
  type Architecture,
  type ResNet,
  RESNET_REDUCTION,
  resNetConvolutions,
  resNetOutput,
  type SiglipVision,
  type VisionTransformer,
} from "./architecture/architecture.js";
import { mlpWidthOf } from "./parameters/shapes.js";
import type { PromptTree } from "./text/promptTree.js";

/**
 * Floating-point operations (FLOP) of the encoders' matrix products, counted from their shapes; a multiplication and its
 * addition are two. Norms, softmax and activations grow with the width, not with its square, and are left out, as usual.
 */
const PER_PRODUCT = 2;

/** FLOP of the image encoder's forward pass over one crop; 8.3 GFLOP for ViT-B/32. */
export function imageFlops({ vision, embedding }: Architecture): number {
  if (vision.kind === "resnet") return resNetFlops(vision, embedding);
  if (vision.kind === "siglip") return siglipFlops(vision);
  const tokens = (vision.imageSize / vision.patchSize) ** 2 + 1;
  const attention = attentionFlops(tokens, tokens, vision.width);
  return (
    stemFlops(vision) +
    stackFlops(vision, { rows: tokens, attention, read: 1 }) +
    matrixFlops(1, vision.width, embedding)
  );
}

/** FLOP of the text encoder's forward pass over a tree of prompts, padding rows included. */
export function promptFlops({ text, embedding }: Architecture, tree: PromptTree): number {
  const rows = tree.tokens.length;
  const depth = tree.positions.reduce((deepest, position) => Math.max(deepest, position), 0) + 1;
  const embed = matrixFlops(rows, tree.usedTokens.length + tree.contextRows + depth, text.width); // one-hot rows select by a product
  const attention =
    attentionFlops(tree.trunk, tree.trunk, text.width) +
    attentionFlops(tree.groups * tree.groupSize, tree.trunk + tree.groupSize, text.width);
  const read = tree.ends.length;
  return embed + stackFlops(text, { rows, attention, read }) + matrixFlops(read, text.width, embedding);
}

/** FLOP of the cosines of images with prompts. */
export function logitFlops({ embedding }: Architecture, images: number, prompts: number): number {
  return matrixFlops(images, embedding, prompts);
}

/** [rows, inner] · [inner, cols]. */
function matrixFlops(rows: number, inner: number, cols: number): number {
  return PER_PRODUCT * rows * inner * cols;
}

/**
 * FLOP of a stack of blocks: queries, keys and values of all rows, and their attention; then the output projection and
 * the two maps of the feed-forward part, which the last block computes only for the rows that are read.
 */
function stackFlops(
  stack: Pick<Architecture["text"], "width" | "layers" | "mlpWidth">,
  { rows, attention, read }: Record<"rows" | "attention" | "read", number>,
): number {
  const { width, layers } = stack;
  const attending = matrixFlops(rows, width, 3 * width) + attention;
  const passedOn = (layers - 1) * rows + read;
  return layers * attending + matrixFlops(passedOn, width, width + 2 * mlpWidthOf(stack));
}

/** FLOP of each row's scores with all that it may see, and of the sum of their values; the heads share the width. */
function attentionFlops(rows: number, seen: number, width: number): number {
  return 2 * matrixFlops(rows, width, seen);
}

/** FLOP of the convolutions of a ResNet, and of its attention pooling. */
function resNetFlops(vision: ResNet, embedding: number): number {
  const convolutions = resNetConvolutions(vision).reduce(
    (sum, { side, from, to, kernel }) => sum + matrixFlops(side * side, from * kernel * kernel, to),
    0,
  );
  const width = resNetOutput(vision);
  const tokens = (vision.imageSize / RESNET_REDUCTION) ** 2 + 1;
  const projections = matrixFlops(2 * tokens + 1, width, width) + matrixFlops(1, width, embedding);
  return convolutions + projections + attentionFlops(1, tokens, width);
}

/** FLOP of SigLIP's blocks, of its query's attention, whose keys and values no token needs, and of the layers after. */
function siglipFlops(vision: SiglipVision): number {
  const { width, heads, imageSize, patchSize } = vision;
  const tokens = (imageSize / patchSize) ** 2;
  const attention = attentionFlops(tokens, tokens, width);
  const pooling = 2 * matrixFlops(tokens, width, heads) + matrixFlops(1, width, 2 * width + 2 * mlpWidthOf(vision));
  return matrixFlops(tokens, 3 * patchSize ** 2, width) + stackFlops(vision, { rows: tokens, attention, read: tokens }) + pooling; // prettier-ignore
}

function stemFlops({ stem, imageSize, patchSize, width }: VisionTransformer): number {
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
