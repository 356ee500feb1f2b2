import type { Result } from "../../base/types.js";
import { fitMapping, type MappingResult, refitMapping } from "../mapping/fitMapping.js";
import type { Protocol } from "../protocols.js";
import type { EvaluatedDatabase, LabelNames, Prediction } from "../scoring/predictions.js";
import { bootstrap, type Resampling } from "../statistics/bootstrap.js";
import { distortionHits, sceneHits } from "./accuracy.js";
import { type Metric, METRIC_NAMES, METRICS, recordOf } from "./metrics.js";
import { ascendingOrder, rankPairs } from "./ranks.js";

/** A metric of all images, and of each bootstrap resample of them. */
export type MetricValue = { readonly result: Result; readonly resampled: readonly Result[] };

type Metrics = Readonly<Record<Metric, MetricValue>>;
type MetricImages = Parameters<(typeof METRICS)["plcc"]["measure"]>[0];

/** Metrics of the images that the lists give one label. */
interface GroupMetrics extends Group {
  readonly metrics: Metrics;
  /** Number of the database's contents, or images, that the group has images of. */
  readonly units: number;
}

interface DatabaseMetrics {
  readonly metrics: Metrics;
  readonly groups: readonly GroupMetrics[];
  readonly resampling: Resampling;
  readonly mapping: MappingResult;
}

export interface MeasuredDatabase extends DatabaseMetrics {
  readonly database: EvaluatedDatabase;
}

interface MetricsOptions {
  readonly protocol: Protocol;
  readonly labels: LabelNames;
  /** Called after each resample. */
  readonly onResample?: () => void;
}

/**
 * Computes the metrics of one database's predictions, and of those of each distortion and scene. Groups have no curve
 * of their own: they are measured on the database's, and every resample of the database is one of theirs.
 */
export function computeMetrics(
  predictions: readonly Prediction[],
  resampling: Resampling,
  { protocol, labels, onResample }: MetricsOptions,
): DatabaseMetrics {
  const columns = columnsOf(predictions, labels);
  const mapping = fitMapping(protocol, columns.quality, columns.mos);
  const onMos = mappedBy(mapping, columns.quality);
  const whole = new Part(columns, Uint32Array.from(predictions, (_, i) => i), onMos); // prettier-ignore
  const groups = groupsOf(predictions, labels).map((group) => ({
    ...group,
    part: new Part(columns, group.images, onMos),
  }));
  const parts = [whole, ...groups.map(({ part }) => part)];
  const measure = (weights: Float64Array) => {
    const resampled = mapping.ok ? refitMapping(protocol, mapping.mapping, weights) : mapping;
    const resampledOnMos = mappedBy(resampled, columns.quality);
    for (const part of parts) part.resample(resampledOnMos, weights);
  };
  bootstrap([resampling], measure, onResample);
  const unitsOf = (images: Uint32Array) => new Set(Array.from(images, (image) => resampling.unitOf[image])).size;
  return {
    metrics: whole.metrics(),
    groups: groups.map(({ part, ...group }) => ({ ...group, metrics: part.metrics(), units: unitsOf(group.images) })),
    resampling,
    mapping,
  };
}

function mappedBy(mapping: MappingResult, quality: Float64Array): MetricImages["onMos"] {
  return mapping.ok ? { ok: true, values: mapping.mapping.apply(quality) } : mapping;
}

/** Some of a database's images: ranked once, so that a resample of them costs no sorting. */
class Part {
  private readonly whole: Readonly<Record<Metric, Result>>;
  private readonly resampled: Readonly<Record<Metric, Result>>[] = [];
  private readonly images: MetricImages;

  constructor(
    columns: Columns,
    private readonly indices: Uint32Array,
    onMos: MetricImages["onMos"],
  ) {
    const own = columnsAt(columns, indices);
    const ranked = rankPairs(own.quality, own.mos);
    const images = { ...own, ranked, order: ascendingOrder(ranked.predicted), onMos: this.mapped(onMos) };
    this.images = images;
    this.whole = recordOf(METRIC_NAMES, (metric) => METRICS[metric].measure(images));
  }

  /**
   * Measures a resample, which holds the database's image i `allWeights[i]` times, with predictions mapped by its own
   * curve. A metric without a value for all images has none for a resample, with the same reason.
   */
  resample(onMos: MetricImages["onMos"], allWeights: Float64Array): void {
    const weights = numbersAt(allWeights, this.indices);
    const isDrawn = weights.some((weight) => weight > 0);
    const images = { ...this.images, onMos: this.mapped(onMos) };
    const measure = (metric: Metric): Result => {
      if (!isDrawn) return { ok: false, reason: "too few images" };
      return this.whole[metric].ok ? METRICS[metric].measure(images, weights) : this.whole[metric];
    };
    this.resampled.push(recordOf(METRIC_NAMES, measure));
  }

  metrics(): Metrics {
    const { whole, resampled } = this;
    return recordOf(METRIC_NAMES, (name) => ({ result: whole[name], resampled: resampled.map((one) => one[name]) }));
  }

  private mapped(onMos: MetricImages["onMos"]): MetricImages["onMos"] {
    return onMos.ok ? { ok: true, values: numbersAt(onMos.values, this.indices) } : onMos;
  }
}

type Columns = Omit<MetricImages, "ranked" | "order" | "onMos">;

function columnsOf(predictions: readonly Prediction[], { scenes }: LabelNames): Columns {
  return {
    quality: Float64Array.from(predictions, ({ quality }) => quality),
    mos: Float64Array.from(predictions, ({ mos }) => mos),
    mosStd: Float64Array.from(predictions, ({ mosStd }) => mosStd ?? NaN),
    scenes: predictions.map((prediction) => sceneHits(prediction, scenes)),
    distortions: predictions.map(distortionHits),
  };
}

function columnsAt({ quality, mos, mosStd, scenes, distortions }: Columns, images: Uint32Array): Columns {
  return {
    quality: numbersAt(quality, images),
    mos: numbersAt(mos, images),
    mosStd: numbersAt(mosStd, images),
    scenes: Array.from(images, (image) => scenes[image] ?? { right: 0, of: 0 }),
    distortions: Array.from(images, (image) => distortions[image] ?? { right: 0, of: 0 }),
  };
}

/** A plain loop, as in `vectors.ts`: it runs once a resample for each distortion and scene. */
function numbersAt(values: Float64Array, images: Uint32Array): Float64Array {
  const out = new Float64Array(images.length);
  for (let i = 0; i < out.length; i++) out[i] = values[images[i] ?? NaN] ?? NaN;
  return out;
}

interface Group {
  readonly axis: "distortion" | "scene";
  readonly label: string;
  /** Indices among the predictions, ascending. */
  readonly images: Uint32Array;
}

/** Groups by the lists' labels, in the labels' order; an image with several scenes is in each of their groups. */
function groupsOf(predictions: readonly Prediction[], { scenes, distortions }: LabelNames): Group[] {
  const group = (axis: Group["axis"], label: string, has: (prediction: Prediction) => boolean): Group => ({
    axis,
    label,
    images: Uint32Array.from(predictions.flatMap((prediction, i) => (has(prediction) ? [i] : []))),
  });
  return [
    ...distortions.map((label) => group("distortion", label, ({ distortionLabel }) => distortionLabel === label)),
    ...scenes.map((label) => group("scene", label, ({ sceneLabels }) => sceneLabels.includes(label))),
  ].filter(({ images }) => images.length > 0);
}
