/** `results.json`: the databases by themselves, their mean, and all of them together. */
import type { MeasuredDatabase, Metric } from "../metrics/metrics.js";
import type { ProtocolName } from "../protocols.js";
import { PROTOCOLS } from "../protocols.js";
import type { LabelNames } from "../scoring/predictions.js";
import { CONFIDENCE } from "../statistics/bootstrap.js";
import type { DatabaseResults } from "./databaseResults.js";
import { databaseResults } from "./databaseResults.js";
import type { MetricJson } from "./metricJson.js";
import { meanJson } from "./metricJson.js";
import type { PooledResults } from "./pooled.js";
import { pooledResults } from "./pooled.js";

/** Contents of `results.json`. */
export interface Results {
  readonly protocol: ProtocolName;
  readonly protocolVersion: number;
  readonly checkpoint: string;
  readonly crops: number;
  readonly seed: number;
  /** Share of the bootstrap's distribution that intervals hold. */
  readonly confidence: number;
  readonly databases: readonly DatabaseResults[];
  /** Means over the databases, and over their splits where there are several. */
  readonly mean: Readonly<Record<"srcc" | "plcc" | "krcc", MetricJson>>;
  readonly pooled: PooledResults;
}

export interface ResultsOptions {
  readonly protocol: ProtocolName;
  readonly checkpoint: string;
  readonly crops: number;
  readonly labels: LabelNames;
  /** Seed of the bootstrap. */
  readonly seed: number;
}

export function buildResults(
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
