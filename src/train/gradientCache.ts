import { valueAndGradients, type WithAux } from "../engine/autodiff/valueAndGradients.js";
import * as tf from "../engine/tf.js";
import type { Checkpointing } from "../model/layers.js";
import type { LiqeModel } from "../model/liqe.js";
import { isVision } from "../model/parameters/parameters.js";
import type { PatchBatch } from "../model/vision/patches.js";
import type { Features } from "./weighting/gradientGram.js";

/** Gradients by parameter name. */
export type Gradients = ReadonlyMap<string, tf.Tensor>;

/** Towers whose blocks are computed a second time on the way back (gradient checkpointing); the gradient is the same. */
export type Recompute = "never" | "text" | "always";

/** Towers to differentiate through. */
export interface TrainedTowers {
  readonly model: LiqeModel;
  /** Names of the parameters to differentiate by. */
  readonly trained: readonly string[];
  /** Neither tower by default. */
  readonly recompute?: Recompute;
}

/** Loss of a batch as a function of its features, alone or with `aux`; its other tensors are freed. */
export type LossHead<Aux extends tf.TensorContainer = undefined> = (features: Features) => tf.Tensor | WithAux<Aux>;

/**
 * Gradients of a loss over all crops of a step, by gradient caching (GradCache, arXiv 2101.06983) where the crops are
 * more than one micro-batch. The pairwise loss needs all features at once, but not their graphs: features are computed
 * without a tape, the loss gives their gradient, and each micro-batch is encoded again with a tape to carry it on.
 * Memory follows the micro-batch; the gradient is that of the whole batch up to the order of sums.
 * @returns value, aux and gradients, given; call inside a tidy
 */
export function cachedGradients<Aux extends tf.TensorContainer = undefined>(
  { model, trained, recompute = "never" }: TrainedTowers,
  batch: readonly PatchBatch[],
  head: LossHead<Aux>,
): WithAux<Aux> & { readonly gradients: Gradients } {
  const encodeImages = ({ patches, crops }: PatchBatch) =>
    model.encodeImages(patches, crops, keptWhere(recompute === "always"));
  const encodePrompts = () => model.encodePrompts(keptWhere(recompute !== "never"));
  const vision = trained.filter(isVision);
  const text = trained.filter((name) => !isVision(name));
  const frozenText = text.length === 0 ? model.promptFeatures() : null;
  if (frozenText === null) model.forgetPromptFeatures(); // of a validation
  if (vision.length > 0) model.forgetFoldedVision(); // likewise
  const [only] = batch;
  if (only !== undefined && batch.length === 1) {
    return gradientsOf(model, trained, () => head({ crops: encodeImages(only), text: frozenText ?? encodePrompts() }));
  }
  const features = {
    crops: tf.concat2d(
      batch.map(({ patches, crops }) => model.encodeImages(patches, crops)),
      0,
    ),
    text: frozenText ?? model.encodePrompts(),
  };
  const { value, aux, gradients: byFeature } = valueAndGradients(() => head(features), [features.crops, features.text]);
  const [byCrop, byPrompt] = byFeature.map((gradient, i) => need(gradient, `features ${i}`)) as [
    tf.Tensor2D,
    tf.Tensor2D,
  ];
  const gradients = new Map(
    text.length === 0 ? [] : gradientsOf(model, text, () => weighted(encodePrompts(), byPrompt)).gradients,
  );
  for (const [i, piece] of (vision.length === 0 ? [] : batch).entries()) {
    const firstCrop = batch.slice(0, i).reduce((sum, { crops }) => sum + crops, 0);
    const share = tf.slice(byCrop, [firstCrop, 0], [piece.crops, -1]);
    const part = gradientsOf(model, vision, () => weighted(encodeImages(piece), share)).gradients;
    for (const [name, gradient] of part) addTo(gradients, name, gradient);
  }
  return { value, aux, gradients };
}

function keptWhere(isRecomputed: boolean): Checkpointing {
  return isRecomputed ? "inputs" : "activations";
}

/** Σ features · weights: its gradient by the features is the weights. */
function weighted(features: tf.Tensor2D, weights: tf.Tensor2D): tf.Tensor {
  return tf.sum(tf.mul(features, weights));
}

function gradientsOf<Aux extends tf.TensorContainer = undefined>(
  model: LiqeModel,
  names: readonly string[],
  f: () => tf.Tensor | WithAux<Aux>,
): WithAux<Aux> & { readonly gradients: Gradients } {
  const variables = names.map((name) => need(model.parameters.variables.get(name), name));
  const { value, aux, gradients } = valueAndGradients(f, variables);
  return { value, aux, gradients: new Map(names.map((name, i) => [name, need(gradients[i], name)])) };
}

function need<T extends tf.Tensor>(found: T | undefined, name: string): T {
  if (found !== undefined) return found;
  throw new Error(`internal: cachedGradients: the loss does not depend on "${name}"`);
}

/**
 * Euclidean norm of all gradients together, as if they were one vector.
 * @param gradients  borrowed
 * @returns          scalar, given, not yet read: the step reads it with its losses in one go
 */
export function globalNorm(gradients: Gradients): tf.Scalar {
  return tf.tidy(() => {
    const squares = [...gradients.values()].map((gradient) => tf.sum<tf.Scalar>(tf.square(gradient)));
    return squares.length === 0 ? tf.scalar(0) : tf.sqrt(tf.addN(squares));
  });
}

/** Adds a micro-batch's part; what is replaced is freed, else each would keep a copy of all gradients. */
function addTo(gradients: Map<string, tf.Tensor>, name: string, part: tf.Tensor): void {
  const before = gradients.get(name);
  gradients.set(name, before === undefined ? part : tf.add(before, part));
  if (before !== undefined) tf.dispose([before, part]);
}
