import type { MappingResult } from "../mapping/fitMapping.js";
import { fitMapping } from "../mapping/fitMapping.js";
import { rankPairs, weightedSrcc } from "../metrics/correlation.js";
import type { MeasuredDatabase, MetricValue } from "../metrics/metrics.js";
import { PROTOCOLS } from "../protocols.js";
import type { Prediction } from "../scoring/predictions.js";
import type { Resampling } from "../statistics/bootstrap.js";
import { drawnWeights } from "../statistics/bootstrap.js";
import type { MetricJson } from "./metricJson.js";
import { meanJson } from "./metricJson.js";

/** SRCC over all databases' images together, each database's MOS put on the model's scale by a curve of its own. */
export interface PooledResults {
  readonly srcc: MetricJson;
  readonly realignments: readonly Realignment[];
}

/** Pools each split by itself, as each may have a model with a scale of its own; then the mean over the splits. */
export function pooledResults(measured: readonly MeasuredDatabase[]): PooledResults {
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

/** One database's part in what is pooled. */
interface PooledPart {
  readonly name: string;
  readonly split: number | null;
  readonly predictions: readonly Prediction[];
  readonly resampling: Resampling;
}

/** The curve that puts a database's MOS on the model's scale, or why there is none. */
interface Realignment {
  readonly name: string;
  readonly split: number | null;
  /** Of LIQE's 4-parameter logistic, from beta 1; null where it could not be fitted. */
  readonly parameters: readonly number[] | null;
  readonly reason?: string;
}

interface Pooled {
  readonly measured: MetricValue;
  readonly realignments: readonly Realignment[];
}

/**
 * The paper's realignment: each database's MOS put on the model's scale by its own logistic (here MOS is what the curve
 * takes, and quality what it gives), then SRCC over the images of all databases together. The curves stay as they are
 * in the resamples.
 */
function pooledSrcc(parts: readonly PooledPart[]): Pooled {
  const fitted = parts.map((part) => {
    const mos = part.predictions.map((prediction) => prediction.mos);
    const quality = part.predictions.map((prediction) => prediction.quality);
    return { part, mos, quality, fit: fitMapping(PROTOCOLS.liqe, mos, quality) };
  });
  const realignments = fitted.map(({ part, fit }) => realignment(part, fit));
  const without = realignments.find(({ reason }) => reason !== undefined);
  if (without?.reason !== undefined) {
    const reason = `${without.name}: MOS cannot be put on the model's scale: ${without.reason}`;
    return { measured: nothing(reason), realignments };
  }
  const aligned = fitted.flatMap(({ fit, mos }) => (fit.ok ? [...fit.mapping.apply(mos)] : []));
  const quality = fitted.flatMap((one) => one.quality);
  return { measured: together(parts, quality, aligned), realignments };
}

function realignment({ name, split }: PooledPart, fit: MappingResult): Realignment {
  if (fit.ok) return { name, split, parameters: fit.mapping.parameters };
  return { name, split, parameters: null, reason: fit.reason };
}

function together(parts: readonly PooledPart[], quality: readonly number[], aligned: readonly number[]): MetricValue {
  if (quality.length === 0) return nothing("too few images");
  const ranked = rankPairs(quality, aligned);
  const resamples = parts.map(({ resampling }) => resampling.resamples).reduce((a, b) => Math.min(a, b));
  const resampled = Array.from({ length: resamples }, (_, index) =>
    weightedSrcc(ranked, drawnTogether(parts, quality.length, index)),
  );
  return { result: weightedSrcc(ranked), resampled };
}

/** The weights of all parts' images, each part drawn as its own measures are. */
function drawnTogether(parts: readonly PooledPart[], images: number, index: number): Float64Array {
  const weights = new Float64Array(images);
  let at = 0;
  for (const { resampling } of parts) {
    const drawn = drawnWeights(resampling, index);
    weights.set(drawn, at);
    at += drawn.length;
  }
  return weights;
}

function nothing(reason: string): MetricValue {
  return { result: { ok: false, reason }, resampled: [] };
}
