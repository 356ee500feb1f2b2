import { seededRandom } from "../../base/random.js";
import type { Result } from "../../base/types.js";
import { mapNumbers } from "../metrics/vectors.js";

/** What a bootstrap draws, with replacement: whole contents with all their images, or single images. */
export interface Resampling {
  readonly of: "contents" | "images";
  /** How many there are to draw from. */
  readonly units: number;
  /** Which unit each image belongs to. */
  readonly unitOf: Uint32Array;
  readonly seed: number;
  /** Tells apart databases that are drawn with one seed. */
  readonly key: string;
  readonly resamples: number;
}

/** A 95 % interval, or why there is none. */
type Interval =
  { readonly ok: true; readonly low: number; readonly high: number } | { readonly ok: false; readonly reason: string };

/** For weights that bring no seed of their own. */
export const BOOTSTRAP_SEED = 20200626;
const RESAMPLES = 1000;
/** With fewer units than this, intervals of the bootstrap come out too narrow. */
export const FEW_UNITS = 20;
export const CONFIDENCE = 0.95;
/** The share of resamples that may be without a value (all drawn MOS equal, say) before an interval means nothing. */
const MAX_WITHOUT_VALUE = 0.1;

/** Images of one content are not independent, so contents are drawn where every image's is known. */
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
  return { of: isKnown ? "contents" : "images", units: units.size, unitOf, seed, key, resamples };
}

/** How often resample `index` drew each image: a function of (seed, key, index) alone. */
export function drawnWeights({ units, unitOf, seed, key }: Resampling, index: number): Float64Array {
  const random = seededRandom(seed, "bootstrap", key, index);
  const drawn = new Float64Array(units);
  for (let i = 0; i < units; i++) {
    const unit = random.integer(units);
    drawn[unit] = (drawn[unit] ?? NaN) + 1;
  }
  return mapNumbers(unitOf, (unit) => drawn[unit] ?? NaN);
}

/** What `measure` says of every resample, in their order, given how often it drew each image. */
export function bootstrap<T>(resampling: Resampling, measure: (weights: Float64Array) => T): T[] {
  return Array.from({ length: resampling.resamples }, (_, index) => measure(drawnWeights(resampling, index)));
}

/** The percentile interval: the middle 95 % of a statistic's values over the resamples. */
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

/** Linear between neighbours (R's type 7); ascending values, at least one. */
function quantile(ascending: Float64Array, share: number): number {
  const place = share * (ascending.length - 1);
  const below = Math.floor(place);
  const low = ascending[below] ?? NaN;
  const high = ascending[Math.min(below + 1, ascending.length - 1)] ?? NaN;
  return low + (place - below) * (high - low);
}
