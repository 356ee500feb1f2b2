import { DataError } from "../base/errors.js";
import { DEFAULT_IMAGE_OPTIONS, type ImageOptions, loadImage } from "../data/images/loadImage.js";
import type { Precision } from "../engine/compile/compile.js";
import { requirePrecision } from "../engine/precision.js";
import { EvaluateConfig } from "../evaluate/config.js";
import type { LiqeScore } from "../inference/score.js";
import { jointEntropy, type Posterior, posteriorOf, probabilitiesByLabel } from "../model/posterior.js";
import { evaluationCrops } from "../model/preprocess/crops.js";
import type { Image } from "../model/preprocess/image.js";
import { resized, sizeImage } from "../model/preprocess/resize.js";
import type { TaskAxis } from "../model/prompts/promptGrid.js";
import { namedOrBox } from "./box.js";
import { type KindOptions, type OpenedModel, type PromptOptions, openModel, choicesBy } from "./openModel.js";
import { openEngine, reporterOf, type WorkOptions } from "./work.js";

/** Image to score: a file's path, its bytes, or RGB or RGBA pixels row by row, 0 to 255. */
export type ImageSource =
  string | Uint8Array | { readonly width: number; readonly height: number; readonly data: ArrayLike<number> };

/** Answer of a model for one image. */
export interface Score extends Pick<LiqeScore, "quality" | "scene" | "distortion" | "probabilities"> {
  /** Entropy of the joint distribution over all prompts, in nats: 0 for one prompt with all the probability. */
  readonly uncertainty: number;
}

/** Options of a single score. */
export interface ScoreOptions {
  /** Windows scored of the image, 1 or more, at most as many as it has; 15 by default. */
  readonly crops?: number | undefined;
  /** `resize` enlarges an image below the model's window; by default it is refused. */
  readonly small?: ImageOptions["small"];
}

/** Trained model, made by `load`. Keeps its weights on the device until `dispose()`; several may be open at once. */
export class Model {
  /** @internal */
  constructor(
    /** Name that the model was loaded by. */
    readonly name: string,
    /** Weights, prompts and training state. @internal */
    readonly opened: OpenedModel,
  ) {}

  /** Scores one image. @throws {@link DataError} where the image cannot be used */
  async score(image: ImageSource, options: ScoreOptions = {}): Promise<Score> {
    const { crops = EvaluateConfig.parse({}).crops, small = "error" } = options;
    const { scorer } = this.opened;
    const images = { ...DEFAULT_IMAGE_OPTIONS, small, window: scorer.window };
    const sized = typeof image === "string" ? await loadImage(image, images) : await pixelsOf(image, images);
    const logits = meanLogits(scorer.logits(evaluationCrops(sized, crops, scorer.window)), scorer.axes);
    return scoreOfPosterior(posteriorOf(logits, scorer.axes), scorer.axes, jointEntropy(logits));
  }

  /** Frees the weights on the device. */
  dispose(): void {
    this.opened.dispose();
  }

  /** Frees the weights at the end of a `using` declaration. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Options of `load`. */
export interface LoadOptions extends WorkOptions, PromptOptions, KindOptions {
  /** Number of the split, from 1, of a run that has several. */
  readonly split?: number;
  /** Precision of matrix products; `bfloat16` is quicker where the processor has units for it, and differs a little. */
  readonly precision?: Precision | undefined;
}

/**
 * Loads a trained model: a run (its best checkpoint, else its last), a split, a checkpoint, a weight file, or an export
 * as safetensors or openai.
 * @param name  by default `liqe-small`, the model in the box: a note says what was measured of it
 * @returns the model, which is yours to dispose of
 * @throws {@link CheckpointError} where there is none, or it is refused
 * @throws {@link EngineError} where the engine that was asked for is not available
 * @example
 * ```ts
 * import { load, train } from "liqe-train";
 *
 * const run = await train("kadid.yaml"); // a finished run is not trained again
 * const model = await load(run.best);
 * const { quality, scene, distortion } = await model.score("photo.jpg");
 * console.log(quality, scene, distortion);
 * model.dispose();
 * ```
 */
export async function load(name?: string, options: LoadOptions = {}): Promise<Model> {
  const choices = choicesBy(options);
  const { note } = reporterOf(options);
  const weights = await namedOrBox(name, { note });
  const { precision = "float32" } = options;
  await requirePrecision(precision, await openEngine(options));
  return new Model(weights, await openModel(weights, { split: options.split ?? null, ...choices, note, precision }));
}

/** Decodes bytes, or takes pixels, and scales the image to the size at which windows are cut. */
async function pixelsOf(image: Exclude<ImageSource, string>, options: ImageOptions): Promise<Image> {
  if (image instanceof Uint8Array) return loadImage({ name: "the image", bytes: image }, options);
  const { width, height, data } = image;
  const channels = data.length / (width * height);
  if (channels !== 3 && channels !== 4) {
    throw new DataError(`the image: ${data.length} values are not ${width} x ${height} pixels of RGB or RGBA`);
  }
  const pixels = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) pixels[3 * i + c] = data[channels * i + c] ?? NaN;
  }
  return resized(sizeImage({ rows: height, cols: width, pixels }, options, "the image"));
}

/** Mean over the crops: [crops, prompts] → [prompts]. */
function meanLogits(logits: Float32Array, axes: readonly TaskAxis[]): Float64Array {
  const prompts = axes.reduce((product, { labels }) => product * labels.length, 1);
  const crops = logits.length / prompts;
  const sums = new Float64Array(prompts);
  logits.forEach((logit, i) => {
    sums[i % prompts] = (sums[i % prompts] ?? NaN) + logit;
  });
  return sums.map((sum) => sum / crops);
}

/** Posterior as programs read it. */
export function scoreOfPosterior(posterior: Posterior, axes: readonly TaskAxis[], uncertainty: number): Score {
  const { quality, scene, distortion } = posterior;
  return {
    quality,
    scene: scene === "" ? null : scene,
    distortion: distortion === "" ? null : distortion,
    probabilities: probabilitiesByLabel(posterior, axes),
    uncertainty,
  };
}
