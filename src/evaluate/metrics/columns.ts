import type { LabelNames, Prediction } from "../scoring/predictions.js";
import type { Hits } from "./accuracy.js";
import { distortionHits, sceneHits } from "./accuracy.js";

/** Predictions as the measures take them: an entry an image, in one order. */
export interface Columns {
  readonly quality: Float64Array;
  readonly mos: Float64Array;
  /** Of the opinions behind each MOS; NaN where it is not known. */
  readonly mosStd: Float64Array;
  readonly scenes: readonly Hits[];
  readonly distortions: readonly Hits[];
}

export function parseColumns(predictions: readonly Prediction[], { scenes }: LabelNames): Columns {
  return {
    quality: Float64Array.from(predictions, ({ quality }) => quality),
    mos: Float64Array.from(predictions, ({ mos }) => mos),
    mosStd: Float64Array.from(predictions, ({ mosStd }) => mosStd ?? NaN),
    scenes: predictions.map((prediction) => sceneHits(prediction, scenes)),
    distortions: predictions.map(distortionHits),
  };
}

/** The columns of some of the images. */
export function columnsAt({ quality, mos, mosStd, scenes, distortions }: Columns, images: Uint32Array): Columns {
  return {
    quality: numbersAt(quality, images),
    mos: numbersAt(mos, images),
    mosStd: numbersAt(mosStd, images),
    scenes: Array.from(images, (image) => scenes[image] ?? { right: 0, of: 0 }),
    distortions: Array.from(images, (image) => distortions[image] ?? { right: 0, of: 0 }),
  };
}

/** In a plain loop, as `vectors.ts`: once a resample for each distortion and scene. */
export function numbersAt(values: Float64Array, images: Uint32Array): Float64Array {
  const out = new Float64Array(images.length);
  for (let i = 0; i < out.length; i++) out[i] = values[images[i] ?? NaN] ?? NaN;
  return out;
}

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
