import { valueAndGradients } from "../engine/autodiff/valueAndGradients.js";
import * as tf from "../engine/tf.js";
import type { Checkpointing } from "../model/layers/transformer.js";
import type { LiqeModel } from "../model/liqe.js";
import { isVision } from "../model/parameters/parameters.js";

/** Loss of a batch as a function of its features; leaves its intermediates to the caller's tidy. */
export type FeatureLoss = (cropFeatures: tf.Tensor2D, textFeatures: tf.Tensor2D) => tf.Scalar;

/** By parameter name. */
export type Gradients = Record<string, tf.Tensor>;

/** The pixels of a batch, cut for the engine: each entry at most `microBatch` crops. */
export interface MicroBatch {
  readonly patches: tf.Tensor2D;
  readonly crops: number;
}

/** Which towers are computed a second time, block by block, on the way back; the gradient is the same. */
export type Recompute = "never" | "text" | "always";

/**
 * The gradient of a loss over all crops of a step, by gradient caching (arXiv 2101.06983) where the crops are more
 * than one micro-batch. The pairwise loss needs all features at once, but not their graphs: features are computed
 * without a tape, the loss gives their gradient, and each micro-batch is encoded again with a tape to carry it on.
 * Memory follows the micro-batch; the gradient is that of the whole batch up to the order of sums.
 *
 * @param trained    names of the parameters to differentiate by
 * @param recompute  by default neither tower
 * @returns          gradients by name, given; call inside a tidy
 */
export function cachedGradients(
  model: LiqeModel,
  batch: readonly MicroBatch[],
  trained: readonly string[],
  loss: FeatureLoss,
  recompute: Recompute = "never",
): Gradients {
  const encodeImages = ({ patches, crops }: MicroBatch) =>
    model.encodeImages(patches, crops, keptWhere(recompute === "always"));
  const encodePrompts = () => model.encodePrompts(keptWhere(recompute !== "never"));
  const vision = trained.filter(isVision);
  const text = trained.filter((name) => !isVision(name));
  const frozenText = text.length === 0 ? model.promptFeatures() : null;
  if (frozenText === null) model.forgetPromptFeatures(); // of a validation
  if (vision.length > 0) model.forgetFoldedVision(); // likewise
  const [only] = batch;
  if (only !== undefined && batch.length === 1) {
    return gradientsOf(model, trained, () => loss(encodeImages(only), frozenText ?? encodePrompts()));
  }
  const [byCrop, byPrompt] = featureGradients(model, batch, frozenText ?? model.encodePrompts(), loss);
  const gradients = text.length === 0 ? {} : gradientsOf(model, text, () => weighted(encodePrompts(), byPrompt));
  if (vision.length === 0) return gradients;
  let firstCrop = 0;
  return batch.reduce<Gradients>((sum, piece) => {
    const share = tf.slice(byCrop, [firstCrop, 0], [piece.crops, -1]);
    firstCrop += piece.crops;
    return tf.tidy(() => {
      const part = gradientsOf(model, vision, () => weighted(encodeImages(piece), share));
      return accumulate(sum, part);
    });
  }, gradients);
}

/** Gradients of the loss by crop features and by text features, without a tape through the towers. */
function featureGradients(
  model: LiqeModel,
  batch: readonly MicroBatch[],
  textFeatures: tf.Tensor2D,
  loss: FeatureLoss,
): [tf.Tensor2D, tf.Tensor2D] {
  const cropFeatures = tf.concat2d(
    batch.map(({ patches, crops }) => model.encodeImages(patches, crops)),
    0,
  );
  const { gradients } = valueAndGradients(() => loss(cropFeatures, textFeatures), [cropFeatures, textFeatures]);
  const [byCrop, byPrompt] = gradients;
  return [need(byCrop, "crop features"), need(byPrompt, "text features")] as [tf.Tensor2D, tf.Tensor2D]; // of their ranks
}

function keptWhere(isRecomputed: boolean): Checkpointing {
  return isRecomputed ? "inputs" : "activations";
}

/** Σ features · weights: its gradient by the features is the weights. */
function weighted(features: tf.Tensor2D, weights: tf.Tensor2D): tf.Scalar {
  return tf.sum<tf.Scalar>(tf.mul(features, weights));
}

function gradientsOf(model: LiqeModel, names: readonly string[], loss: () => tf.Scalar): Gradients {
  const { variables } = model.parameters;
  const wanted = names.map((name) => {
    const variable = variables.get(name);
    if (variable === undefined) throw new Error(`internal: cachedGradients: no parameter "${name}"`);
    return [name, variable] as const;
  });
  const { value, gradients } = valueAndGradients(
    loss,
    wanted.map(([, variable]) => variable),
  );
  value.dispose();
  return Object.fromEntries(wanted.map(([name], i) => [name, need(gradients[i], name)]));
}

function need(gradient: tf.Tensor | undefined, name: string): tf.Tensor {
  if (gradient) return gradient;
  throw new Error(`internal: cachedGradients: the loss does not depend on "${name}"`);
}

function accumulate(sum: Gradients, part: Gradients): Gradients {
  const added = Object.entries(part).map(([name, gradient]) => {
    const before = sum[name];
    const total = before === undefined ? gradient : tf.add(before, gradient);
    before?.dispose(); // else every micro-batch would keep a copy of all gradients until the step ends
    return [name, total] as const;
  });
  return { ...sum, ...Object.fromEntries(added) };
}
