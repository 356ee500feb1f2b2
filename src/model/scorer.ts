import * as tf from "../engine/tf.js";
import type { LiqeModel } from "./liqe.js";
import { imageLogits } from "./liqe.js";
import type { GridAxis } from "./promptGrid.js";

/** Scores crops with a model, which is borrowed; its prompts are encoded once, and again only after it was trained. */
export class ModelScorer {
  readonly #logitScale: number;

  constructor(readonly model: LiqeModel) {
    this.#logitScale = model.logitScale();
  }

  /** The axes of the prompt grid that logits are over. */
  get axes(): readonly GridAxis[] {
    return this.model.grid.axes;
  }

  /**
   * @param pixels  [crops, 224, 224, 3], RGB, 0 to 255, borrowed
   * @returns       [crops, prompts]: scaled cosines, on the host
   */
  logits(pixels: Uint8Array): Float32Array {
    const crops = pixels.length / this.model.cropSize;
    const textFeatures = this.model.promptFeatures();
    // Read outside the tidy, which would search every number it is given for tensors
    const logits = tf.tidy(() => {
      const features = this.model.encodeImages(this.model.patches(pixels), crops);
      return imageLogits(features, textFeatures, crops, this.#logitScale);
    });
    const values = Float32Array.from(logits.dataSync()); // the engine may hand out its own memory
    logits.dispose();
    return values;
  }
}
