import type { Result } from "../../base/types.js";
import { topLabels } from "../../model/posterior.js";
import type { LabelNames, Prediction } from "../scoring/predictions.js";

/** Number of right answers, and of answers, for one image; 0 of 0 without a label. */
type Hits = { readonly right: number; readonly of: number };

/** One answer an image: right where the most probable distortion is its label. */
export function distortionHits({ distortion, distortionLabel }: Prediction): Hits {
  if (distortionLabel === null || distortion === "") return { right: 0, of: 0 };
  return { right: distortion === distortionLabel ? 1 : 0, of: 1 };
}

/**
 * LIQE's top-k rule: an image with k scene labels gives k answers, each right where the label is among the model's k
 * most probable scenes. So an image with one label counts as right or wrong. (The release's `eval` follows this rule
 * but leaves an image with one label out of the total where it is wrong: docs/parity.md#scene-accuracy.)
 * @param scenes the scenes in the order of the prediction's probabilities
 */
export function sceneHits({ sceneLabels, probabilities }: Prediction, scenes: readonly string[]): Hits {
  if (probabilities.scene.length === 0) return { right: 0, of: 0 };
  const top = topLabels(probabilities.scene, sceneLabels.length).map((index) => scenes[index]);
  return { right: sceneLabels.filter((label) => top.includes(label)).length, of: sceneLabels.length };
}

/** Share of right answers; image i counts `weights[i]` times (once without weights). */
export function accuracy(hits: readonly Hits[], weights?: Float64Array): Result {
  let right = 0;
  let of = 0;
  for (let i = 0; i < hits.length; i++) {
    const hit = hits[i];
    if (hit === undefined || hit.of === 0) continue;
    const weight = weights === undefined ? 1 : (weights[i] ?? NaN);
    right += weight * hit.right;
    of += weight * hit.of;
  }
  return of === 0 ? { ok: false, reason: "no labeled images" } : { ok: true, value: right / of };
}

/** Counts by label (rows) and prediction (columns), both in the order of `labels`. */
export interface ConfusionMatrix {
  readonly labels: readonly string[];
  readonly counts: readonly (readonly number[])[];
}

/** Confusion matrices; with several scene labels, an image counts for the one predicted, else in equal parts for each. */
export function confusionMatrices(
  predictions: readonly Prediction[],
  { scenes, distortions }: LabelNames,
): { readonly scene: ConfusionMatrix; readonly distortion: ConfusionMatrix } {
  const ofScenes = predictions.map(({ scene, sceneLabels }) => ({
    predicted: scene,
    labels: sceneLabels.includes(scene) ? [scene] : sceneLabels,
  }));
  const ofDistortions = predictions.map(({ distortion, distortionLabel }) => ({
    predicted: distortion,
    labels: distortionLabel === null ? [] : [distortionLabel],
  }));
  return { scene: confusion(scenes, ofScenes), distortion: confusion(distortions, ofDistortions) };
}

function confusion(
  names: readonly string[],
  images: readonly { readonly predicted: string; readonly labels: readonly string[] }[],
): ConfusionMatrix {
  const counts = names.map(() => names.map(() => 0));
  for (const { predicted, labels } of images) {
    const column = names.indexOf(predicted);
    for (const label of labels) {
      const row = counts[names.indexOf(label)];
      if (row !== undefined && column >= 0) row[column] = (row[column] ?? NaN) + 1 / labels.length;
    }
  }
  return { labels: names, counts };
}
