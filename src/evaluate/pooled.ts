import type { Resampling } from "./bootstrap.js";
import { drawnWeights } from "./bootstrap.js";
import { rankPairs, weightedSrcc } from "./correlation.js";
import { fitMapping } from "./mapping.js";
import type { Measured } from "./measures.js";
import type { Prediction } from "./predictions.js";
import { PROTOCOLS } from "./protocols.js";

/** One database's part in what is pooled. */
export interface PooledPart {
  readonly name: string;
  readonly predictions: readonly Prediction[];
  readonly resampling: Resampling;
}

/**
 * The paper's realignment: each database's MOS put on the model's scale by its own logistic (here MOS is what the curve
 * takes, and quality what it gives), then SRCC over the images of all databases together. The curves stay as they are
 * in the resamples.
 */
export function pooledSrcc(parts: readonly PooledPart[]): Measured {
  const quality: number[] = [];
  const aligned: number[] = [];
  for (const { name, predictions } of parts) {
    const mos = predictions.map((prediction) => prediction.mos);
    const own = predictions.map((prediction) => prediction.quality);
    const fit = fitMapping(PROTOCOLS.liqe, mos, own);
    if (!fit.ok) return nothing(`${name}: MOS cannot be put on the model's scale: ${fit.reason}`);
    for (const score of own) quality.push(score);
    for (const score of fit.mapping.apply(mos)) aligned.push(score);
  }
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

function nothing(reason: string): Measured {
  return { result: { ok: false, reason }, resampled: [] };
}
