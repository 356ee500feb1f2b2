import type { Architecture } from "../../model/architecture/architecture.js";
import { imageFlops, logitFlops, promptFlops } from "../../model/flops.js";
import type { Tower } from "../../model/parameters/shapes.js";
import type { PromptTree } from "../../model/text/promptTree.js";
import type { Recompute } from "../gradientCache.js";
import type { Tuning } from "../optimizer/parameterGroups.js";

/** A network and the prompts it is asked. */
type Network = { readonly architecture: Architecture; readonly tree: PromptTree };

interface StepShape {
  readonly images: number;
  /** Of all images. */
  readonly crops: number;
  /** Crops encoded at once. */
  readonly microBatch: number;
  /** `never` by default. */
  readonly recompute?: Recompute;
  /** Towers of which nothing is trained; one that is frozen in part counts as trained. */
  readonly freeze: readonly Tower[];
  /** `all` by default. Matrices get a gradient by nothing else: what else is trained stands beside them. */
  readonly tune?: Tuning["tune"];
  /** True where features of images and prompts are known; false by default. */
  readonly isFromFeatures?: boolean;
}

/** Floating-point operations of one step, by what they are spent on. */
export interface StepFlops {
  readonly images: number;
  readonly prompts: number;
  readonly logits: number;
  readonly total: number;
}

/** Passes, in units of a forward one: backward takes one for the gradient by the inputs, and one by the weights. */
const FORWARD = 1;
const BACKWARD_BY_INPUTS = 1;
const FORWARD_AND_BACKWARD = 3;

/** Work of a training step as `cachedGradients` does it; see `imageFlops` for what is counted. */
export function stepFlops({ architecture, tree }: Network, step: StepShape): StepFlops {
  const logits = FORWARD_AND_BACKWARD * logitFlops(architecture, step.images, tree.ends.length);
  const isEncoded = step.isFromFeatures !== true;
  const images = isEncoded ? imagePasses(step) * step.crops * imageFlops(architecture) : 0;
  const prompts = isEncoded ? promptPasses(step) * promptFlops(architecture, tree) : 0;
  return { images, prompts, logits, total: images + prompts + logits };
}

/**
 * Both passes of a tower. Where its matrices get no gradient, attention's own few products, whose operands both need one,
 * are counted as if they were matrices, and what adapters, norms and context vectors take is not counted.
 */
function trainingPasses({ tune = "all" }: StepShape): number {
  return tune === "all" ? FORWARD_AND_BACKWARD : FORWARD + BACKWARD_BY_INPUTS;
}

/** Gradient caching encodes crops twice: for the loss, then with a tape. */
function cachingPasses({ crops, microBatch }: StepShape): number {
  return crops > microBatch ? FORWARD : 0;
}

function imagePasses(step: StepShape): number {
  const again = step.recompute === "always" ? FORWARD : 0;
  return step.freeze.includes("vision") ? FORWARD : trainingPasses(step) + cachingPasses(step) + again;
}

/** Prompts of a frozen tower are encoded once a run: no step's work. */
function promptPasses(step: StepShape): number {
  const again = step.recompute === "text" || step.recompute === "always" ? FORWARD : 0;
  return step.freeze.includes("text") ? 0 : trainingPasses(step) + again;
}
