import type { Result } from "../base/result.js";
import type { Subset } from "../data/sample.js";
import type { ConfusionMatrix } from "./accuracy.js";
import { distortionConfusion, sceneConfusion } from "./accuracy.js";
import type { Resampling } from "./bootstrap.js";
import { FEW_UNITS, percentileInterval } from "./bootstrap.js";
import type { DatabaseMeasures, Measure, Measured } from "./measures.js";
import { MEASURES, mappingOf, measureDatabase } from "./measures.js";
import { pooledSrcc } from "./pooled.js";
import type { FailedImage, LabelNames, Prediction } from "./predictions.js";
import type { ProtocolName } from "./protocolNames.js";
import { PROTOCOLS } from "./protocols.js";

/** A measure in `results.json`: its 95 % interval, or why it has none; or why there is no value. */
export type MeasureJson =
  | { readonly value: number; readonly low: number; readonly high: number }
  | { readonly value: number; readonly low: null; readonly high: null; readonly intervalReason: string }
  | { readonly value: null; readonly reason: string };

export interface DatabaseResults extends Readonly<Record<Measure, MeasureJson>> {
  readonly name: string;
  /** Null for a list of one's own. */
  readonly split: number | null;
  readonly subset: Subset;
  /** Images that have a score. */
  readonly images: number;
  readonly failed: readonly { readonly image: string; readonly error: string }[];
  readonly resampling: {
    readonly of: "contents" | "images";
    readonly units: number;
    readonly resamples: number;
    readonly note: string | null;
  };
  /** The curve to MOS that was fitted; null where the protocol has none or the fit failed (see `plcc`). */
  readonly mapping: {
    readonly formula: string;
    readonly parameters: readonly number[];
    readonly iterations: number;
    readonly startsTried: number;
    readonly startsConverged: number;
  } | null;
  readonly confusion: { readonly scene: ConfusionMatrix; readonly distortion: ConfusionMatrix };
}

/** What `results.json` holds. */
export interface Results {
  readonly protocol: ProtocolName;
  readonly protocolVersion: number;
  readonly checkpoint: string;
  readonly crops: number;
  readonly seed: number;
  readonly databases: readonly DatabaseResults[];
  /** Over the databases; over their splits too, where there are several. */
  readonly mean: Readonly<Record<"srcc" | "plcc" | "krcc", MeasureJson>>;
  readonly pooled: { readonly srcc: MeasureJson };
}

/** The predictions of one database's list, and where they are from. */
export interface EvaluatedDatabase {
  readonly name: string;
  readonly split: number | null;
  readonly subset: Subset;
  readonly predictions: readonly Prediction[];
  readonly failed: readonly FailedImage[];
}

export interface ResultsOptions {
  readonly protocol: ProtocolName;
  readonly checkpoint: string;
  readonly crops: number;
  readonly labels: LabelNames;
  /** Of the bootstrap. */
  readonly seed: number;
  readonly resamples?: number;
}

/** Measures every database, and all of them together. */
export function buildResults(
  evaluated: readonly EvaluatedDatabase[],
  { protocol, checkpoint, crops, labels, seed, resamples }: ResultsOptions,
): Results {
  const options = { protocol: PROTOCOLS[protocol], labels, seed, ...(resamples === undefined ? {} : { resamples }) };
  const measured = evaluated.map((database) => ({
    database,
    of: measureDatabase(keyOf(database), database.predictions, options),
  }));
  const over = (measure: Measure): MeasureJson => meanJson(measured.map(({ of }) => of.measures[measure]));
  // Each split may have a model of its own, with a scale of its own.
  const splits = new Set(evaluated.map(({ split }) => split));
  const pooled = [...splits].map((split) => {
    const group = measured.filter(({ database }) => database.split === split);
    return pooledSrcc(group.map(({ database, of }) => ({ ...database, resampling: of.resampling })));
  });
  return {
    protocol,
    protocolVersion: options.protocol.version,
    checkpoint,
    crops,
    seed,
    databases: measured.map(({ database, of }) => databaseJson(database, of, protocol, labels)),
    mean: { srcc: over("srcc"), plcc: over("plcc"), krcc: over("krcc") },
    pooled: { srcc: meanJson(pooled) },
  };
}

/** What the bootstrap's randomness is derived from: the same for every checkpoint, so that runs can be paired. */
function keyOf({ name, split, subset }: EvaluatedDatabase): string {
  return `${name}/${split ?? "list"}/${subset}`;
}

function databaseJson(
  { name, split, subset, predictions, failed }: EvaluatedDatabase,
  measured: DatabaseMeasures,
  protocol: ProtocolName,
  labels: LabelNames,
): DatabaseResults {
  const { resampling, measures } = measured;
  const mapping = mappingOf(measured);
  const family = PROTOCOLS[protocol].mapping?.family;
  const json = MEASURES.map((measure) => [measure, measureJson(measures[measure], resampling.units)]);
  return {
    name,
    split,
    subset,
    images: predictions.length,
    ...(Object.fromEntries(json) as Record<Measure, MeasureJson>), // MEASURES are its keys
    failed: failed.map(({ image, error }) => ({ image, error })),
    resampling: {
      of: resampling.of,
      units: resampling.units,
      resamples: resampling.resamples,
      note: resamplingNote(resampling),
    },
    mapping:
      mapping === null || family === undefined
        ? null
        : {
            formula: family.formula,
            parameters: mapping.parameters,
            iterations: mapping.iterations,
            startsTried: mapping.starts.tried,
            startsConverged: mapping.starts.converged,
          },
    confusion: {
      scene: sceneConfusion(predictions, labels.scenes),
      distortion: distortionConfusion(predictions, labels.distortions),
    },
  };
}

function resamplingNote({ of, units }: Resampling): string | null {
  return units < FEW_UNITS ? `only ${units} ${of}: the intervals are too narrow` : null;
}

function measureJson({ result, resampled }: Measured, units: number): MeasureJson {
  if (!result.ok) return { value: null, reason: result.reason };
  const interval = percentileInterval(resampled, units);
  return interval.ok
    ? { value: result.value, low: interval.low, high: interval.high }
    : { value: result.value, low: null, high: null, intervalReason: interval.reason };
}

/** The mean over databases: of all images, and of each resample; none where one of them has no value. */
function meanJson(measured: readonly Measured[]): MeasureJson {
  if (measured.length === 0) return { value: null, reason: "no database" };
  const resamples = measured.map(({ resampled }) => resampled.length).reduce((a, b) => Math.min(a, b));
  const resampled = Array.from({ length: resamples }, (_, index) =>
    meanResult(measured.map((one) => one.resampled[index] ?? { ok: false, reason: "no resamples" })),
  );
  return measureJson({ result: meanResult(measured.map(({ result }) => result)), resampled }, Infinity);
}

function meanResult(results: readonly Result[]): Result {
  const values = results.flatMap((result) => (result.ok ? [result.value] : []));
  const without = results.find((result) => !result.ok);
  if (without?.ok === false) {
    const share = results.length === 1 ? "" : `${results.length - values.length} of ${results.length} have no value: `;
    return { ok: false, reason: `${share}${without.reason}` };
  }
  return { ok: true, value: values.reduce((sum, value) => sum + value, 0) / values.length };
}
