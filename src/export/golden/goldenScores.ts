import { createHash } from "node:crypto";
import { EvaluateConfig } from "../../evaluate/config.js";
import type { CropScorer } from "../../evaluate/scoring/scoreImages.js";
import { type Posterior, posteriorOf, softmax } from "../../model/posterior.js";
import { evaluationCrops, evaluationWindows } from "../../model/preprocess/crops.js";
import type { TaskAxis, Task } from "../../model/prompts/promptGrid.js";
import type { RuntimeScore } from "../exportFormat.js";
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

/** `golden.json`: the weights' scores of eight generated images, by the engine that exported them. */
export interface GoldenScores {
  readonly format: 1;
  readonly engine: string;
  readonly images: readonly GoldenScore[];
}

interface GoldenScore {
  /** Seed of the image, which is a function of it: see the README. */
  readonly seed: number;
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
  /** Scores of each crop by itself; `top` and `left` in pixels. */
  readonly crops: readonly {
    readonly top: number;
    readonly left: number;
    readonly quality: number;
    readonly joint: JointMaximum;
  }[];
}

export function goldenScores(scorer: CropScorer, engine: string): GoldenScores {
  const images = GOLDEN_SEEDS.map((seed) => goldenScore(seed, scorer));
  return { format: 1, engine, images };
}

function goldenScore(seed: number, scorer: CropScorer): GoldenScore {
  const image = goldenImage(seed);
  const { rows, cols, pixels } = image;
  const { axes } = scorer;
  const perCrop = cropLogits(scorer.logits(evaluationCrops(image, GOLDEN_CROPS)), axes);
  const mean = meanOf(perCrop);
  const whole = posteriorOf(mean, axes);
  const windows = evaluationWindows(rows, cols, GOLDEN_CROPS);
  return {
    ...{ seed, rows, cols, pixelsSha256: createHash("sha256").update(pixels).digest("hex") },
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
