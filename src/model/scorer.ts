import { exactMatMulTransposed } from "../engine/ops.js";
import * as tf from "../engine/tf.js";
import type { LiqeModel } from "./liqe.js";
import type { TaskAxis } from "./prompts/promptGrid.js";

/** Model to score with: `LiqeModel`, or one whose prompts were encoded before it was exported. */
type ScoringModel = Pick<LiqeModel, "cropSize" | "imageFeatures" | "promptFeatures">;

/** Scaled cosines with every prompt: [crops, window, window, 3], RGB, 0 to 255, borrowed → [crops, prompts], given. */
export function cropLogits(model: ScoringModel, pixels: Uint8Array, logitScale: number): tf.Tensor2D {
  const textFeatures = model.promptFeatures();
  const features = model.imageFeatures(pixels);
  const logits = imageLogits(features, textFeatures, features.shape[0], logitScale);
  features.dispose();
  return logits;
}

/** Scores crops with a model, which is borrowed; its prompts are encoded once, and again only after training. */
export class ModelScorer {
  readonly #logitScale: number;

  constructor(readonly model: LiqeModel) {
    this.#logitScale = model.logitScale();
  }

  /** Axes of the prompt grid that logits are over. */
  get axes(): readonly TaskAxis[] {
    return this.model.grid.axes;
  }

  /** Side of the model's window in pixels. */
  get window(): number {
    return this.model.window;
  }

  /** Logits on the host, [crops, prompts]. @param pixels  [crops, window, window, 3], RGB, 0 to 255, borrowed */
  logits(pixels: Uint8Array): Float32Array {
    return read(cropLogits(this.model, pixels, this.#logitScale));
  }

  /** Number of batches under way at once: one computes while the next one is cut, where the engine can. */
  get atOnce(): number {
    return this.model.encodesLater ? 2 : 1;
  }

  /** `logits`, on another thread where the engine can; the pixels are read before this returns. */
  async logitsLater(pixels: Uint8Array): Promise<Float32Array> {
    const textFeatures = this.model.promptFeatures();
    const features = await this.model.imageFeaturesLater(pixels);
    const logits = imageLogits(features, textFeatures, features.shape[0], this.#logitScale);
    features.dispose();
    return read(logits);
  }
}

/** Numbers of a tensor, which is freed. */
function read(tensor: tf.Tensor): Float32Array {
  const values = Float32Array.from(tensor.dataSync()); // the engine may hand out its own memory
  tensor.dispose();
  return values;
}

/**
 * Logits of images: the scaled cosines of their crops with every prompt, averaged over the crops. The features are
 * averaged, which is the same, since a cosine with a fixed prompt is linear in the feature.
 * @param cropFeatures  [images·crops, embedding], borrowed: unit rows, image-major
 * @param textFeatures  [prompts, embedding], borrowed: unit rows
 * @returns             [images, prompts], given
 */
export function imageLogits(
  cropFeatures: tf.Tensor2D,
  textFeatures: tf.Tensor2D,
  images: number,
  logitScale: number,
): tf.Tensor2D {
  return tf.tidy(() => {
    const perImage = tf.reshape(cropFeatures, [images, -1, cropFeatures.shape[1]]); // [images, crops, embedding]
    const features = tf.mean<tf.Tensor2D>(perImage, 1); // [images, embedding]
    return tf.mul<tf.Tensor2D>(exactMatMulTransposed(features, textFeatures), logitScale);
  });
}
