import { createHash } from "node:crypto";
import { EvaluateConfig } from "../../evaluate/config.js";
import type { CropScorer } from "../../evaluate/scoring/scoreImages.js";
import { type Posterior, posteriorOf, softmax } from "../../model/posterior.js";
import { evaluationCrops, evaluationWindows } from "../../model/preprocess/crops.js";
import type { Image } from "../../model/preprocess/image.js";
import { resized, sizeImage } from "../../model/preprocess/resize.js";
import type { TaskAxis, Task } from "../../model/prompts/promptGrid.js";
import type { Photograph, RuntimeScore } from "../exportFormat.js";
import { GOLDEN_SEEDS, goldenImage } from "./goldenImages.js";

/** Number of crops that an image is scored by. */
export const GOLDEN_CROPS = EvaluateConfig.parse({}).crops;

/** The most probable combination of labels. */
interface JointMaximum {
  /** Index in the joint distribution, last axis fastest. */
  readonly index: number;
  readonly labels: Readonly<Partial<Record<Task, string>>>;
  readonly probability: number;
}

/** `golden.json`: the weights' scores of generated images and of photographs, by the engine that exported them. */
export interface GoldenScores {
  readonly format: 1;
  readonly engine: string;
  /** Generated images: each is a function of its seed, see the README. */
  readonly images: readonly (GoldenScore & { readonly seed: number })[];
  /** Photographs that come with this package; `file` is a name in its `examples/photos`. */
  readonly photographs: readonly (GoldenScore & { readonly file: string })[];
}

export interface GoldenScore {
  readonly rows: number;
  readonly cols: number;
  /** SHA-256 of its pixels, [rows, cols, 3] uint8. */
  readonly pixelsSha256: string;
  readonly quality: number;
  /** Null where the prompts have no such axis. */
  readonly scene: string | null;
  readonly distortion: string | null;
  readonly probabilities: Readonly<Partial<Record<Task, readonly number[]>>>;
  readonly joint: JointMaximum;
  /** Scores of each crop by itself; `top` and `left` in pixels of the image as windows are cut from it. */
  readonly crops: readonly {
    readonly top: number;
    readonly left: number;
    readonly quality: number;
    readonly joint: JointMaximum;
  }[];
}

export function goldenScores(
  scorer: CropScorer,
  engine: string,
  photographs: readonly Photograph[] = [],
): GoldenScores {
  return {
    ...{ format: 1, engine },
    images: GOLDEN_SEEDS.map((seed) => ({ seed, ...goldenScore(goldenImage(seed, scorer.window), scorer) })),
    photographs: photographs.map(({ file, image }) => ({ file, ...goldenScore(image, scorer) })),
  };
}

/** Crops that an image of any size is scored by: reduced first where it is large. */
export function goldenCrops(image: Image, window: number): Uint8Array {
  return evaluationCrops(prepared(image, window), GOLDEN_CROPS, window);
}

function prepared(image: Image, window: number): Image {
  return resized(sizeImage(image, { small: "error", window }, "the golden image"));
}

function goldenScore(image: Image, scorer: CropScorer): GoldenScore {
  const { rows, cols, pixels } = image;
  const { axes, window } = scorer;
  const perCrop = cropLogits(scorer.logits(goldenCrops(image, window)), axes);
  const mean = meanOf(perCrop);
  const whole = posteriorOf(mean, axes);
  const windows = evaluationWindows(prepared(image, window), GOLDEN_CROPS, window);
  return {
    ...{ rows, cols, pixelsSha256: createHash("sha256").update(pixels).digest("hex") },
    quality: whole.quality,
    scene: whole.scene === "" ? null : whole.scene,
    distortion: whole.distortion === "" ? null : whole.distortion,
    probabilities: asked(whole, axes),
    joint: maximum(softmax(mean), axes),
    crops: perCrop.map((logits, i) => ({
      top: windows[i]?.top ?? NaN,
      left: windows[i]?.left ?? NaN,
      quality: posteriorOf(logits, axes).quality,
      joint: maximum(softmax(logits), axes),
    })),
  };
}

/** Scores of an image from a runtime's logits, [crops, prompts], flat. */
export function scoreOfLogits(logits: Float32Array, axes: readonly TaskAxis[]): RuntimeScore {
  const perCrop = cropLogits(logits, axes);
  const mean = meanOf(perCrop);
  const whole = posteriorOf(mean, axes);
  return {
    quality: whole.quality,
    cropQualities: perCrop.map((crop) => posteriorOf(crop, axes).quality),
    joint: softmax(mean),
    probabilities: asked(whole, axes),
  };
}

function cropLogits(logits: Float32Array, axes: readonly TaskAxis[]): Float64Array[] {
  const prompts = axes.reduce((product, { labels }) => product * labels.length, 1);
  return Array.from({ length: logits.length / prompts }, (_, crop) =>
    Float64Array.from(logits.subarray(crop * prompts, (crop + 1) * prompts)),
  );
}

function meanOf(perCrop: readonly Float64Array[]): Float64Array {
  const [first = new Float64Array()] = perCrop;
  return first.map((_, i) => perCrop.reduce((sum, crop) => sum + (crop[i] ?? NaN), 0) / perCrop.length);
}

function asked({ probabilities }: Posterior, axes: readonly TaskAxis[]): Partial<Record<Task, readonly number[]>> {
  return Object.fromEntries(axes.map(({ axis }) => [axis, probabilities[axis]]));
}

function maximum(joint: Float64Array, axes: readonly TaskAxis[]): JointMaximum {
  const index = joint.reduce((best, p, i) => (p > (joint[best] ?? NaN) ? i : best), 0);
  let stride = joint.length;
  const labels = axes.map(({ axis, labels: table }) => {
    stride /= table.length;
    return [axis, table[Math.floor(index / stride) % table.length]] as const;
  });
  return { index, labels: Object.fromEntries(labels), probability: joint[index] ?? NaN };
}
