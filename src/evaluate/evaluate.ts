import type { DatabaseMetrics, Metric } from "./metrics/metrics.js";
import { computeMetrics } from "./metrics/metrics.js";
import type { ProtocolName } from "./protocols.js";
import { PROTOCOLS } from "./protocols.js";
import type { DatabaseResults, EvaluatedDatabase } from "./results/databaseResults.js";
import { databaseResults } from "./results/databaseResults.js";
import type { MetricJson } from "./results/metricJson.js";
import { meanJson } from "./results/metricJson.js";
import type { Realignment } from "./results/pooled.js";
import { pooledSrcc } from "./results/pooled.js";
import type { LabelNames } from "./scoring/predictions.js";
import { CONFIDENCE } from "./statistics/bootstrap.js";

/** What `results.json` holds. */
export interface Results {
  readonly protocol: ProtocolName;
  readonly protocolVersion: number;
  readonly checkpoint: string;
  readonly crops: number;
  readonly seed: number;
  /** Of the intervals. */
  readonly confidence: number;
  readonly databases: readonly DatabaseResults[];
  /** Over the databases; over their splits too, where there are several. */
  readonly mean: Readonly<Record<"srcc" | "plcc" | "krcc", MetricJson>>;
  /** Over all databases' images together, each database's MOS put on the model's scale by its own curve. */
  readonly pooled: { readonly srcc: MetricJson; readonly realignments: readonly Realignment[] };
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

/** A database with all that was measured of it. */
export interface MeasuredDatabase {
  readonly database: EvaluatedDatabase;
  readonly of: DatabaseMetrics;
}

export type MeasuringOptions = Pick<ResultsOptions, "protocol" | "labels" | "seed" | "resamples">;

/** Measures every database, and all of them together. */
export function buildResults(evaluated: readonly EvaluatedDatabase[], options: ResultsOptions): Results {
  return resultsOf(measureEvaluated(evaluated, options), options);
}

export function measureEvaluated(
  evaluated: readonly EvaluatedDatabase[],
  { protocol, labels, seed, resamples }: MeasuringOptions,
): MeasuredDatabase[] {
  const options = { protocol: PROTOCOLS[protocol], labels, seed, ...(resamples === undefined ? {} : { resamples }) };
  return evaluated.map((database) => ({
    database,
    of: computeMetrics(keyOf(database), database.predictions, options),
  }));
}

export function resultsOf(
  measured: readonly MeasuredDatabase[],
  { protocol: name, checkpoint, crops, labels, seed }: ResultsOptions,
): Results {
  const protocol = PROTOCOLS[name];
  const over = (measure: Metric): MetricJson => meanJson(measured.map(({ of }) => of.measures[measure]));
  return {
    protocol: name,
    protocolVersion: protocol.version,
    checkpoint,
    crops,
    seed,
    confidence: CONFIDENCE,
    databases: measured.map(({ database, of }) => databaseResults(database, of, protocol, labels)),
    mean: { srcc: over("srcc"), plcc: over("plcc"), krcc: over("krcc") },
    pooled: pooledResults(measured),
  };
}

/** What the bootstrap's randomness is derived from: the same for every checkpoint, so that runs can be paired. */
export function keyOf({ name, split, subset }: Pick<EvaluatedDatabase, "name" | "split" | "subset">): string {
  return `${name}/${split ?? "list"}/${subset}`;
}

/** Split by split, as each may have a model of its own, with a scale of its own; then the mean over the splits. */
function pooledResults(measured: readonly MeasuredDatabase[]): Results["pooled"] {
  const splits = [...new Set(measured.map(({ database }) => database.split))];
  const pooled = splits.map((split) => {
    const group = measured.filter(({ database }) => database.split === split);
    return pooledSrcc(group.map(({ database, of }) => ({ ...database, resampling: of.resampling })));
  });
  return {
    srcc: meanJson(pooled.map(({ measured: srcc }) => srcc)),
    realignments: pooled.flatMap(({ realignments }) => realignments),
  };
}
