import { concatenated } from "../../base/collections.js";
import { seededRandom } from "../../base/random.js";
import type { Result } from "../../base/types.js";
import { mapNumbers } from "../metrics/vectors.js";

/** Plan of a bootstrap, which draws with replacement: whole contents with all their images, or single images. */
export interface Resampling {
  readonly of: "contents" | "images";
  /** Number of contents or images to draw from. */
  readonly units: number;
  /** Warning about intervals of few units. */
  readonly note: string | null;
  /** Unit that each image belongs to. */
  readonly unitOf: Uint32Array;
  readonly seed: number;
  /** Tells apart databases that are drawn with one seed. */
  readonly key: string;
  readonly resamples: number;
}

/** A 95 % interval, or why there is none. */
type Interval =
  { readonly ok: true; readonly low: number; readonly high: number } | { readonly ok: false; readonly reason: string };

/** Seed for weights without a config. */
export const BOOTSTRAP_SEED = 20200626;
const RESAMPLES = 1000;
/** With fewer units than this, intervals of the bootstrap come out too narrow. */
const FEW_UNITS = 20;
export const CONFIDENCE = 0.95;
/** Share of resamples that may be without a value (all drawn MOS equal, say) before an interval means nothing. */
const MAX_WITHOUT_VALUE = 0.1;

/** Plans to draw contents where every image's is known, as images of one content are not independent; else images. */
export function planResampling(
  contents: readonly (string | null)[],
  { seed, key, resamples = RESAMPLES }: { readonly seed: number; readonly key: string; readonly resamples?: number },
): Resampling {
  const units = new Map<string | number, number>();
  const isKnown = contents.length > 0 && !contents.includes(null);
  const unitOf = Uint32Array.from(contents, (content, image) => {
    const name = isKnown && content !== null ? content : image;
    const unit = units.get(name) ?? units.size;
    units.set(name, unit);
    return unit;
  });
  const of = isKnown ? "contents" : "images";
  const note = units.size < FEW_UNITS ? `only ${units.size} ${of}: the intervals are too narrow` : null;
  return { of, units: units.size, note, unitOf, seed, key, resamples };
}

/**
 * Measures every resample, in order.
 * @param databases  drawn each by its own plan; their images follow one another in the weights
 * @param measure    takes the number of times that the resample drew each image
 */
export function bootstrap<T>(databases: readonly Resampling[], measure: (weights: Float64Array) => T): T[] {
  const resamples = databases.reduce((least, one) => Math.min(least, one.resamples), Infinity);
  return Array.from({ length: resamples }, (_, index) =>
    measure(
      concatenated(
        Float64Array,
        databases.map((one) => drawnWeights(one, index)),
      ),
    ),
  );
}

/** Number of times that resample `index` drew each image: a function of (seed, key, index) alone. */
export function drawnWeights({ units, unitOf, seed, key }: Resampling, index: number): Float64Array {
  const random = seededRandom(seed, "bootstrap", key, index);
  const drawn = new Float64Array(units);
  for (let i = 0; i < units; i++) {
    const unit = random.integer(units);
    drawn[unit] = (drawn[unit] ?? NaN) + 1;
  }
  return mapNumbers(unitOf, (unit) => drawn[unit] ?? NaN);
}

/** Percentile interval: the middle 95 % of a statistic's values over the resamples. */
export function percentileInterval(resampled: readonly Result[], units: number): Interval {
  if (units < 2) return { ok: false, reason: "nothing to resample: one unit" };
  const values = Float64Array.from(resampled.flatMap((result) => (result.ok ? [result.value] : []))).sort();
  const without = resampled.length - values.length;
  if (values.length === 0 || without > MAX_WITHOUT_VALUE * resampled.length) {
    const reason = resampled.find((result) => !result.ok)?.reason ?? "no resamples";
    return { ok: false, reason: `${without} of ${resampled.length} resamples have no value (${reason})` };
  }
  const tail = (1 - CONFIDENCE) / 2;
  return { ok: true, low: quantile(values, tail), high: quantile(values, 1 - tail) };
}

/** Quantile, linear between neighbors (R's type 7), of one or more ascending values. */
function quantile(ascending: Float64Array, share: number): number {
  const place = share * (ascending.length - 1);
  const below = Math.floor(place);
  const low = ascending[below] ?? NaN;
  const high = ascending[Math.min(below + 1, ascending.length - 1)] ?? NaN;
  return low + (place - below) * (high - low);
}
