import type { ReportProgress, Result } from "../base/types.js";
import type { Database } from "../data/sample.js";
import { accuracy, distortionHits, sceneHits } from "../evaluate/metrics/accuracy.js";
import { srcc } from "../evaluate/metrics/correlation.js";
import type { LabelNames, Prediction } from "../evaluate/scoring/predictions.js";
import { predictSamples } from "../evaluate/scoring/predictions.js";
import type { ScoreOptions } from "../evaluate/scoring/scoreImages.js";
import type { LiqeModel } from "../model/liqe.js";
import { ModelScorer } from "../model/scorer.js";
import type { Validation } from "./loop.js";

/** A validation as metrics.jsonl has it; null where a measure has no value. */
interface DatabaseValidation {
  readonly name: string;
  readonly images: number;
  /** Images that could not be scored. */
  readonly failed: number;
  readonly srcc: number | null;
  readonly sceneAccuracy: number | null;
  readonly distortionAccuracy: number | null;
}
export interface RunValidation extends Validation {
  readonly databases: readonly DatabaseValidation[];
}

/** Scores each database's validation list; prompts are encoded once. Databases without such a list are left out. */
export async function validate(
  model: LiqeModel,
  databases: readonly Database[],
  labels: LabelNames,
  options: ScoreOptions,
  report?: ReportProgress,
): Promise<RunValidation> {
  const scorer = new ModelScorer(model);
  const validated: DatabaseValidation[] = [];
  for (const { name, val } of databases) {
    if (val.length === 0) continue;
    const { predictions, failed } = await predictSamples(val, scorer, { ...options, labels, report });
    validated.push({ ...measure(name, predictions, labels), failed: failed.length });
  }
  return summarize(validated);
}

function measure(
  name: string,
  predictions: readonly Prediction[],
  labels: LabelNames,
): Omit<DatabaseValidation, "failed"> {
  const quality = predictions.map((prediction) => prediction.quality);
  const mos = predictions.map((prediction) => prediction.mos);
  return {
    name,
    images: predictions.length,
    srcc: valueOf(srcc(quality, mos)),
    sceneAccuracy: valueOf(accuracy(predictions.map((prediction) => sceneHits(prediction, labels.scenes)))),
    distortionAccuracy: valueOf(accuracy(predictions.map(distortionHits))),
  };
}

/** Means over the databases that have a value; see `Validation`. */
function summarize(databases: readonly DatabaseValidation[]): RunValidation {
  const means = (["srcc", "sceneAccuracy", "distortionAccuracy"] as const).map((key) =>
    mean(databases.map((database) => database[key])),
  );
  return { srcc: means[0] ?? null, average: mean(means), databases };
}

function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

function valueOf(result: Result): number | null {
  return result.ok ? result.value : null;
}
