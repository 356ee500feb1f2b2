/** `results.json`: the databases by themselves, their mean, and all of them pooled. */
import type { MeasuredDatabase, MetricValue } from "../metrics/computeMetrics.js";
import { weightedSrcc } from "../metrics/correlation.js";
import { type Correlation, CORRELATIONS, recordOf } from "../metrics/metrics.js";
import { rankPairs } from "../metrics/ranks.js";
import { type ProtocolName, PROTOCOLS } from "../protocols.js";
import type { LabelNames } from "../scoring/predictions.js";
import { bootstrap, CONFIDENCE } from "../statistics/bootstrap.js";
import { databaseResults, type DatabaseResults, meanJson, type MetricJson, realignmentOf } from "./databaseResults.js";

export interface Results {
  readonly protocol: ProtocolName;
  readonly protocolVersion: number;
  readonly checkpoint: string;
  /** Properties of the weights that nothing says and that were taken for OpenAI's; absent where there are none. */
  readonly assumed?: readonly string[];
  /** Windows scored of each image; null for predictions from a file. */
  readonly crops: number | null;
  readonly seed: number;
  /** Share of the bootstrap's distribution that intervals hold. */
  readonly confidence: number;
  readonly databases: readonly DatabaseResults[];
  /** Means over the databases, and over their splits where there are several. */
  readonly mean: Readonly<Record<Correlation, MetricJson>>;
  /** Over all databases' images together, each database's MOS put on the model's scale by a curve of its own. */
  readonly pooled: { readonly srcc: MetricJson; readonly realignments: readonly Realignment[] };
}

export interface ResultsOptions {
  readonly assumed?: readonly string[] | undefined;
  readonly protocol: ProtocolName;
  readonly checkpoint: string;
  readonly crops: number | null;
  readonly labels: LabelNames;
  /** Seed of the bootstrap. */
  readonly seed: number;
}

export function buildResults(
  measured: readonly MeasuredDatabase[],
  { protocol: name, checkpoint, assumed = [], crops, labels, seed }: ResultsOptions,
): Results {
  const protocol = PROTOCOLS[name];
  const plans = measured.map(({ resampling }) => resampling);
  return {
    protocol: name,
    protocolVersion: protocol.version,
    checkpoint,
    ...(assumed.length > 0 && { assumed }),
    crops,
    seed,
    confidence: CONFIDENCE,
    databases: measured.map((database) => databaseResults(database, protocol, labels)),
    mean: recordOf(CORRELATIONS, (metric) =>
      meanJson(
        measured.map(({ metrics }) => metrics[metric]),
        plans,
      ),
    ),
    pooled: pooledResults(measured),
  };
}

/** Pools each split by itself, as each may have a model with a scale of its own; then takes the mean over the splits. */
function pooledResults(measured: readonly MeasuredDatabase[]): Results["pooled"] {
  const splits = [...new Set(measured.map(({ database }) => database.split))];
  const pooled = splits.map((split) => pooledSrcc(measured.filter(({ database }) => database.split === split)));
  return {
    srcc: meanJson(pooled.map(({ srcc }) => srcc), measured.map(({ resampling }) => resampling)), // prettier-ignore
    realignments: pooled.flatMap(({ realignments }) => realignments),
  };
}

/** The curve that puts a database's MOS on the model's scale, or why there is none. */
interface Realignment {
  readonly name: string;
  readonly split: number | null;
  /** Parameters of LIQE's 4-parameter logistic, from beta 1; null where it could not be fitted. */
  readonly parameters: readonly number[] | null;
  readonly reason?: string;
}

type PooledSrcc = { readonly srcc: MetricValue; readonly realignments: readonly Realignment[] };

/**
 * The paper's realignment: each database's MOS is put on the model's scale by its own logistic (whose argument is MOS
 * here, and whose value is quality), then SRCC is taken over all images together. Resamples keep the curves.
 */
function pooledSrcc(databases: readonly MeasuredDatabase[]): PooledSrcc {
  const fitted = databases.map(({ database: { name, split, predictions } }) => {
    const mos = predictions.map((prediction) => prediction.mos);
    const quality = predictions.map((prediction) => prediction.quality);
    return { name, split, mos, quality, fit: realignmentOf(predictions) };
  });
  const realignments = fitted.map(({ name, split, fit }): Realignment =>
    fit.ok
      ? { name, split, parameters: fit.mapping.parameters }
      : { name, split, parameters: null, reason: fit.reason },
  );
  const without = realignments.find(({ reason }) => reason !== undefined);
  if (without?.reason !== undefined) {
    const reason = `${without.name}: MOS cannot be put on the model's scale: ${without.reason}`;
    return { srcc: { result: { ok: false, reason }, resampled: [] }, realignments };
  }
  const aligned = fitted.flatMap(({ fit, mos }) => (fit.ok ? [...fit.mapping.apply(mos)] : []));
  const ranked = rankPairs(fitted.flatMap(({ quality }) => quality), aligned); // prettier-ignore
  const resampled = bootstrap(databases.map(({ resampling }) => resampling), (weights) => weightedSrcc(ranked, weights)); // prettier-ignore
  return { srcc: { result: weightedSrcc(ranked), resampled }, realignments };
}
