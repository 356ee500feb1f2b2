import { csvRow } from "../../base/text.js";
import type { ReportProgress } from "../../base/types.js";
import { contentOf } from "../../data/databases/content.js";
import type { Sample } from "../../data/sample.js";
import type { PromptAxis } from "../../model/prompts/promptGrid.js";
import type { ConcurrentScorer, CropScorer, ScoredCrops, ScoreOptions } from "./scoreImages.js";
import { scoreImages } from "./scoreImages.js";

/** What people and the model say of one image. */
export interface Prediction {
  readonly database: string;
  /** As its list has it. */
  readonly image: string;
  /** The same, absolute. */
  readonly file: string;
  readonly mos: number;
  /** The standard deviation of the opinions behind it; null where it is not known. */
  readonly mosStd: number | null;
  readonly quality: number;
  /** "" where the prompts have no such axis. */
  readonly scene: string;
  readonly distortion: string;
  /** Empty, or null, where the list has no label. */
  readonly sceneLabels: readonly string[];
  readonly distortionLabel: string | null;
  readonly probabilities: Readonly<Record<PromptAxis, readonly number[]>>;
  /** The photograph that it is a version of; null where that is not known. */
  readonly content: string | null;
  readonly crops: ScoredCrops;
}

export interface FailedImage {
  readonly database: string;
  readonly image: string;
  readonly error: string;
}

interface Predictions {
  readonly predictions: readonly Prediction[];
  readonly failed: readonly FailedImage[];
}

/** The labels that samples refer to by index. */
export interface LabelNames {
  readonly scenes: readonly string[];
  readonly distortions: readonly string[];
}

/** Scores the images of a list. Those that failed are listed with their reasons, and the others go on. */
export async function predictSamples(
  samples: readonly Sample[],
  scorer: CropScorer | ConcurrentScorer,
  labels: LabelNames,
  options: ScoreOptions,
  report?: ReportProgress,
): Promise<Predictions> {
  const predictions: Prediction[] = [];
  const failed: FailedImage[] = [];
  const waiting = samples.values(); // in step with the scores, which keep the order
  const files = samples.map(({ file }) => file);
  for await (const scored of scoreImages(files, scorer, options, report)) {
    const sample = waiting.next().value;
    if (sample === undefined) throw new Error("internal: predictSamples: more scores than samples");
    if (scored.ok) predictions.push({ ...labelled(sample, labels), ...scored.judgement, crops: scored.crops });
    else failed.push({ database: sample.database, image: sample.image, error: scored.error });
  }
  return { predictions, failed };
}

function labelled(sample: Sample, { scenes, distortions }: LabelNames) {
  const { database, image, file, mos, mosStd, distortion } = sample;
  return {
    database,
    image,
    file,
    mos,
    mosStd,
    sceneLabels: sample.scenes.flatMap((scene) => scenes[scene] ?? []),
    distortionLabel: distortion === null ? null : (distortions[distortion] ?? null),
    content: contentOf(sample),
  };
}

const COLUMNS = ["database", "image", "mos", "quality", "scene", "distortion", "sceneLabel", "distortionLabel"];

/** `predictions.csv`: a header, then a line an image; several scene labels are joined by `|`. */
export function predictionsCsv(predictions: readonly Prediction[]): string {
  const rows = predictions.map(
    ({ database, image, mos, quality, scene, distortion, sceneLabels, distortionLabel }): (string | number)[] => [
      database,
      image,
      mos,
      quality,
      scene,
      distortion,
      sceneLabels.join("|"),
      distortionLabel ?? "",
    ],
  );
  return [COLUMNS, ...rows].map(csvRow).join("");
}
