import { DataError } from "../base/errors.js";
import { posteriorOf, probabilitiesByLabel, type ProbabilitiesByLabel } from "../model/posterior.js";
import type { Window } from "../model/preprocess/crops.js";
import type { SmallImages } from "../model/preprocess/resize.js";
import type { TaskAxis } from "../model/prompts/promptGrid.js";

export interface ScoreOptions {
  /** Number of windows that the image is scored by, 15 by default; all it has where they are fewer. */
  readonly crops?: number;
  /** Treatment of an image below the model's window on a side, which is refused by default. */
  readonly small?: SmallImages;
}

/** The model's scores of an image. */
export interface LiqeScore {
  /** Expected quality, from 1 (worst) to the number of quality levels (5 for the published prompts). */
  readonly quality: number;
  /** Most probable scene; null where the prompts name none. */
  readonly scene: string | null;
  /** Most probable distortion; null where the prompts name none. */
  readonly distortion: string | null;
  /** Probability of each label, `probabilities.quality.bad` and so on; each axis sums to 1. */
  readonly probabilities: ProbabilitiesByLabel;
  /** [crops, prompts], flat: scaled cosines; the last axis of the prompts changes fastest. */
  readonly logits: Float32Array;
  /** Scores of each window by itself, in row-major order. */
  readonly crops: readonly CropScore[];
}

/** Scores of one window; its place is in pixels of the image as it was given. */
export interface CropScore {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly quality: number;
  readonly scene: string | null;
  readonly distortion: string | null;
}

/** Windows of a prepared image, with its sizes as it was given and as the windows were cut. */
interface ScoredImage {
  /** Side of a window in pixels of the image as prepared. */
  readonly window: number;
  readonly windows: readonly Window[];
  readonly given: { readonly rows: number; readonly cols: number };
  readonly prepared: { readonly rows: number; readonly cols: number };
}

/** @param logits  [crops, prompts], flat @throws {DataError} where not finite: half precision may overflow */
export function scoreOf(
  logits: Float32Array,
  axes: readonly TaskAxis[],
  { window, windows, given, prepared }: ScoredImage,
): LiqeScore {
  const prompts = logits.length / windows.length;
  const perCrop = windows.map((_, i) => logits.subarray(i * prompts, (i + 1) * prompts));
  const mean = new Float64Array(prompts);
  for (const crop of perCrop) crop.forEach((logit, i) => (mean[i] = (mean[i] ?? NaN) + logit / windows.length));
  const whole = posteriorOf(mean, axes);
  if (!Number.isFinite(whole.quality)) {
    throw new DataError(
      `score: the model's score is ${whole.quality}; its weights may be broken, or try another backend`,
    );
  }
  const [down, across] = [given.rows / prepared.rows, given.cols / prepared.cols];
  const crops = windows.map(({ top, left }, i) => ({
    ...{ left: left * across, top: top * down, width: window * across, height: window * down },
    ...named(posteriorOf(perCrop[i] ?? [], axes)),
  }));
  return { ...named(whole), probabilities: probabilitiesByLabel(whole, axes), logits, crops };
}

function named({ quality, scene, distortion }: ReturnType<typeof posteriorOf>) {
  return { quality, scene: scene === "" ? null : scene, distortion: distortion === "" ? null : distortion };
}
