import * as tf from "../../engine/tf.js";
import { ExportedModel } from "../../inference/liqe.js";
import { LiqeModel } from "../../model/liqe.js";
import { PROMPT_FEATURES } from "../../model/parameters/learnedPrompts.js";
import { isVision, type NamedArray } from "../../model/parameters/parameters.js";
import type { TaskAxis } from "../../model/prompts/promptGrid.js";
import { cropLogits } from "../../model/scorer.js";
import type { ExportSource } from "../exportFormat.js";

/**
 * A model some of whose tensors are exchanged for what their storage makes of them: how far an export's scores will be off,
 * without writing it. Keeps its weights on the device until `dispose()`.
 */
export class RoundedModel {
  readonly #tensors = new Map<string, tf.Tensor>();
  readonly #logitScale: number;
  readonly #model: ExportedModel;

  /** @param source  borrowed: the model as it is */
  constructor(private readonly source: ExportSource) {
    const { architecture, weights, grid, promptFeatures } = source;
    for (const [name, array] of weights) if (isVision(name)) this.#put(name, array);
    this.#put(PROMPT_FEATURES, { shape: [grid.prompts.length, architecture.embedding], values: promptFeatures });
    this.#model = new ExportedModel(architecture, this.#tensors);
    this.#logitScale = Math.exp(weights.get("logit_scale")?.values[0] ?? NaN);
  }

  /** Axes of the prompts that logits are over. */
  get axes(): readonly TaskAxis[] {
    return this.source.grid.axes;
  }

  /** Side of a window in pixels. */
  get window(): number {
    return this.source.architecture.vision.imageSize;
  }

  /** Bytes of one crop's pixels. */
  get cropSize(): number {
    return this.#model.cropSize;
  }

  /** Exchanges tensors, by name; those of the text encoder change the prompts' features. */
  exchange(arrays: ReadonlyMap<string, NamedArray>): void {
    for (const [name, array] of arrays) if (isVision(name)) this.#put(name, array);
    if ([...arrays.keys()].every(isVision)) return;
    const { weights, grid, architecture, tokenizer } = this.source;
    const model = new LiqeModel(new Map([...weights, ...arrays]), grid, { architecture, tokenizer });
    try {
      const features = model.promptFeatures();
      this.#put(PROMPT_FEATURES, { shape: features.shape, values: Float32Array.from(features.dataSync()) });
    } finally {
      model.dispose();
    }
  }

  /** Puts tensors back as the model has them. */
  restore(names: Iterable<string>): void {
    const { architecture, weights, grid, promptFeatures } = this.source;
    for (const name of names) {
      const array = weights.get(name);
      if (array !== undefined && isVision(name)) this.#put(name, array);
      else this.#put(PROMPT_FEATURES, { shape: [grid.prompts.length, architecture.embedding], values: promptFeatures });
    }
  }

  /** Logits, [crops, prompts], flat. @param pixels  [crops, window, window, 3], RGB, 0 to 255, borrowed */
  logits(pixels: Uint8Array): Float32Array {
    const logits = cropLogits(this.#model, pixels, this.#logitScale);
    const values = Float32Array.from(logits.dataSync()); // the engine may hand out its own memory
    logits.dispose();
    return values;
  }

  dispose(): void {
    this.#model.dispose();
  }

  #put(name: string, { shape, values }: NamedArray): void {
    this.#tensors.get(name)?.dispose();
    this.#tensors.set(name, tf.keep(tf.tensor(values.slice(), [...shape], "float32")));
  }
}
