import { concatenated } from "../../base/collections.js";
import { seededRandom } from "../../base/random.js";
import { plural } from "../../base/text.js";
import type { Result } from "../../base/types.js";
import { normalBelow, normalQuantile, studentQuantile } from "./distributions.js";

/**
 * Plan of a bootstrap, which draws with replacement: whole contents with all their images, or single images. All lists of
 * one database (its splits, by every model) have one draw in common, as they share images: a list's resample is its part
 * of the database's.
 */
export interface Resampling {
  readonly of: "contents" | "images";
  /** Number of contents or images of this list. */
  readonly units: number;
  /** Number of contents or images of all the database's lists, which are drawn together. */
  readonly drawnFrom: number;
  /** Warning about intervals of few units. */
  readonly note: string | null;
  /** Unit that each image belongs to, among those of all the database's lists. */
  readonly unitOf: Uint32Array;
  readonly seed: number;
  /** Tells apart databases that are drawn with one seed. */
  readonly key: string;
  readonly resamples: number;
}

/** One of a database's lists: its images, and the content of each, null where it is not known. */
interface DrawnList {
  /** Name of the database. */
  readonly name: string;
  readonly predictions: readonly { readonly image: string; readonly content: string | null }[];
}

interface Draw {
  readonly seed: number;
  readonly resamples?: number;
}

/** A 95 % interval and its middle, the value less its bias; or why there is none. `lost` resamples have no value. */
type Interval =
  | { readonly ok: true; readonly low: number; readonly middle: number; readonly high: number; readonly lost: number }
  | { readonly ok: false; readonly reason: string; readonly lost: number };

/** Seed for weights without a config. */
export const BOOTSTRAP_SEED = 20200626;
const RESAMPLES = 1000;
/** With fewer units than this, what a simulation says of the intervals depends on how the units differ: no basis for claims. */
const FEW_UNITS = 20;
/** With this many, they cover what they say. */
const ENOUGH_UNITS = 60;
/** Share of simulated intervals that cover the true value (the least of SRCC, PLCC and KRCC), by the number of units. */
const SIMULATED_COVERAGE: readonly (readonly [units: number, covered: number])[] = [
  [6, 0.94],
  [20, 0.92],
];
export const CONFIDENCE = 0.95;
/** Share of resamples that may be without a value (all drawn MOS equal, say) before an interval means nothing. */
const MAX_WITHOUT_VALUE = 0.1;

/**
 * Plans the resamples of lists, in their order: contents where every image's of the database is known, as images of one
 * content are not independent; else images. The plan does not depend on the order of the images.
 */
export function planResampling(lists: readonly DrawnList[], { seed, resamples = RESAMPLES }: Draw): Resampling[] {
  const databases = new Set(lists.map(({ name }) => name));
  const units = new Map([...databases].map((name) => [name, unitsOf(lists.filter((list) => list.name === name))]));
  return lists.map(({ name, predictions }) => {
    const { of, indices, nameOf } = units.get(name) ?? unitsOf([]);
    const unitOf = Uint32Array.from(predictions, (prediction) => indices.get(nameOf(prediction)) ?? NaN);
    const own = new Set(unitOf).size;
    return { of, units: own, drawnFrom: indices.size, note: noteOf(own, of), unitOf, seed, key: name, resamples };
  });
}

/** Units of one database, and the place of each in the draw. */
function unitsOf(lists: readonly DrawnList[]) {
  const isKnown = lists.every(({ predictions }) => predictions.every(({ content }) => content !== null));
  const nameOf = ({ image, content }: DrawnList["predictions"][number]): string =>
    isKnown && content !== null ? content : image;
  const names = new Set(lists.flatMap(({ predictions }) => predictions.map(nameOf)));
  const indices = new Map([...names].sort().map((name, index) => [name, index]));
  return { of: isKnown && names.size > 0 ? ("contents" as const) : ("images" as const), indices, nameOf };
}

/** Number of units with their name: `1 content`, `12 images`. */
export function unitsText(units: number, of: Resampling["of"]): string {
  return plural(units, of === "contents" ? "content" : "image");
}

/** Warning of intervals that cover less than they say. */
function noteOf(units: number, of: Resampling["of"]): string | null {
  if (units >= ENOUGH_UNITS) return null;
  const [, covered] = SIMULATED_COVERAGE.findLast(([least]) => least <= units) ?? [];
  const few = `only ${unitsText(units, of)}${units < FEW_UNITS ? ", too few to rely on intervals" : ""}`;
  if (covered === undefined) return few;
  return `${few}: in simulations they cover the true value in ${Math.round(100 * covered)} %, and say 95 %`;
}

/**
 * Measures every resample, in order.
 * @param databases  drawn each by its own plan; their images follow one another in the weights
 * @param measure    takes the number of times that the resample drew each image
 * @param onDone     called after each resample
 */
export function bootstrap<T>(
  databases: readonly Resampling[],
  measure: (weights: Float64Array) => T,
  onDone?: () => void,
): T[] {
  const resamples = databases.reduce((least, one) => Math.min(least, one.resamples), Infinity);
  const [only, ...others] = databases;
  const weightsOf = (index: number): Float64Array =>
    only !== undefined && others.length === 0
      ? drawnWeights(only, index)
      : concatenated(Float64Array, databases.map((one) => drawnWeights(one, index))); // prettier-ignore
  return Array.from({ length: resamples }, (_, index) => {
    const measured = measure(weightsOf(index));
    onDone?.();
    return measured;
  });
}

/** Number of times that resample `index` drew each image: a function of (seed, key, index) and the database's units. */
export function drawnWeights({ drawnFrom, unitOf, seed, key }: Resampling, index: number): Float64Array {
  const random = seededRandom(seed, "bootstrap", key, index);
  const drawn = new Float64Array(drawnFrom);
  for (let i = 0; i < drawnFrom; i++) {
    const unit = random.integer(drawnFrom);
    drawn[unit] = (drawn[unit] ?? NaN) + 1;
  }
  const weights = new Float64Array(unitOf.length);
  for (let i = 0; i < weights.length; i++) weights[i] = drawn[unitOf[i] ?? NaN] ?? NaN;
  return weights;
}

/**
 * Bias-corrected percentile interval (B. Efron, "Nonparametric standard errors and confidence intervals", 1981): resamples
 * stand to the value as the value stands to the truth, so that a statistic which comes out low on few images, as SRCC
 * does, is corrected for it. Its tails are those of Student's t, widened by √(n / (n - 1)), as n units of which some are
 * drawn twice vary too little (T. C. Hesterberg, "What teachers should know about the bootstrap", 2015: the expanded
 * percentile interval); for 1,000 units that changes nothing.
 * @param value  of all images
 * @param units  number of contents or images that were drawn from
 */
export function percentileInterval(value: number, resampled: readonly Result[], units: number): Interval {
  const values = Float64Array.from(resampled.flatMap((result) => (result.ok ? [result.value] : []))).sort();
  const lost = resampled.length - values.length;
  if (units < 2) return { ok: false, reason: "nothing to resample: one unit", lost };
  if (values.length === 0 || lost > MAX_WITHOUT_VALUE * resampled.length) {
    const reason = resampled.find((result) => !result.ok)?.reason ?? "no resamples";
    return { ok: false, reason: `more than ${100 * MAX_WITHOUT_VALUE} % of the resamples have no value (${reason})`, lost }; // prettier-ignore
  }
  const bias = normalQuantile(shareBelow(value, values));
  const distance = studentQuantile(1 - CONFIDENCE, units - 1) * Math.sqrt(units / (units - 1));
  const at = (z: number) => quantile(values, normalBelow(2 * bias + z));
  return { ok: true, low: at(-distance), middle: at(0), high: at(distance), lost };
}

/** Share of resamples below the value, equal ones by half; half a resample from 0 and 1, whose quantiles are infinite. */
function shareBelow(value: number, resampled: Float64Array): number {
  let below = 0;
  for (const other of resampled) below += other < value ? 1 : other === value ? 0.5 : 0;
  return Math.min(resampled.length - 0.5, Math.max(0.5, below)) / resampled.length;
}

/**
 * Number of units for the interval of a mean over lists: of those that one draw has for all lists of a database, the
 * fewest; that of a list that has fewer than two, as the mean then has no interval either.
 */
export function unitsOfMean(plans: readonly Resampling[]): number {
  return plans.reduce((fewest, { units, drawnFrom }) => Math.min(fewest, units < 2 ? units : drawnFrom), Infinity);
}

/**
 * Quantile of one or more ascending values, linear between neighbors: value k of n stands for the share k / (n + 1), as
 * A. C. Davison and D. V. Hinkley, "Bootstrap methods and their application" (1997), take the ends of intervals.
 */
function quantile(ascending: Float64Array, share: number): number {
  const place = Math.min(ascending.length - 1, Math.max(0, share * (ascending.length + 1) - 1));
  const below = Math.floor(place);
  const low = ascending[below] ?? NaN;
  const high = ascending[Math.min(below + 1, ascending.length - 1)] ?? NaN;
  return low + (place - below) * (high - low);
}
