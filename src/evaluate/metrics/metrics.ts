/** Table of the metrics, which tables, reports and JSON iterate over: a new one is a function in a file and a row here. */
import type { Result } from "../../base/types.js";
import { accuracy } from "./accuracy.js";
import { pearson, srcc, weightedSrcc } from "./correlation.js";
import { mae, outlierRatio, rmse } from "./errors.js";
import { krcc, weightedKrcc } from "./kendall.js";
import type { RankedPairs } from "./ranks.js";

/** Images as metrics take them: an entry an image, in one order. */
interface MetricImages {
  readonly quality: Float64Array;
  readonly mos: Float64Array;
  /** Standard deviation of the opinions behind each MOS; NaN where it is not known. */
  readonly mosStd: Float64Array;
  readonly scenes: Parameters<typeof accuracy>[0];
  readonly distortions: Parameters<typeof accuracy>[0];
  /** Ranks of quality and MOS, made once: a resample is a weight for each image. */
  readonly ranked: RankedPairs;
  /** Indices in ascending order of quality. */
  readonly order: Uint32Array;
  /** Predictions on the scale of MOS, or why there are none. */
  readonly onMos:
    { readonly ok: true; readonly values: Float64Array } | { readonly ok: false; readonly reason: string };
}

interface MetricRow {
  /** Heading in tables. */
  readonly title: string;
  /** `error`: in units of MOS. Correlations are also averaged over databases. */
  readonly kind: "correlation" | "error" | "share";
  /** True for metrics of the benchmark table, leaderboards and `splits.json`; results and reports have all. */
  readonly isMain: boolean;
  /** Value of the images, or why there is none; with weights, image i counts `weights[i]` times. */
  readonly measure: (images: MetricImages, weights?: Float64Array) => Result;
}

export const METRICS = {
  srcc: {
    ...{ title: "SRCC", kind: "correlation", isMain: true },
    measure: ({ quality, mos, ranked }, weights?) =>
      weights === undefined ? srcc(quality, mos) : weightedSrcc(ranked, weights),
  },
  plcc: {
    ...{ title: "PLCC", kind: "correlation", isMain: true },
    measure: onMosScale((mapped, { mos }, weights) => pearson(mapped, mos, weights)),
  },
  krcc: {
    ...{ title: "KRCC", kind: "correlation", isMain: true },
    measure: ({ quality, mos, ranked, order }, weights?) =>
      weights === undefined ? krcc(quality, mos) : weightedKrcc(ranked, order, weights),
  },
  rmse: {
    ...{ title: "RMSE", kind: "error", isMain: true },
    measure: onMosScale((mapped, { mos }, weights) => rmse(mapped, mos, weights)),
  },
  mae: {
    ...{ title: "MAE", kind: "error", isMain: false },
    measure: onMosScale((mapped, { mos }, weights) => mae(mapped, mos, weights)),
  },
  outlierRatio: {
    ...{ title: "outlier ratio", kind: "share", isMain: false },
    measure: onMosScale((mapped, { mos, mosStd }, weights) => outlierRatio(mapped, mos, mosStd, weights)),
  },
  sceneAccuracy: {
    ...{ title: "scene acc.", kind: "share", isMain: true },
    measure: ({ scenes }, weights?) => accuracy(scenes, weights),
  },
  distortionAccuracy: {
    ...{ title: "dist. acc.", kind: "share", isMain: true },
    measure: ({ distortions }, weights?) => accuracy(distortions, weights),
  },
} as const satisfies Readonly<Record<string, MetricRow>>;

/** Metric of the mapped predictions; where there are none, their reason is the metric's. */
function onMosScale(
  measure: (mapped: Float64Array, images: MetricImages, weights?: Float64Array) => Result,
): MetricRow["measure"] {
  return (images, weights) => (images.onMos.ok ? measure(images.onMos.values, images, weights) : images.onMos);
}

type Rows = typeof METRICS;
export type Metric = keyof Rows;
type MetricWith<Columns> = { [M in Metric]: Rows[M] extends Columns ? M : never }[Metric];
export type MainMetric = MetricWith<{ readonly isMain: true }>;
export type Correlation = MetricWith<{ readonly kind: "correlation" }>;

export const METRIC_NAMES = Object.keys(METRICS) as readonly Metric[]; // its own keys
export const MAIN_METRICS = METRIC_NAMES.filter((name): name is MainMetric => METRICS[name].isMain);
export const CORRELATIONS = METRIC_NAMES.filter((name): name is Correlation => METRICS[name].kind === "correlation");
/** Main metrics without a unit, which one axis can show and whose values of several databases can be compared. */
export const UNITLESS_METRICS = MAIN_METRICS.filter((name) => METRICS[name].kind !== "error");

/** Record of a value for each name, in their order. */
export function recordOf<K extends string, T>(names: readonly K[], make: (name: K) => T): Record<K, T> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<K, T>; // the names are its keys
}
