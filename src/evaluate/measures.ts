import type { Result } from "../base/result.js";
import type { Hits } from "./accuracy.js";
import { accuracy, distortionHits, sceneHits } from "./accuracy.js";
import type { Resampling } from "./bootstrap.js";
import { bootstrap, planResampling } from "./bootstrap.js";
import { pearson, rankPairs, srcc, weightedSrcc } from "./correlation.js";
import { mae, rmse } from "./deviation.js";
import { krcc, weightedKrcc } from "./kendall.js";
import type { Mapping, MappingResult } from "./mapping.js";
import { fitMapping, refitMapping } from "./mapping.js";
import type { LabelNames, Prediction } from "./predictions.js";
import type { Protocol } from "./protocols.js";
import { ascendingOrder } from "./ranks.js";

export const MEASURES = ["srcc", "plcc", "krcc", "rmse", "mae", "sceneAccuracy", "distortionAccuracy"] as const;
export type Measure = (typeof MEASURES)[number];

/** A measure of all images, and of each bootstrap resample of them. */
export interface Measured {
  readonly result: Result;
  readonly resampled: readonly Result[];
}

export interface DatabaseMeasures {
  readonly measures: Readonly<Record<Measure, Measured>>;
  readonly resampling: Resampling;
  readonly mapping: MappingResult;
}

export interface MeasureOptions {
  readonly protocol: Protocol;
  readonly labels: LabelNames;
  readonly seed: number;
  /** Apart from tests, `RESAMPLES`. */
  readonly resamples?: number;
}

/** Everything that is measured of one database's predictions. */
export function measureDatabase(
  name: string,
  predictions: readonly Prediction[],
  { protocol, labels, seed, resamples }: MeasureOptions,
): DatabaseMeasures {
  const columns = columnsOf(predictions, labels);
  const { quality, mos, scenes, distortions } = columns;
  const { results: whole, mapping } = wholeMeasures(columns, protocol);
  const resampling = planResampling(
    predictions.map(({ content }) => content),
    resamples === undefined ? { seed, key: name } : { seed, key: name, resamples },
  );
  const ranked = rankPairs(quality, mos);
  const order = ascendingOrder(quality);
  const refit = rememberLast((weights: Float64Array) => remapped(protocol, mapping, quality, mos, weights));
  const resampled = bootstrap(resampling, {
    srcc: (weights) => orReason(whole.srcc, () => weightedSrcc(ranked, weights)),
    krcc: (weights) => orReason(whole.krcc, () => weightedKrcc(ranked, order, weights)),
    plcc: (weights) => orReason(whole.plcc, () => refit(weights).plcc),
    rmse: (weights) => orReason(whole.rmse, () => refit(weights).rmse),
    mae: (weights) => orReason(whole.mae, () => refit(weights).mae),
    sceneAccuracy: (weights) => orReason(whole.sceneAccuracy, () => accuracy(scenes, weights)),
    distortionAccuracy: (weights) => orReason(whole.distortionAccuracy, () => accuracy(distortions, weights)),
  });
  const measured = MEASURES.map((measure) => [measure, { result: whole[measure], resampled: resampled[measure] }]);
  const measures = Object.fromEntries(measured) as Record<Measure, Measured>; // MEASURES are its keys
  return { measures, resampling, mapping };
}

/** Predictions as the measures take them: an entry an image. */
interface Columns {
  readonly quality: Float64Array;
  readonly mos: Float64Array;
  readonly scenes: readonly Hits[];
  readonly distortions: readonly Hits[];
}

function columnsOf(predictions: readonly Prediction[], { scenes }: LabelNames): Columns {
  return {
    quality: Float64Array.from(predictions, ({ quality }) => quality),
    mos: Float64Array.from(predictions, ({ mos }) => mos),
    scenes: predictions.map((prediction) => sceneHits(prediction, scenes)),
    distortions: predictions.map(distortionHits),
  };
}

function wholeMeasures({ quality, mos, scenes, distortions }: Columns, protocol: Protocol) {
  const mapping = fitMapping(protocol, quality, mos);
  const results: Record<Measure, Result> = {
    srcc: srcc(quality, mos),
    krcc: krcc(quality, mos),
    ...mapped(mapping, quality, mos),
    sceneAccuracy: accuracy(scenes),
    distortionAccuracy: accuracy(distortions),
  };
  return { results, mapping };
}

interface MappedMeasures {
  readonly plcc: Result;
  readonly rmse: Result;
  readonly mae: Result;
}

/** What is measured on the scale of MOS. */
function mapped(
  mapping: MappingResult,
  quality: Float64Array,
  mos: Float64Array,
  weights?: Float64Array,
): MappedMeasures {
  if (!mapping.ok) return { plcc: mapping, rmse: mapping, mae: mapping };
  const onMos = mapping.mapping.apply(quality);
  return { plcc: pearson(onMos, mos, weights), rmse: rmse(onMos, mos, weights), mae: mae(onMos, mos, weights) };
}

function remapped(
  protocol: Protocol,
  full: MappingResult,
  quality: Float64Array,
  mos: Float64Array,
  weights: Float64Array,
): MappedMeasures {
  const mapping = full.ok ? refitMapping(protocol, full.mapping, weights) : full;
  return mapped(mapping, quality, mos, weights);
}

/** What has no value for all images has none for a resample. */
function orReason(whole: Result, resample: () => Result): Result {
  return whole.ok ? resample() : whole;
}

/** PLCC, RMSE and MAE of one resample share its fit. */
function rememberLast<T>(make: (weights: Float64Array) => T): (weights: Float64Array) => T {
  let last: { readonly weights: Float64Array; readonly value: T } | undefined;
  return (weights) => {
    if (last?.weights !== weights) last = { weights, value: make(weights) };
    return last.value;
  };
}

/** The mapping of a database, where there is one. */
export function mappingOf({ mapping }: DatabaseMeasures): Mapping | null {
  return mapping.ok ? mapping.mapping : null;
}
