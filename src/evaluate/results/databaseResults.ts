/** Part of `results.json` about one database: its metrics with their intervals, its curve, its groups. */
import { extentOf } from "../../base/collections.js";
import type { Result } from "../../base/types.js";
import { publishedFigures } from "../../data/databases/publishedLists.js";
import { fitMapping, type MappingResult } from "../mapping/fitMapping.js";
import type { CurveFamily } from "../mapping/logistic.js";
import { confusionMatrices, type ConfusionMatrix } from "../metrics/accuracy.js";
import type { MeasuredDatabase, MetricValue } from "../metrics/computeMetrics.js";
import { isKnownDeviation } from "../metrics/errors.js";
import { type Metric, METRIC_NAMES, recordOf } from "../metrics/metrics.js";
import { type NoiseCeiling, noiseCeiling } from "../metrics/noiseCeiling.js";
import { type DistributionAgreement, distributionAgreement } from "../metrics/distributionAgreement.js";
import { type WithinGroups, withinGroups } from "../metrics/withinGroups.js";
import { type Protocol, PROTOCOLS } from "../protocols.js";
import { type PredictedDeviations, predictedDeviations } from "../metrics/predictedDeviations.js";
import type { EvaluatedDatabase, LabelNames, SeenImages } from "../scoring/predictions.js";
import { unitsOfMean, percentileInterval, type Resampling } from "../statistics/bootstrap.js";

/** A metric with its 95 % interval, or why it has none; or why there is no value. */
export type MetricJson =
  | {
      readonly value: number;
      readonly low: number;
      readonly high: number;
      /** Number of resamples without a value, which the interval leaves out; absent where there is none. */
      readonly lost?: number;
    }
  | { readonly value: number; readonly low: null; readonly high: null; readonly intervalReason: string }
  | { readonly value: null; readonly reason: string };

/** Images that the lists give one label, measured on the database's curve. */
interface GroupResults extends Readonly<Record<Metric, MetricJson>> {
  readonly label: string;
  readonly images: number;
  /** Number of contents or images, whichever the database is resampled by. */
  readonly units: number;
}

export interface DatabaseResults
  extends Readonly<Record<Metric, MetricJson>>, Pick<EvaluatedDatabase, "name" | "split" | "subset"> {
  /** Images that the checkpoint has learned from, and what was done about them; null where that is not known. */
  readonly seen: SeenImages | null;
  /** LIQE's figures, where the scored images are a published test list with its scores; else null. */
  readonly published: ReturnType<typeof publishedFigures>;
  /** Number of images that have a score. */
  readonly images: number;
  /** Number of those whose opinions have a known deviation: the images of the outlier ratio. */
  readonly deviations: number;
  /** SRCC of a perfect model, by those deviations. */
  readonly noiseCeiling: NoiseCeiling;
  /** Deviations that the model predicts of its scores, beside people's and its own errors; not in earlier versions' files. */
  readonly predictedDeviations?: PredictedDeviations;
  readonly failed: readonly { readonly image: string; readonly error: string }[];
  readonly resampled: Resampling["of"];
  readonly resampling: Pick<Resampling, "units" | "drawnFrom" | "resamples" | "note">;
  /** The curve to MOS; null where the protocol has none. */
  readonly mapping: MappingJson | null;
  readonly confusion: { readonly scene: ConfusionMatrix; readonly distortion: ConfusionMatrix };
  /** By the labels that the list has, in the model's order. */
  readonly byDistortion: readonly GroupResults[];
  readonly byScene: readonly GroupResults[];
  /** Correlations within contents and within scenes, their mean and median. */
  readonly within: { readonly content: WithinGroups; readonly scene: WithinGroups };
  /** Agreement of the predicted with the subjective distributions over the quality levels. */
  readonly distributions: DistributionAgreement;
}

export function databaseResults(
  { database, metrics, groups, resampling, mapping }: MeasuredDatabase,
  protocol: Protocol,
  labels: LabelNames,
): DatabaseResults {
  const { name, split, subset, seen = null, predictions, failed } = database;
  const { of, units, drawnFrom, resamples, note } = resampling;
  const quality = predictions.map((prediction) => prediction.quality);
  const resultsOf = (metrics: MeasuredDatabase["metrics"], drawn: number) =>
    recordOf(METRIC_NAMES, (metric) => metricJson(metrics[metric], drawn));
  const groupsBy = (wanted: "distortion" | "scene"): GroupResults[] =>
    groups
      .filter(({ axis }) => axis === wanted)
      .map(({ label, images, units: drawn, metrics: own }) => ({
        label,
        images: images.length,
        units: drawn,
        ...resultsOf(own, drawn),
      }));
  return {
    name,
    split,
    subset,
    seen,
    published: publishedFigures(predictions),
    images: predictions.length,
    ...resultsOf(metrics, units),
    deviations: predictions.filter(({ mosStd }) => mosStd !== null && isKnownDeviation(mosStd)).length,
    noiseCeiling: noiseCeiling({ name, predictions }, resampling.seed),
    predictedDeviations: predictedDeviations(predictions, mapping),
    failed: failed.map(({ image, error }) => ({ image, error })),
    resampled: of,
    resampling: { units, drawnFrom, resamples, note },
    mapping: protocol.mapping === undefined ? null : mappingJson(protocol.mapping.family, mapping, quality),
    confusion: confusionMatrices(predictions, labels),
    byDistortion: groupsBy("distortion"),
    byScene: groupsBy("scene"),
    within: withinGroups(predictions, mapping),
    distributions: distributionAgreement(predictions, realignmentOf(predictions)),
  };
}

/** The paper's curve that puts MOS on the model's scale: LIQE's logistic, whose argument is MOS here. */
export function realignmentOf(
  predictions: readonly { readonly mos: number; readonly quality: number }[],
): MappingResult {
  const mos = predictions.map((prediction) => prediction.mos);
  return fitMapping(PROTOCOLS.liqe, mos, predictions.map(({ quality }) => quality)); // prettier-ignore
}

/** @param units  number of contents or images to draw from */
function metricJson({ result, resampled }: MetricValue, units: number): MetricJson {
  if (!result.ok) return { value: null, reason: result.reason };
  const interval = percentileInterval(result.value, resampled, units);
  if (!interval.ok) return { value: result.value, low: null, high: null, intervalReason: interval.reason };
  const { low, high, lost } = interval;
  return { value: result.value, low, high, ...(lost === 0 ? {} : { lost }) };
}

/**
 * Mean over lists: of all images, and of each resample; none where one of them has no value.
 * @param plans  of the lists
 */
export function meanJson(values: readonly MetricValue[], plans: readonly Resampling[]): MetricJson {
  return metricJson(meanValue(values), unitsOfMean(plans));
}

export function meanValue(values: readonly MetricValue[]): MetricValue {
  if (values.length === 0) return { result: { ok: false, reason: "no database" }, resampled: [] };
  const resamples = values.map(({ resampled }) => resampled.length).reduce((a, b) => Math.min(a, b));
  const resampled = Array.from({ length: resamples }, (_, index) =>
    meanResult(values.map((one) => one.resampled[index] ?? { ok: false, reason: "no resamples" })),
  );
  return { result: meanResult(values.map(({ result }) => result)), resampled };
}

function meanResult(results: readonly Result[]): Result {
  let sum = 0;
  let without = 0;
  let reason = "";
  for (const result of results) {
    if (result.ok) sum += result.value;
    else if (without++ === 0) reason = result.reason;
  }
  if (without === 0) return { ok: true, value: sum / results.length };
  const share = results.length === 1 ? "" : `${without} of ${results.length} have no value: `;
  return { ok: false, reason: `${share}${reason}` };
}

/** A fitted curve, or why there is none: PLCC, RMSE and MAE are missing for the same reason. */
type MappingJson =
  | {
      readonly converged: true;
      readonly formula: string;
      /** From beta 1. */
      readonly parameters: readonly number[];
      /**
       * Fewest significant digits of the parameters from which the formula gives `curve` back; null where all their
       * digits do not. That is so where the best curve is a limit of the family, an exponential or a straight line: the
       * parameters run to infinity together, and the curve is a small difference of large numbers.
       */
      readonly digits: number | null;
      readonly iterations: number;
      readonly startsTried: number;
      readonly startsConverged: number;
      /** The curve at evenly spaced predictions between the lowest and the highest, for a plot. */
      readonly curve: CurvePoints;
    }
  | { readonly converged: false; readonly formula: string; readonly reason: string };

type CurvePoints = { readonly quality: readonly number[]; readonly mos: readonly number[] };

/** Points of a curve: a line between neighbors hides less than a pixel of it. */
const CURVE_POINTS = 65;
/** Largest distance of a curve from rounded parameters, as a share of the curve's span. */
const GIVEN_BACK = 1e-3;
const [FEWEST_DIGITS, ALL_DIGITS] = [4, 17];

/** @param quality  predictions that the curve was fitted to */
function mappingJson(family: CurveFamily, result: MappingResult, quality: readonly number[]): MappingJson {
  const { formula } = family;
  if (!result.ok) return { converged: false, formula, reason: result.reason };
  const { apply, parameters, iterations, starts } = result.mapping;
  const at = evenlySpaced(quality);
  const curve = { quality: at, mos: [...apply(at)] };
  return {
    converged: true,
    formula,
    parameters,
    digits: digitsNeeded(family, parameters, curve),
    iterations,
    startsTried: starts.tried,
    startsConverged: starts.converged,
    curve,
  };
}

function evenlySpaced(scores: readonly number[]): number[] {
  const { least: low, most: high } = extentOf(scores);
  return Array.from({ length: CURVE_POINTS }, (_, i) => low + ((high - low) * i) / (CURVE_POINTS - 1));
}

function digitsNeeded({ curve }: CurveFamily, parameters: readonly number[], { quality, mos }: CurvePoints) {
  const { least, most } = extentOf(mos);
  const allowed = GIVEN_BACK * (most - least);
  for (let digits = FEWEST_DIGITS; digits <= ALL_DIGITS; digits++) {
    const rounded = Float64Array.from(parameters, (value) => Number(value.toPrecision(digits)));
    if (quality.every((x, i) => Math.abs(curve(rounded, x) - (mos[i] ?? NaN)) <= allowed)) return digits;
  }
  return null;
}
