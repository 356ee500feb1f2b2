import { pushAll } from "../base/collections.js";
import { EAGER, type Runner } from "../engine/compile/compile.js";
import type { ResourceVariables } from "../engine/compile/resourceVariables.js";
import { valueAndGradients, type WithAux } from "../engine/autodiff/valueAndGradients.js";
import * as tf from "../engine/tf.js";
import type { Checkpointing } from "../model/layers.js";
import type { LiqeModel } from "../model/liqe.js";
import { type AdapterDropout, isVision, type ReadParameter } from "../model/parameters/parameters.js";
import type { PatchBatch } from "../model/vision/patches.js";
import { encodeImages } from "../model/vision/encoders.js";
import type { CropRange, RankShare } from "./rankShare.js";
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
  /** Runs the step's functions; by default operation by operation. Borrowed. */
  readonly runner?: Runner;
  /** Holds the trained parameters, where the model's own variables do not; borrowed. */
  readonly weights?: ResourceVariables | null;
  /** This process's part of steps that several take; null (default) where it takes them alone. */
  readonly share?: { readonly of: RankShare; readonly range: CropRange } | null;
  /** Null (default) for adapters that are added to their matrices. */
  readonly dropout?: StepDropout | null;
}

/** Dropout of the adapters' inputs in one step. */
export interface StepDropout {
  /** Share that is dropped, in (0, 1). */
  readonly rate: number;
  /** Key of the step's randomness: a whole number from 0 to 2^31 - 1. */
  readonly key: number;
}

/** Loss of a batch as a pure function of its features and other tensors. */
export interface LossHead {
  /** Settings that the loss depends on besides tensors, in a text: another text is another function. */
  readonly name: string;
  /** Targets, weights of tasks and the like; borrowed. */
  readonly inputs: readonly tf.Tensor[];
  /** Value to differentiate and, as `aux`, all that is measured: [measures]. Its other tensors are freed. */
  readonly loss: (features: Features, inputs: readonly tf.Tensor[]) => WithAux<tf.Tensor1D>;
}

/** Gradients of a step, and its measures; all given. */
interface BatchGradients {
  /** [measures of the head.., norm of all gradients], not yet read. */
  readonly measured: tf.Tensor1D;
  readonly gradients: Gradients;
}

/**
 * Gradients of a loss over all crops of a step, by gradient caching (GradCache, arXiv 2101.06983) where the crops are
 * more than one micro-batch. The pairwise loss needs all features at once, but not their graphs: features are computed
 * without a tape, the loss gives their gradient, and each micro-batch is encoded again with a tape to carry it on.
 * Memory follows the micro-batch; the gradient is that of the whole batch up to the order of sums.
 * @param batch  the crops, or their features, [crops, embedding], where nothing of the image tower is trained; borrowed
 */
export async function cachedGradients(
  towers: TrainedTowers,
  batch: readonly PatchBatch[] | tf.Tensor2D,
  head: LossHead,
): Promise<BatchGradients> {
  const { model, trained } = towers;
  if (!("map" in batch)) return featureGradients(towers, batch, head);
  const isTextFrozen = trained.every(isVision);
  const frozenText = isTextFrozen ? [model.promptFeatures()] : [];
  if (!isTextFrozen) model.forgetPromptFeatures(); // of a validation
  if (trained.some(isVision)) model.forgetFoldedVision(); // likewise
  const [only] = batch;
  const isWhole = only !== undefined && batch.length === 1 && (towers.share ?? null) === null;
  return isWhole ? wholeGradients(towers, only, head, frozenText) : pieceGradients(towers, batch, head, frozenText);
}

/** Gradients of a batch whose features are known. */
async function featureGradients(towers: TrainedTowers, features: tf.Tensor2D, head: LossHead): Promise<BatchGradients> {
  towers.model.forgetPromptFeatures(); // of a validation
  const { measures, byCrop, text } = await headGradients(towers, features, head, []);
  try {
    const [norm] = await run(towers, "norm", [...text.values()], (all) => [normOf(all)]);
    const measured = tf.concat1d([measures, norm as tf.Tensor1D]); // of one number
    norm?.dispose();
    return { measured, gradients: text };
  } catch (error) {
    tf.dispose([...text.values()]);
    throw error;
  } finally {
    tf.dispose([measures, byCrop]);
  }
}

/** Gradients of a batch in one piece: one function. @param frozenText  prompt features, or none where they are trained */
async function wholeGradients(
  towers: TrainedTowers,
  { patches, crops }: PatchBatch,
  head: LossHead,
  frozenText: readonly tf.Tensor[],
): Promise<BatchGradients> {
  const { trained } = towers;
  const inputs = [patches, ...frozenText, ...head.inputs];
  const found = await runDrawn(towers, { name: `gradients ${head.name}`, first: 0 }, inputs, (encoders, given) => {
    const [pixels, ...others] = given as [tf.Tensor2D, ...tf.Tensor[]]; // as `inputs`
    const { aux, gradients } = gradientsBy(encoders, trained, () => {
      const features = {
        crops: encoders.images(pixels, crops),
        text: encoders.prompts(others.slice(0, frozenText.length)),
      };
      return head.loss(features, others.slice(frozenText.length));
    });
    return [tf.concat1d([aux, normOf(gradients)]), ...gradients];
  });
  const [measured, ...gradients] = found as [tf.Tensor1D, ...tf.Tensor[]]; // as returned
  return { measured, gradients: named(trained, gradients) };
}

/** Gradients of a batch in several pieces: the features of each, the loss, and the way back through each. */
async function pieceGradients(
  towers: TrainedTowers,
  batch: readonly PatchBatch[],
  head: LossHead,
  frozenText: readonly tf.Tensor[],
): Promise<BatchGradients> {
  const { share = null } = towers;
  const gradients = new Map<string, tf.Tensor>();
  const passing: tf.Tensor[] = []; // what is not given
  try {
    const first = share?.range.first ?? 0;
    const own = await cropFeatures(towers, batch, first);
    passing.push(own);
    const features = share === null ? own : await share.of.allFeatures(own, share.range);
    passing.push(features);
    const { measures: found, byCrop, text } = await headGradients(towers, features, head, frozenText);
    passing.push(found, byCrop);
    for (const [name, gradient] of text) gradients.set(name, gradient);
    await carryBack(towers, batch, { byCrop, first }, gradients);
    const measures = share === null ? found : await share.of.reduce(gradients, found, isVision);
    passing.push(measures);
    const [computed] = (await run(towers, "norm", [...gradients.values()], (all) => [normOf(all)])) as [tf.Tensor1D]; // as returned
    const norm = share === null ? computed : await share.of.mean(computed);
    passing.push(computed, norm);
    return { measured: tf.concat1d([measures, norm]), gradients };
  } catch (error) {
    tf.dispose([...gradients.values()]);
    throw error;
  } finally {
    tf.dispose(passing);
  }
}

/** Features of all pieces, given. @param first  place of the batch's first crop among those of the step */
async function cropFeatures(towers: TrainedTowers, batch: readonly PatchBatch[], first: number): Promise<tf.Tensor2D> {
  const pieces: tf.Tensor2D[] = [];
  let firstCrop = first;
  try {
    for (const { patches, crops } of batch) {
      const encode: DrawnFunction = ({ images }, [pixels]) => [images(pixels as tf.Tensor2D, crops)];
      const found = await runDrawn(towers, { name: "features", first: firstCrop }, [patches], encode);
      pushAll(pieces, found as tf.Tensor2D[]); // as `encode` returns
      firstCrop += crops;
    }
    return tf.concat2d(pieces, 0);
  } finally {
    tf.dispose(pieces);
  }
}

/** Measures of the loss, and its gradients by all features and by the text tower's parameters; all given. */
async function headGradients(
  towers: TrainedTowers,
  features: tf.Tensor2D,
  head: LossHead,
  frozenText: readonly tf.Tensor[],
): Promise<{ readonly measures: tf.Tensor1D; readonly byCrop: tf.Tensor2D; readonly text: Gradients }> {
  const names = towers.trained.filter((name) => !isVision(name));
  const inputs = [features, ...frozenText, ...head.inputs];
  const found = await runDrawn(towers, { name: `head ${head.name}`, first: 0 }, inputs, (encoders, given) => {
    const [crops, ...others] = given as [tf.Tensor2D, ...tf.Tensor[]]; // as `inputs`
    const [frozen, rest] = [others.slice(0, frozenText.length), others.slice(frozenText.length)];
    const loss = () => head.loss({ crops, text: encoders.prompts(frozen) }, rest);
    const { aux, gradients } = valueAndGradients(loss, [crops, ...names.map(encoders.read)]);
    return [aux, ...gradients.map((gradient, i) => need(gradient, i === 0 ? "features" : (names[i - 1] ?? "")))];
  });
  const [measures, byCrop, ...gradients] = found as [tf.Tensor1D, tf.Tensor2D, ...tf.Tensor[]]; // as returned
  return { measures, byCrop, text: named(names, gradients) };
}

/**
 * Adds to `gradients` those of the image tower: of Σ features · weights, whose gradient by the features is `byCrop`.
 * @param first  row of the batch's first crop
 */
async function carryBack(
  towers: TrainedTowers,
  batch: readonly PatchBatch[],
  { byCrop, first }: { readonly byCrop: tf.Tensor2D; readonly first: number },
  gradients: Map<string, tf.Tensor>,
): Promise<void> {
  const names = towers.trained.filter(isVision);
  let firstCrop = first;
  for (const { patches, crops } of names.length === 0 ? [] : batch) {
    const share = tf.slice(byCrop, [firstCrop, 0], [crops, -1]);
    try {
      const part = await runDrawn(towers, { name: "carry", first: firstCrop }, [patches, share], (encoders, given) => {
        const [pixels, weights] = given as [tf.Tensor2D, tf.Tensor2D]; // as passed
        const weighted = () => tf.sum(tf.mul(encoders.images(pixels, crops), weights));
        return gradientsBy(encoders, names, () => ({ value: weighted(), aux: tf.tensor1d([]) })).gradients;
      });
      for (const [i, name] of names.entries()) addTo(gradients, name, need(part[i], name));
      firstCrop += crops;
    } finally {
      share.dispose();
    }
  }
}

function run({ runner = EAGER, recompute = "never" }: TrainedTowers, name: string, ...call: RunArguments) {
  return runner.run(`${name} ${recompute}`, ...call);
}
type RunArguments = Parameters<Runner["run"]> extends [string, ...infer Rest] ? Rest : never;

/** Function of a step's encoders and of tensors. */
type DrawnFunction = (encoders: ReturnType<typeof encodersOf>, inputs: readonly tf.Tensor[]) => tf.Tensor[];

/**
 * Runs a function of the encoders. What they draw is one more input where anything is dropped: another step, or another
 * piece, is the same function.
 * @param first  place of the first crop among those of the step
 */
async function runDrawn(
  towers: TrainedTowers,
  { name, first }: { readonly name: string; readonly first: number },
  inputs: readonly tf.Tensor[],
  f: DrawnFunction,
): Promise<tf.Tensor[]> {
  const { dropout = null } = towers;
  if (dropout === null) return run(towers, name, inputs, (given) => f(encodersOf(towers, null), given));
  const { rate, key } = dropout;
  const drawn = tf.tensor1d([key, first], "int32");
  try {
    return await run(towers, `${name} dropout ${rate}`, [drawn, ...inputs], ([draw, ...given]) =>
      f(encodersOf(towers, { rate, draw: draw as tf.Tensor1D }), given),
    );
  } finally {
    drawn.dispose();
  }
}

/** Both encoders of a function, and the parameters that they read: each once, as one tensor. */
function encodersOf(
  { model, trained, recompute = "never", weights = null }: TrainedTowers,
  dropout: AdapterDropout | null,
) {
  const known = new Map<string, tf.Tensor>();
  const read = (<R extends tf.Rank>(name: string) => {
    const isHeld = weights !== null && trained.includes(name);
    const found = known.get(name) ?? (isHeld ? weights.read(name) : model.parameters.read(name));
    known.set(name, found);
    return found as tf.Tensor<R>; // its rank is what parameterShapes says of this name
  }) satisfies ReadParameter;
  const encoderWeights = model.trainedWeights(read, dropout);
  const keptWhere = (isRecomputed: boolean): Checkpointing => (isRecomputed ? "inputs" : "activations");
  return {
    read,
    images: (patches: tf.Tensor2D, crops: number) =>
      encodeImages(encoderWeights, { patches, crops }, keptWhere(recompute === "always")),
    /** @param frozen  the features, where the tower is not trained */
    prompts: ([frozen]: readonly tf.Tensor[]) =>
      (frozen as tf.Tensor2D | undefined) ??
      model.encodePrompts({ weights: encoderWeights, keep: keptWhere(recompute !== "never") }),
  };
}

/** Gradients by parameters, in the order of the names. */
function gradientsBy(
  { read }: ReturnType<typeof encodersOf>,
  names: readonly string[],
  f: () => WithAux<tf.Tensor1D>,
): { readonly aux: tf.Tensor1D; readonly gradients: tf.Tensor[] } {
  const { aux, gradients } = valueAndGradients(f, names.map(read));
  return { aux, gradients: names.map((name, i) => need(gradients[i], name)) };
}

function need<T extends tf.Tensor>(found: T | undefined, name: string): T {
  if (found !== undefined) return found;
  throw new Error(`internal: cachedGradients: the loss does not depend on "${name}"`);
}

function named(names: readonly string[], gradients: readonly tf.Tensor[]): Gradients {
  return new Map(names.map((name, i) => [name, need(gradients[i], name)]));
}

/** [1]: see `globalNorm`. */
function normOf(gradients: readonly tf.Tensor[]): tf.Tensor1D {
  return tf.reshape<tf.Rank.R1>(globalNorm(gradients), [1]);
}

/**
 * Euclidean norm of all gradients together, as if they were one vector.
 * @param gradients  borrowed
 * @returns          scalar, given, not yet read: the step reads it with its losses in one go
 */
export function globalNorm(gradients: readonly tf.Tensor[]): tf.Scalar {
  return tf.tidy(() => {
    const squares = gradients.map((gradient) => tf.sum<tf.Scalar>(tf.square(gradient)));
    return squares.length === 0 ? tf.scalar(0) : tf.sqrt(tf.addN(squares));
  });
}

/** Adds a micro-batch's part; what is replaced is freed, else each would keep a copy of all gradients. */
function addTo(gradients: Map<string, tf.Tensor>, name: string, part: tf.Tensor): void {
  const before = gradients.get(name);
  gradients.set(name, before === undefined ? part : tf.add(before, part));
  if (before !== undefined) tf.dispose([before, part]);
}
