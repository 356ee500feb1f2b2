import { concatenated } from "../base/collections.js";
import { DataError, EngineError, ShapeError } from "../base/errors.js";
import * as tf from "../engine/tf.js";
import type { Architecture } from "../model/architecture/architecture.js";
import { PROMPT_FEATURES } from "../model/parameters/learnedPrompts.js";
import type { ReadParameter } from "../model/parameters/parameters.js";
import { cropBytes, evaluationCrops, evaluationWindows } from "../model/preprocess/crops.js";
import type { Image } from "../model/preprocess/image.js";
import { resized, sizeImage, type SizeRule } from "../model/preprocess/resize.js";
import { cropLogits } from "../model/scorer.js";
import { patchTensor } from "../model/vision/patches.js";
import { encodeImages } from "../model/vision/encoders.js";
import { type ImageInput, pixelsOf } from "./imageInput.js";
import { type LiqeSource, type LoadProgress, loadWeights, openSource } from "./loadWeights.js";
import type { TfjsManifest } from "./manifest.js";
import { type LiqeScore, scoreOf, type ScoreOptions } from "./score.js";

export interface LoadOptions {
  /** Told after each of the weights' files. */
  readonly onProgress?: LoadProgress;
}

/** Number of crops that the model sees at once: memory depends on it, and the usual 15 are one batch. */
const AT_ONCE = 16;

/** An export of `liqe export --format tfjs`, ready to score on the program's TensorFlow.js backend. */
export class Liqe {
  readonly #model: ExportedModel;
  #isDisposed = false;

  private constructor(
    /** Labels, template, preprocessing and training of the export. */
    readonly manifest: TfjsManifest,
    tensors: ReadonlyMap<string, tf.Tensor>,
  ) {
    this.#model = new ExportedModel(manifest.model.architecture, tensors);
  }

  /**
   * Loads an export's folder. Keeps the weights on the device until `dispose()`.
   * @param source  the folder's address, or a function that reads its files
   * @throws {CheckpointError} where a file cannot be read, or was changed since it was written
   * @throws {EngineError} where no backend is registered, or none starts
   */
  static async load(source: LiqeSource, { onProgress }: LoadOptions = {}): Promise<Liqe> {
    await startBackend();
    const { manifest, tensors } = await loadWeights(openSource(source), onProgress);
    return new Liqe(manifest, tensors);
  }

  /**
   * Scores an image as `liqe predict` does: reduced to 768 pixels on the shorter side where that is larger, cut into
   * 15 windows of the model's size, logits averaged over them, one softmax.
   * @param image  borrowed; alpha is dropped
   * @throws {DataError} for an image below the window on a side, without `small: "resize"`; for one without pixels
   * @throws {RangeError} for less than one crop
   */
  async score(image: ImageInput, options: ScoreOptions = {}): Promise<LiqeScore> {
    const { crops = this.manifest.preprocessing.crops, small = "error" } = options;
    const given = pixelsOf(image);
    const { window } = this.manifest.preprocessing;
    const prepared = prepare(given, { small, window });
    const windows = evaluationWindows(prepared, crops, window);
    const logits = await this.#logits(evaluationCrops(prepared, crops, window));
    return scoreOf(logits, this.manifest.prompts.axes, { window, windows, given, prepared });
  }

  /** Frees the device's memory: nothing can be scored afterwards. */
  dispose(): void {
    if (!this.#isDisposed) this.#model.dispose();
    this.#isDisposed = true;
  }

  /** Logits, [crops, prompts], flat. */
  async #logits(pixels: Uint8Array): Promise<Float32Array> {
    const batches: Float32Array[] = [];
    const step = AT_ONCE * this.#model.cropSize;
    for (let at = 0; at < pixels.length; at += step) {
      if (this.#isDisposed) throw new EngineError("score: this Liqe was disposed of; load it again");
      const batch = pixels.subarray(at, at + step);
      const logits = cropLogits(this.#model, batch, this.manifest.model.logitScale);
      try {
        batches.push(Float32Array.from(await logits.data())); // the engine may hand out its own memory
      } finally {
        logits.dispose();
      }
    }
    return concatenated(Float32Array, batches);
  }
}

/** Waits for the backend that the program chose, or for the best of those that it registered. */
async function startBackend(): Promise<void> {
  try {
    await tf.ready();
  } catch (error) {
    throw new EngineError(
      "Liqe.load: no TensorFlow.js backend starts; import one first, such as @tensorflow/tfjs-backend-webgl, of the " +
        `same version as @tensorflow/tfjs-core (${tf.version_core})`,
      { cause: error },
    );
  }
}

function prepare(image: Image, rule: SizeRule & { readonly window: number }): Image {
  const { rows, cols } = image;
  if (rule.small === "error" && Math.min(rows, cols) < rule.window) {
    throw new DataError(
      `score: image: ${cols} x ${rows} pixels are less than ${rule.window} on a side; ` +
        'give a larger one, or let it be enlarged with { small: "resize" }',
    );
  }
  return resized(sizeImage(image, rule, "image"));
}

/** Image encoder with the prompts' features, which the text encoder computed before the export. */
export class ExportedModel {
  /** Keeps `tensors` until `dispose()`. */
  constructor(
    private readonly architecture: Architecture,
    private readonly tensors: ReadonlyMap<string, tf.Tensor>,
  ) {}

  private readonly read = (<R extends tf.Rank>(name: string): tf.Tensor<R> => {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) throw new ShapeError(`ExportedModel: there is no "${name}" in this model`);
    return tensor as tf.Tensor<R>; // its rank is what parameterShapes says of this name
  }) satisfies ReadParameter;

  get cropSize(): number {
    return cropBytes(this.architecture.vision.imageSize);
  }

  /** [crops, window, window, 3], RGB, 0 to 255, borrowed → [crops, embedding], given: unit rows. */
  imageFeatures(pixels: Uint8Array): tf.Tensor2D {
    const crops = pixels.length / this.cropSize;
    const patches = patchTensor(pixels, this.architecture.vision);
    const features = encodeImages({ read: this.read, architecture: this.architecture }, { patches, crops });
    patches.dispose();
    return features;
  }

  /** [prompts, embedding], borrowed. */
  promptFeatures(): tf.Tensor2D {
    return this.read<tf.Rank.R2>(PROMPT_FEATURES);
  }

  dispose(): void {
    for (const tensor of this.tensors.values()) tensor.dispose();
  }
}
