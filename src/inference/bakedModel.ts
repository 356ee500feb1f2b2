import { ShapeError } from "../base/errors.js";
import type * as tf from "../engine/tf.js";
import type { Architecture } from "../model/architecture/architecture.js";
import type { ReadParameter } from "../model/parameters/parameters.js";
import type { ScoringModel } from "../model/scorer.js";
import { encodeImages, patchTensor } from "../model/vision/vit.js";
import { PROMPT_FEATURES } from "./weightSpecs.js";

/** The image tower, and what the text tower made of the prompts before the export: enough to score. */
export class BakedModel implements ScoringModel {
  /** Keeps `tensors` until `dispose()`. */
  constructor(
    private readonly architecture: Architecture,
    private readonly tensors: ReadonlyMap<string, tf.Tensor>,
  ) {}

  private readonly read = (<R extends tf.Rank>(name: string): tf.Tensor<R> => {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) throw new ShapeError(`BakedModel: there is no "${name}" in this model`);
    return tensor as tf.Tensor<R>; // its rank is what parameterShapes says of this name
  }) satisfies ReadParameter;

  get cropSize(): number {
    return this.architecture.vision.imageSize ** 2 * 3;
  }

  /** Pixels, [crops, 224, 224, 3], RGB, 0 to 255, borrowed, to features, [crops, embedding], given: unit rows. */
  imageFeatures(pixels: Uint8Array): tf.Tensor2D {
    const { vision } = this.architecture;
    const patches = patchTensor(pixels, vision);
    const features = encodeImages(this.read, this.architecture, patches, pixels.length / this.cropSize);
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
