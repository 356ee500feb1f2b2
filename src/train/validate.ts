import { plural } from "../base/text.js";
import type { ReportProgress, Result } from "../base/types.js";
import type { Database, ListedImage, PairSample } from "../data/sample.js";
import { CHOOSING_MEASURES, chosenBy } from "../evaluate/chosenBy.js";
import { accuracy, distortionHits, sceneHits } from "../evaluate/metrics/accuracy.js";
import { srcc } from "../evaluate/metrics/correlation.js";
import { pairAccuracy } from "../evaluate/metrics/pairAccuracy.js";
import { type LabelNames, type Prediction, predictSamples } from "../evaluate/scoring/predictions.js";
import { EVALUATION_BATCH, scoreImages, type ScoreOptions } from "../evaluate/scoring/scoreImages.js";
import type { LiqeModel } from "../model/liqe.js";
import { ModelScorer } from "../model/scorer.js";
import type { FeatureStore } from "./features/featureStore.js";
import { predictFromFeatures } from "./features/predictFromFeatures.js";
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
  /** Two-alternative accuracy and the number of pairs that it is over, where the list is of pairs. */
  readonly pairAccuracy?: number | null;
  readonly pairs?: number;
}
export interface RunValidation extends Validation {
  readonly databases: readonly DatabaseValidation[];
}

/**
 * Validates a run at work and says what came of it.
 * @param signal    ends the scoring when it is aborted; by default nothing does
 * @param features  of images, to score from in place of their pixels; null for none
 * @returns       null where it was ended
 */
export async function validateRun(
  model: LiqeModel,
  plan: RunPlan,
  { signal, features = null }: { readonly signal?: AbortSignal; readonly features?: FeatureStore | null } = {},
): Promise<RunValidation | null> {
  const { config, labels, databases, reporter, share } = plan;
  const names = { scenes: labels.scenes, distortions: Object.keys(labels.distortions) };
  const { validationCrops } = config.evaluate;
  const scoring = { crops: validationCrops, microBatch: EVALUATION_BATCH, order: "name", images: config.data } as const;
  try {
    const result = await validate(model, databases, {
      names,
      scoring: { ...scoring, ...(signal && share === null && { signal }) }, // several processes stop together, after a step
      features,
      report: reporter.progress,
      share,
    });
    reporter.note(describe(result));
    return result;
  } catch (error) {
    if (signal?.aborted === true && error === signal.reason) return null;
    throw error;
  }
}

function describe(result: RunValidation): string {
  const figure = (value: number | null) => (value === null ? "none" : value.toFixed(3));
  const parts = result.databases.map(
    ({ name, srcc: own, sceneAccuracy, distortionAccuracy, pairs: compared, ...rest }) =>
      compared === undefined
        ? `${name}: SRCC ${figure(own)}, scene ${figure(sceneAccuracy)}, distortion ${figure(distortionAccuracy)}`
        : `${name}: accuracy ${figure(rest.pairAccuracy ?? null)} on ${plural(compared, "pair")}`,
  );
  const { measure: chosen, value } = chosenBy(result);
  const head = `mean ${CHOOSING_MEASURES[chosen]} ${figure(value)}`;
  return parts.length === 0 ? "no validation lists" : `validation: ${head}  (${parts.join("; ")})`;
}

/** Labels, way of scoring and listener of a validation. */
interface ValidateOptions {
  readonly names: LabelNames;
  readonly scoring: ScoreOptions;
  readonly features?: FeatureStore | null;
  readonly report?: ReportProgress | undefined;
  /** Part of this process, where several validate together: each scores its part of a list. */
  readonly share?: RankShare | null;
}

/** Scores each database's validation list; prompts are encoded once. Databases without such a list are left out. */
export async function validate(
  model: LiqeModel,
  databases: readonly Database[],
  { names, scoring, features = null, report, share = null }: ValidateOptions,
): Promise<RunValidation> {
  const scorer = new ModelScorer(model);
  const validated: DatabaseValidation[] = [];
  for (const { name, val, pairs } of databases) {
    if (pairs !== undefined && pairs.val.length > 0) {
      validated.push(await validatePairs(name, pairs.val, { scorer, scoring, report }));
    }
    if (val.length === 0) continue;
    const { start, end } = share?.rangeOf(val.length) ?? { start: 0, end: val.length };
    const options = { ...scoring, labels: names, report };
    const score = () =>
      features === null
        ? predictSamples(val.slice(start, end), scorer, options)
        : predictFromFeatures(val.slice(start, end), { model, store: features }, options);
    const all = share === null ? [await score()] : await share.group.gatherJson(await share.group.alongside(score));
    const predictions = all.flatMap((part) => part.predictions);
    const failed = all.flatMap((part) => part.failed);
    validated.push({ ...measure(name, predictions, names), failed: failed.length });
  }
  return summarize(validated);
}

/** Scores each image of the pairs once and measures how the model chooses; see `pairAccuracy`. */
async function validatePairs(
  name: string,
  pairs: readonly PairSample[],
  { scorer, scoring, report }: Pick<ValidateOptions, "scoring" | "report"> & { readonly scorer: ModelScorer },
): Promise<DatabaseValidation> {
  const images = [...new Set(pairs.flatMap(({ a, b }) => [a, b]))];
  const files = images.map(({ file }) => file);
  const qualities = new Map<string, number>();
  for await (const scored of scoreImages(files, scorer, scoring, report)) {
    if (scored.ok) qualities.set(scored.file, scored.posterior.quality);
  }
  const of = ({ file }: ListedImage) => qualities.get(file);
  const choices = pairs.flatMap(({ a, b, p }) => {
    const [first, second] = [of(a), of(b)];
    return first === undefined || second === undefined ? [] : [{ a: first, b: second, p }];
  });
  return {
    ...{ name, images: images.length, failed: images.filter((image) => of(image) === undefined).length },
    ...{ srcc: null, sceneAccuracy: null, distortionAccuracy: null, pairs: choices.length },
    pairAccuracy: choices.length === 0 ? null : pairAccuracy(choices).twoAlternative,
  };
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
  const pairs = mean(databases.map(({ pairAccuracy: own = null }) => own));
  const isOfPairs = databases.length > 0 && databases.every((database) => database.pairs !== undefined);
  return { srcc: means[0] ?? null, average: mean([...means, pairs]), databases, ...(isOfPairs ? { pairs } : {}) };
}

function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

function valueOf(result: Result): number | null {
  return result.ok ? result.value : null;
}
