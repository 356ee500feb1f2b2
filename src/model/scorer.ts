import * as tf from "../engine/tf.js";
import { imageLogits, type LiqeModel } from "./liqe.js";
import type { GridAxis } from "./prompts/promptGrid.js";

/** Model to score with: `LiqeModel`, or one whose prompts were encoded before it was exported. */
export type ScoringModel = Pick<LiqeModel, "cropSize" | "imageFeatures" | "promptFeatures">;

/**
 * Logits of crops, [crops, prompts], given: the scaled cosines of each with every prompt.
 * @param pixels  [crops, 224, 224, 3], RGB, 0 to 255, borrowed
 */
export function cropLogits(model: ScoringModel, pixels: Uint8Array, logitScale: number): tf.Tensor2D {
  const crops = pixels.length / model.cropSize;
  const textFeatures = model.promptFeatures();
  const features = model.imageFeatures(pixels);
  const logits = imageLogits(features, textFeatures, crops, logitScale);
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
  get axes(): readonly GridAxis[] {
    return this.model.grid.axes;
  }

  /** Logits on the host, [crops, prompts]. @param pixels  [crops, 224, 224, 3], RGB, 0 to 255, borrowed */
  logits(pixels: Uint8Array): Float32Array {
    const logits = cropLogits(this.model, pixels, this.#logitScale);
    const values = Float32Array.from(logits.dataSync()); // the engine may hand out its own memory
    logits.dispose();
    return values;
  }
}
