import type { ReportProgress, Result } from "../base/types.js";
import type { Database } from "../data/sample.js";
import { accuracy, distortionHits, sceneHits } from "../evaluate/metrics/accuracy.js";
import { srcc } from "../evaluate/metrics/correlation.js";
import { type LabelNames, type Prediction, predictSamples } from "../evaluate/scoring/predictions.js";
import { EVALUATION_BATCH, type ScoreOptions } from "../evaluate/scoring/scoreImages.js";
import type { LiqeModel } from "../model/liqe.js";
import { ModelScorer } from "../model/scorer.js";
import type { RunPlan } from "./plan.js";
import type { Validation } from "./progress.js";
import type { RankShare } from "./rankShare.js";

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

/**
 * Validates a run at work and says what came of it.
 * @param signal  ends the scoring when it is aborted
 * @returns       null where it was ended
 */
export async function validateRun(model: LiqeModel, plan: RunPlan, signal: AbortSignal): Promise<RunValidation | null> {
  const { config, labels, databases, reporter, share } = plan;
  const names = { scenes: labels.scenes, distortions: Object.keys(labels.distortions) };
  const { validationCrops } = config.evaluate;
  const scoring = { crops: validationCrops, microBatch: EVALUATION_BATCH, order: "name", images: config.data } as const;
  try {
    const result = await validate(model, databases, {
      names,
      scoring: share === null ? { ...scoring, signal } : scoring, // several processes stop together, after a step
      report: reporter.progress,
      share,
    });
    reporter.note(describe(result));
    return result;
  } catch (error) {
    if (signal.aborted && error === signal.reason) return null;
    throw error;
  }
}

function describe({ srcc, databases }: RunValidation): string {
  const figure = (value: number | null) => (value === null ? "none" : value.toFixed(3));
  const parts = databases.map(
    ({ name, srcc: own, sceneAccuracy, distortionAccuracy }) =>
      `${name}: SRCC ${figure(own)}, scene ${figure(sceneAccuracy)}, distortion ${figure(distortionAccuracy)}`,
  );
  return parts.length === 0 ? "no validation lists" : `validation: mean SRCC ${figure(srcc)}  (${parts.join("; ")})`;
}

/** Labels, way of scoring and listener of a validation. */
interface ValidateOptions {
  readonly names: LabelNames;
  readonly scoring: ScoreOptions;
  readonly report?: ReportProgress;
  /** Part of this process, where several validate together: each scores its part of a list. */
  readonly share?: RankShare | null;
}

/** Scores each database's validation list; prompts are encoded once. Databases without such a list are left out. */
export async function validate(
  model: LiqeModel,
  databases: readonly Database[],
  { names, scoring, report, share = null }: ValidateOptions,
): Promise<RunValidation> {
  const scorer = new ModelScorer(model);
  const validated: DatabaseValidation[] = [];
  for (const { name, val } of databases) {
    if (val.length === 0) continue;
    const { start, end } = share?.rangeOf(val.length) ?? { start: 0, end: val.length };
    const own = await predictSamples(val.slice(start, end), scorer, { ...scoring, labels: names, report });
    const all = share === null ? [own] : await share.group.gatherJson(own);
    const predictions = all.flatMap((part) => part.predictions);
    const failed = all.flatMap((part) => part.failed);
    validated.push({ ...measure(name, predictions, names), failed: failed.length });
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
