/** The images of one label: what per-distortion and per-scene measures are of. */
import type { LabelNames, Prediction } from "../scoring/predictions.js";

export interface Group {
  readonly axis: "distortion" | "scene";
  readonly label: string;
  /** Their indices among the predictions, ascending. */
  readonly images: Uint32Array;
}

/** Groups by what the lists say, in the order of the labels; an image with several scenes is in each of theirs. */
export function groupsOf(predictions: readonly Prediction[], { scenes, distortions }: LabelNames): Group[] {
  const group = (axis: Group["axis"], label: string, has: (prediction: Prediction) => boolean): Group => ({
    axis,
    label,
    images: Uint32Array.from(predictions.flatMap((prediction, i) => (has(prediction) ? [i] : []))),
  });
  return [
    ...distortions.map((label) => group("distortion", label, ({ distortionLabel }) => distortionLabel === label)),
    ...scenes.map((label) => group("scene", label, ({ sceneLabels }) => sceneLabels.includes(label))),
  ].filter(({ images }) => images.length > 0);
}
