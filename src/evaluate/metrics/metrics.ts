import type { Result } from "../../base/types.js";
import type { MappingResult } from "../mapping/fitMapping.js";
import { fitMapping, refitMapping } from "../mapping/fitMapping.js";
import type { Protocol } from "../protocols.js";
import type { EvaluatedDatabase, LabelNames, Prediction } from "../scoring/predictions.js";
import type { Resampling } from "../statistics/bootstrap.js";
import { bootstrap, planResampling } from "../statistics/bootstrap.js";
import { accuracy } from "./accuracy.js";
import type { Columns, Group } from "./columns.js";
import { columnsAt, parseColumns, groupsOf, numbersAt } from "./columns.js";
import { pearson, rankPairs, srcc, weightedSrcc } from "./correlation.js";
import { mae, outlierRatio, rmse } from "./errors.js";
import { krcc, weightedKrcc } from "./kendall.js";
import { ascendingOrder } from "./ranks.js";

export const METRICS = [
  "srcc",
  "plcc",
  "krcc",
  "rmse",
  "mae",
  "outlierRatio",
  "sceneAccuracy",
  "distortionAccuracy",
] as const;
export type Metric = (typeof METRICS)[number];

/** A measure of all images, and of each bootstrap resample of them. */
export interface MetricValue {
  readonly result: Result;
  readonly resampled: readonly Result[];
}

type Metrics = Readonly<Record<Metric, MetricValue>>;

export interface GroupMetrics {
  readonly group: Group;
  readonly measures: Metrics;
  /** How many of the database's contents, or images, the group has images of. */
  readonly units: number;
}

export interface DatabaseMetrics {
  readonly measures: Metrics;
  readonly groups: readonly GroupMetrics[];
  readonly resampling: Resampling;
  readonly mapping: MappingResult;
}

/** A database with all that was measured of it. */
export interface MeasuredDatabase {
  readonly database: EvaluatedDatabase;
  readonly of: DatabaseMetrics;
}

interface MetricOptions {
  readonly protocol: Protocol;
  readonly labels: LabelNames;
  readonly seed: number;
  /** Apart from tests, `RESAMPLES`. */
  readonly resamples?: number;
}

/**
 * Everything that is measured of one database's predictions, and of those of each distortion and scene. Groups have no
 * curve of their own: they are measured on the database's, and every resample of the database is one of theirs.
 */
export function computeMetrics(
  name: string,
  predictions: readonly Prediction[],
  { protocol, labels, seed, resamples }: MetricOptions,
): DatabaseMetrics {
  const columns = parseColumns(predictions, labels);
  const mapping = fitMapping(protocol, columns.quality, columns.mos);
  const resampling = planResampling(
    predictions.map(({ content }) => content),
    resamples === undefined ? { seed, key: name } : { seed, key: name, resamples },
  );
  const groups = groupsOf(predictions, labels);
  const onMos = mappedBy(mapping, columns.quality);
  const all = Uint32Array.from(predictions, (_, i) => i);
  const parts = [all, ...groups.map(({ images }) => images)].map((images) => new Part(columns, images, onMos));
  const resampled = bootstrap(resampling, (weights) => {
    const resampledMapping = mapping.ok ? refitMapping(protocol, mapping.mapping, weights) : mapping;
    const resampledOnMos = mappedBy(resampledMapping, columns.quality);
    return parts.map((part) => part.resampled(resampledOnMos, weights));
  });
  const [measures, ...groupMeasures] = parts.map((part, p) => collected(part.whole, resampled.map((one) => one[p]))); // prettier-ignore
  if (measures === undefined) throw new Error("internal: computeMetrics: there is no part");
  return { measures, groups: withUnits(groups, groupMeasures, resampling), resampling, mapping };
}

/** Predictions on the scale of MOS, an entry an image, or why there are none. */
type OnMos = { readonly ok: true; readonly values: Float64Array } | { readonly ok: false; readonly reason: string };

function mappedBy(mapping: MappingResult, quality: Float64Array): OnMos {
  return mapping.ok ? { ok: true, values: mapping.mapping.apply(quality) } : mapping;
}

/** Some of a database's images: ranked once, so that a resample of them costs no sorting. */
class Part {
  readonly whole: Readonly<Record<Metric, Result>>;
  private readonly columns: Columns;
  private readonly ranked;
  private readonly order: Uint32Array;

  constructor(
    columns: Columns,
    private readonly images: Uint32Array,
    onMos: OnMos,
  ) {
    this.columns = columnsAt(columns, images);
    const { quality, mos, scenes, distortions } = this.columns;
    this.ranked = rankPairs(quality, mos);
    this.order = ascendingOrder(this.ranked.predicted);
    this.whole = {
      srcc: srcc(quality, mos),
      krcc: krcc(quality, mos),
      ...this.onMosScale(onMos),
      sceneAccuracy: accuracy(scenes),
      distortionAccuracy: accuracy(distortions),
    };
  }

  /**
   * Where the database's image i stands `allWeights[i]` times, with predictions mapped as that resample has it. What has no
   * value for all images has none for a resample, with the same reason.
   */
  resampled(onMos: OnMos, allWeights: Float64Array): Readonly<Record<Metric, Result>> {
    const weights = numbersAt(allWeights, this.images);
    if (!weights.some((weight) => weight > 0)) return NOTHING_DRAWN;
    const { ranked, order, whole } = this;
    const { scenes, distortions } = this.columns;
    const orReason = (measure: Metric, resample: () => Result): Result =>
      whole[measure].ok ? resample() : whole[measure];
    const mapped = this.onMosScale(onMos, weights);
    return {
      srcc: orReason("srcc", () => weightedSrcc(ranked, weights)),
      krcc: orReason("krcc", () => weightedKrcc(ranked, order, weights)),
      plcc: orReason("plcc", () => mapped.plcc),
      rmse: orReason("rmse", () => mapped.rmse),
      mae: orReason("mae", () => mapped.mae),
      outlierRatio: orReason("outlierRatio", () => mapped.outlierRatio),
      sceneAccuracy: orReason("sceneAccuracy", () => accuracy(scenes, weights)),
      distortionAccuracy: orReason("distortionAccuracy", () => accuracy(distortions, weights)),
    };
  }

  /** What is measured on the scale of MOS. */
  private onMosScale(onMos: OnMos, weights?: Float64Array) {
    if (!onMos.ok) return { plcc: onMos, rmse: onMos, mae: onMos, outlierRatio: onMos };
    const { mos, mosStd } = this.columns;
    const mapped = numbersAt(onMos.values, this.images);
    return {
      plcc: pearson(mapped, mos, weights),
      rmse: rmse(mapped, mos, weights),
      mae: mae(mapped, mos, weights),
      outlierRatio: outlierRatio(mapped, mos, mosStd, weights),
    };
  }
}

/** A resample may hold none of a group's images. */
const NOTHING_DRAWN = byMetric((): Result => ({ ok: false, reason: "too few images" }));

function collected(
  whole: Readonly<Record<Metric, Result>>,
  resampled: readonly (Readonly<Record<Metric, Result>> | undefined)[],
): Metrics {
  return byMetric((measure) => ({
    result: whole[measure],
    resampled: resampled.flatMap((one) => (one === undefined ? [] : [one[measure]])),
  }));
}

function withUnits(groups: readonly Group[], measures: readonly Metrics[], { unitOf }: Resampling): GroupMetrics[] {
  return groups.flatMap((group, g) => {
    const own = measures[g];
    const units = new Set(Array.from(group.images, (image) => unitOf[image])).size;
    return own === undefined ? [] : [{ group, measures: own, units }];
  });
}

export function byMetric<T>(make: (measure: Metric) => T): Record<Metric, T> {
  return Object.fromEntries(METRICS.map((measure) => [measure, make(measure)])) as Record<Metric, T>; // METRICS are its keys
}
