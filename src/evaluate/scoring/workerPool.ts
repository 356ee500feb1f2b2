import * as tf from "../../engine/tf.js";
import type { LiqeModel } from "../../model/liqe.js";
import type { NamedArrays } from "../../model/parameters/parameters.js";
import type { GridAxis } from "../../model/prompts/promptGrid.js";
import { imageLogits } from "../../model/scorer.js";
import { ImageProcesses, type ImageProcessesOptions } from "./imageProcesses.js";
import type { ConcurrentScorer } from "./scoreImages.js";

/** Scores crops with a model whose image tower runs in several processes. */
export class ParallelScorer implements ConcurrentScorer {
  readonly #logitScale: number;

  private constructor(
    readonly model: LiqeModel,
    private readonly processes: ImageProcesses,
  ) {
    this.#logitScale = model.logitScale();
  }

  /**
   * @param model    borrowed until `close()`: compares features with its prompts
   * @param weights  the model's own, borrowed until this resolves
   */
  static async open(model: LiqeModel, weights: NamedArrays, options: ImageProcessesOptions): Promise<ParallelScorer> {
    const scorer = new ParallelScorer(model, await ImageProcesses.open(weights, model.architecture, options));
    try {
      model.promptFeatures(); // holds this thread: while the processes start, and not when their first features come
    } catch (error) {
      scorer.close();
      throw error;
    }
    return scorer;
  }

  get axes(): readonly GridAxis[] {
    return this.model.grid.axes;
  }

  get atOnce(): number {
    return this.processes.batches;
  }

  async logitsLater(pixels: Uint8Array): Promise<Float32Array> {
    const crops = pixels.length / this.model.cropSize;
    const features = await this.processes.features(pixels, crops);
    const rows = tf.tensor2d(features, [crops, features.length / crops]);
    const logits = imageLogits(rows, this.model.promptFeatures(), crops, this.#logitScale);
    const values = Float32Array.from(logits.dataSync()); // the engine may hand out its own memory
    tf.dispose([rows, logits]);
    return values;
  }

  close(): void {
    this.processes.close();
  }
}
