import { csvRow } from "../../base/text.js";
import type { ReportProgress } from "../../base/types.js";
import { contentOf } from "../../data/databases/content.js";
import type { Sample, Subset } from "../../data/sample.js";
import type { LabelTables } from "../../model/prompts/labels.js";
import type { Posterior } from "../../model/posterior.js";
import type { Task } from "../../model/prompts/promptGrid.js";
import { type ScoredCrops, scoreImages, type ScoreOptions, type Scorer, type ScoreSamples } from "./scoreImages.js";

/** Scores of one image, by people and by the model. */
export interface Prediction {
  readonly database: string;
  /** Name in its list. */
  readonly image: string;
  /** Absolute path. */
  readonly file: string;
  readonly mos: number;
  /** Standard deviation of the opinions behind the MOS; null where it is not known. */
  readonly mosStd: number | null;
  readonly quality: number;
  /** "" where the prompts have no such axis. */
  readonly scene: string;
  readonly distortion: string;
  /** Empty, or null, where the list has no label. */
  readonly sceneLabels: readonly string[];
  readonly distortionLabel: string | null;
  readonly probabilities: Readonly<Record<Task, readonly number[]>>;
  /** Photograph that the image is a version of; null where that is not known. */
  readonly content: string | null;
  readonly crops: ScoredCrops;
}

type FailedImage = { readonly database: string; readonly image: string; readonly error: string };

export type Predictions = { readonly predictions: readonly Prediction[]; readonly failed: readonly FailedImage[] };

/** Predictions of one database's list, and where the list is from. */
export interface EvaluatedDatabase extends Predictions {
  readonly name: string;
  /** Null for a list of one's own. */
  readonly split: number | null;
  readonly subset: Subset;
  /** Images that the checkpoint has learned from, and what was done about them; null where that is not known. */
  readonly seen?: SeenImages | null;
}

/** Images of a list that a checkpoint has learned from. */
export interface SeenImages {
  readonly images: number;
  readonly policy: string;
  /** Number of scored ones besides that look nearly like a picture it was trained on; null where that is not known. */
  readonly nearCopies: number | null;
}

/** Scored image that looks nearly like one that was trained on. */
interface NearCopy {
  readonly image: string;
  /** Path in the record of seen images. */
  readonly of: string;
}

/** Names of the labels that samples refer to by index. */
export type LabelNames = { readonly scenes: readonly string[]; readonly distortions: readonly string[] };

export function labelNames({ scenes, distortions }: LabelTables): LabelNames {
  return { scenes, distortions: Object.keys(distortions) };
}

export interface PredictOptions extends ScoreOptions {
  readonly labels: LabelNames;
  readonly report?: ReportProgress | undefined;
  /** Way of scoring; `scoreImages`, by this process alone, by default. */
  readonly score?: ScoreSamples | undefined;
  /** Told what a scored image looks like, with `withLooks`. */
  readonly onLook?: (sample: Sample, look: string) => void;
}

/** List to score, with the name that results give it. */
export interface NamedList extends Pick<EvaluatedDatabase, "name" | "split" | "subset" | "seen"> {
  readonly samples: readonly Sample[];
  /** Path of a picture that was trained on and looks nearly like a sample, given its look; absent where none is known. */
  readonly nearTo?: (sample: Sample, look: string) => string | null;
  /** Told of the near copies, once the list is scored. */
  readonly onNearCopies?: (copies: readonly NearCopy[]) => void;
}

/** Scores the images of each list, one list after the other. */
export async function predictLists(
  scorer: Scorer,
  lists: readonly NamedList[],
  { report, ...options }: PredictOptions,
): Promise<EvaluatedDatabase[]> {
  const evaluated: EvaluatedDatabase[] = [];
  for (const { name, split, subset, seen = null, samples, nearTo, onNearCopies } of lists) {
    const nearCopies: NearCopy[] = [];
    const onLook = (sample: Sample, look: string) => {
      const of = nearTo?.(sample, look) ?? null;
      if (of !== null) nearCopies.push({ image: sample.image, of });
    };
    const reportList: ReportProgress = (event) => report?.({ ...event, label: `${event.label} ${name}` });
    const looking = nearTo === undefined ? {} : { withLooks: true, onLook };
    const predictions = await predictSamples(samples, scorer, { ...options, ...looking, report: reportList });
    onNearCopies?.(nearCopies);
    const counted = seen === null || nearTo === undefined ? seen : { ...seen, nearCopies: nearCopies.length };
    evaluated.push({ name, split, subset, seen: counted, ...predictions });
  }
  return evaluated;
}

/** Scores the images of a list. Images that fail are listed with their reasons, and the others go on. */
export async function predictSamples(
  samples: readonly Sample[],
  scorer: Scorer,
  options: PredictOptions,
): Promise<Predictions> {
  const { labels, report, onLook, score = scoreAlone } = options;
  const predictions: Prediction[] = [];
  const failed: FailedImage[] = [];
  const waiting = samples.values(); // in step with the scores, which keep the order
  for await (const scored of score(samples, scorer, options, report)) {
    const sample = waiting.next().value;
    if (sample === undefined) throw new Error("internal: predictSamples: more scores than samples");
    if (scored.ok && scored.look !== undefined) onLook?.(sample, scored.look);
    if (scored.ok) predictions.push({ ...labeled(sample, labels), ...scored.posterior, crops: scored.crops });
    else failed.push({ database: sample.database, image: sample.image, error: scored.error });
  }
  return { predictions, failed };
}

const scoreAlone: ScoreSamples = (samples, ...how) =>
  scoreImages(
    samples.map(({ file }) => file),
    ...how,
  );

/** Prediction of another model: a score alone, without labels, probabilities or windows. */
export function predictionWithout(sample: Sample, labels: LabelNames, quality: number): Prediction {
  const nothing = { scene: "", distortion: "", probabilities: { quality: [], scene: [], distortion: [] } };
  return predictionOf(sample, labels, { quality, ...nothing });
}

/** Prediction by a posterior whose windows are not at hand. */
export function predictionOf(sample: Sample, labels: LabelNames, posterior: Posterior): Prediction {
  return { ...labeled(sample, labels), ...posterior, crops: { rows: 0, cols: 0, window: 0, scores: [] } };
}

function labeled(sample: Sample, { scenes, distortions }: LabelNames) {
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
  const rows = predictions.map(({ database, image, mos, quality, scene, distortion, sceneLabels, distortionLabel }) => [
    ...[database, image, mos, quality, scene, distortion],
    ...[sceneLabels.join("|"), distortionLabel ?? ""],
  ]);
  return [COLUMNS, ...rows].map(csvRow).join("");
}
