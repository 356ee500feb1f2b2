import type { Subset } from "../../data/sample.js";
import type { MappingJson } from "../mapping/mappingJson.js";
import { mappingJson } from "../mapping/mappingJson.js";
import type { ConfusionMatrix } from "../metrics/accuracy.js";
import { distortionConfusion, sceneConfusion } from "../metrics/accuracy.js";
import { isKnownDeviation } from "../metrics/errors.js";
import type { DatabaseMetrics, GroupMetrics, Metric } from "../metrics/metrics.js";
import { byMetric } from "../metrics/metrics.js";
import type { Protocol } from "../protocols.js";
import type { EvaluatedDatabase, LabelNames } from "../scoring/predictions.js";
import type { Resampling } from "../statistics/bootstrap.js";
import { FEW_UNITS } from "../statistics/bootstrap.js";
import type { MetricJson } from "./metricJson.js";
import { metricJson } from "./metricJson.js";

/** The images of one distortion or scene, by what the lists say, measured on the database's curve. */
export interface GroupResults extends Readonly<Record<Metric, MetricJson>> {
  readonly label: string;
  readonly images: number;
  /** Of what the database is resampled by: contents, or images. */
  readonly units: number;
}

/** One database in `results.json`. */
export interface DatabaseResults extends Readonly<Record<Metric, MetricJson>> {
  readonly name: string;
  /** Null for a list of one's own. */
  readonly split: number | null;
  readonly subset: Subset;
  /** Images that have a score. */
  readonly images: number;
  /** Of them, those whose opinions have a known deviation: what `outlierRatio` is of. */
  readonly deviations: number;
  readonly failed: readonly { readonly image: string; readonly error: string }[];
  /** What the intervals are by. */
  readonly resampled: Resampling["of"];
  readonly resampling: { readonly units: number; readonly resamples: number; readonly note: string | null };
  /** The curve to MOS; null where the protocol has none. */
  readonly mapping: MappingJson | null;
  readonly confusion: { readonly scene: ConfusionMatrix; readonly distortion: ConfusionMatrix };
  /** Labels that the list has, in the model's order. */
  readonly byDistortion: readonly GroupResults[];
  readonly byScene: readonly GroupResults[];
}

export function databaseResults(
  { name, split, subset, predictions, failed }: EvaluatedDatabase,
  { measures, groups, resampling, mapping }: DatabaseMetrics,
  protocol: Protocol,
  labels: LabelNames,
): DatabaseResults {
  const { of, units, resamples } = resampling;
  const quality = predictions.map((prediction) => prediction.quality);
  return {
    name,
    split,
    subset,
    images: predictions.length,
    ...byMetric((measure) => metricJson(measures[measure], units)),
    deviations: predictions.filter(({ mosStd }) => mosStd !== null && isKnownDeviation(mosStd)).length,
    failed: failed.map(({ image, error }) => ({ image, error })),
    resampled: of,
    resampling: { units, resamples, note: resamplingNote(resampling) },
    mapping: protocol.mapping === undefined ? null : mappingJson(protocol.mapping.family, mapping, quality),
    confusion: {
      scene: sceneConfusion(predictions, labels.scenes),
      distortion: distortionConfusion(predictions, labels.distortions),
    },
    byDistortion: groups.filter(({ group }) => group.axis === "distortion").map(groupResults),
    byScene: groups.filter(({ group }) => group.axis === "scene").map(groupResults),
  };
}

function groupResults({ group, measures, units }: GroupMetrics): GroupResults {
  return {
    label: group.label,
    images: group.images.length,
    units,
    ...byMetric((measure) => metricJson(measures[measure], units)),
  };
}

function resamplingNote({ of, units }: Resampling): string | null {
  return units < FEW_UNITS ? `only ${units} ${of}: the intervals are too narrow` : null;
}
