/** Paired tests between two runs on the same images: bootstrap in each split, t-test over the splits. */
import { keyOf, measureDatabases, type MeasureOptions } from "../evaluate.js";
import type { MeasuredDatabase, MetricValue } from "../metrics/computeMetrics.js";
import { type Correlation, CORRELATIONS, MAIN_METRICS, type MainMetric, recordOf } from "../metrics/metrics.js";
import { mean } from "../metrics/vectors.js";
import { meanValue } from "../results/databaseResults.js";
import type { Prediction } from "../scoring/predictions.js";
import { CONFIDENCE, percentileInterval, unitsOfMean } from "./bootstrap.js";
import { studentQuantile, twoSidedP } from "./distributions.js";

type Run = { readonly checkpoint: string; readonly measured: readonly MeasuredDatabase[] };

/** One run less another, on the images that both have scores of. */
export interface Comparison {
  readonly checkpoint: string;
  readonly against: string;
  readonly databases: readonly ({
    readonly name: string;
    readonly split: number | null;
    readonly images: number;
    /** Number of images that one of the two has no score of. */
    readonly leftOut: number;
    readonly resampled: "contents" | "images";
  } & Readonly<Record<MainMetric, DifferenceJson>>)[];
  readonly mean: Readonly<Record<Correlation, DifferenceJson>>;
  /** Corrected resampled t-test by database; absent where there are no splits to test over. */
  readonly overSplits?: readonly ({ readonly name: string } & Readonly<Record<MainMetric, SplitTest>>)[];
}

/** A difference of two runs on the same images, with its 95 % interval and p; or why it has none. */
type DifferenceJson =
  | {
      readonly difference: number;
      readonly low: number;
      readonly high: number;
      readonly p: number;
      /** Holm's p over all comparisons of the leaderboard; of means alone. */
      readonly pHolm?: number;
    }
  | {
      readonly difference: number;
      readonly low: null;
      readonly high: null;
      readonly p: null;
      readonly intervalReason: string;
    }
  | { readonly difference: null; readonly reason: string };

/** T-test over splits of the difference of two runs, or why there is none. */
type SplitTest =
  | {
      /** Mean over the splits. */
      readonly difference: number;
      readonly t: number;
      readonly degreesOfFreedom: number;
      readonly p: number;
      /** Number of test images for each training image, which the variance is corrected by. */
      readonly testToTrain: number;
    }
  | { readonly difference: null; readonly reason: string };

/** Number of training images by `keyOf`, or why it is not known. */
export type TrainingSizes = ReadonlyMap<string, number | { readonly reason: string }>;

interface CompareOptions extends MeasureOptions {
  /** Null where there are no splits to test over. */
  readonly trainingSizes?: TrainingSizes | null;
}

/** Compares two runs measured on the same lists with the same seed. @throws {RangeError} where the lists differ */
export function compareRuns(run: Run, against: Run, { trainingSizes = null, ...options }: CompareOptions): Comparison {
  const pairs = paired(run, against, options);
  const meanOf = (side: "run" | "against", metric: Correlation) =>
    meanValue(pairs.map((pair) => pair[side].metrics[metric]));
  return {
    checkpoint: run.checkpoint,
    against: against.checkpoint,
    databases: pairs.map(({ run: own, against: other, leftOut }) => ({
      name: own.database.name,
      split: own.database.split,
      images: own.database.predictions.length,
      leftOut,
      resampled: own.resampling.of,
      ...recordOf(MAIN_METRICS, (metric) =>
        pairedDifference(own.metrics[metric], other.metrics[metric], own.resampling.units),
      ),
    })),
    mean: recordOf(CORRELATIONS, (metric) =>
      pairedDifference(
        meanOf("run", metric),
        meanOf("against", metric),
        unitsOfMean(pairs.map(({ run: own }) => own.resampling)),
      ),
    ),
    ...(trainingSizes === null ? {} : { overSplits: overSplits(pairs, trainingSizes) }),
  };
}

type Pair = { readonly run: MeasuredDatabase; readonly against: MeasuredDatabase; readonly leftOut: number };

function paired(run: Run, against: Run, options: MeasureOptions): Pair[] {
  const others = new Map(against.measured.map((one) => [keyOf(one.database), one]));
  const pairs = run.measured.map((own) => {
    const other = others.get(keyOf(own.database));
    if (other === undefined || others.size !== run.measured.length) {
      throw new RangeError(
        `compareRuns: ${run.checkpoint} and ${against.checkpoint} were measured on different lists; name the same ones for both`,
      );
    }
    return { run: own, against: other, leftOut: 0 };
  });
  const differing = new Set(pairs.filter((pair) => !haveSameImages(pair)).map((pair) => pair.run.database.name));
  const again = pairs.filter((pair) => differing.has(pair.run.database.name));
  const measured = onCommonImages(again, options);
  return pairs.map((pair) => measured[again.indexOf(pair)] ?? pair);
}

function haveSameImages({ run, against }: Pair): boolean {
  const [own, other] = [run.database.predictions, against.database.predictions];
  return own.length === other.length && own.every(({ image }, i) => image === other[i]?.image);
}

/** Measures databases again, all lists of each, on the images that both have scores of: so both have one draw. */
function onCommonImages(pairs: readonly Pair[], options: MeasureOptions): Pair[] {
  const common = pairs.map(({ run, against }) => {
    const ofOther = new Set(against.database.predictions.map(({ image }) => image));
    return new Set(run.database.predictions.flatMap(({ image }) => (ofOther.has(image) ? [image] : [])));
  });
  const measure = (side: "run" | "against") =>
    measureDatabases(
      pairs.map(({ [side]: { database } }, i) => ({
        ...database,
        predictions: sorted(database.predictions.filter(({ image }) => common[i]?.has(image) ?? false)),
      })),
      options,
    );
  const [runs, others] = [measure("run"), measure("against")];
  return pairs.map((pair, i) => {
    const [run, against] = [runs[i], others[i]];
    if (run === undefined || against === undefined) throw new Error("internal: onCommonImages: two runs");
    const all = pair.run.database.predictions.length + pair.against.database.predictions.length;
    return { run, against, leftOut: all - 2 * run.database.predictions.length };
  });
}

/** In one order for both runs, whichever order their lists had. */
function sorted(predictions: readonly Prediction[]): Prediction[] {
  return [...predictions].sort((a, b) => (a.image < b.image ? -1 : 1));
}

/**
 * Paired bootstrap: both runs were measured in the same resamples of the same images, so that the difficulty of the images
 * cancels. Two-sided p by Student's t, with the deviation of the half of the interval that lies towards 0, so that p is
 * below 5 % where the interval leaves 0 out, but for lopsided ones: counted resamples would stop at 2 / (resamples + 1), too coarse for a test
 * among many pairs.
 * @param units  number of contents or images to draw from
 */
export function pairedDifference(run: MetricValue, against: MetricValue, units: number): DifferenceJson {
  const [own, other] = [run.result, against.result];
  if (!own.ok) return { difference: null, reason: own.reason };
  if (!other.ok) return { difference: null, reason: other.reason };
  const difference = own.value - other.value;
  const resampled = run.resampled.map((result, index) => {
    const paired = against.resampled[index];
    if (paired === undefined) throw new Error("internal: pairedDifference: runs of different resamples");
    if (!result.ok || !paired.ok) return result.ok ? paired : result;
    return { ok: true, value: result.value - paired.value } as const;
  });
  const interval = percentileInterval(difference, resampled, units);
  if (!interval.ok) return { difference, low: null, high: null, p: null, intervalReason: interval.reason };
  const { low, high } = interval;
  if (low === high && difference !== 0) {
    return { difference, low: null, high: null, p: null, intervalReason: "the same difference in every resample" };
  }
  return { difference, low, high, p: difference === 0 ? 1 : tailOf(interval, units) };
}

/** Least share of an interval's width that one half of it counts as: of few distinct resamples one half can be empty. */
const LEAST_HALF = 0.25;

/** Two-sided p of 0, given the interval of a difference. */
function tailOf({ low, middle, high }: { low: number; middle: number; high: number }, units: number): number {
  const half = Math.max(middle > 0 ? middle - low : high - middle, LEAST_HALF * (high - low));
  return twoSidedP((studentQuantile(1 - CONFIDENCE, units - 1) * middle) / half, units - 1);
}

function overSplits(pairs: readonly Pair[], sizes: TrainingSizes): Comparison["overSplits"] & {} {
  const names = [...new Set(pairs.map(({ run }) => run.database.name))];
  return names.map((name) => {
    const own = pairs.filter(({ run }) => run.database.name === name);
    const ratio = testToTrain(own, sizes);
    return {
      name,
      ...recordOf(MAIN_METRICS, (metric): SplitTest => {
        if (typeof ratio !== "number") return { difference: null, reason: ratio.reason };
        const differences = own.map((pair) => difference(pair, metric));
        const without = differences.find((one) => typeof one !== "number");
        if (without !== undefined && typeof without !== "number") return { difference: null, reason: without.reason };
        return resampledTTest(differences.filter((one) => typeof one === "number"), ratio); // prettier-ignore
      }),
    };
  });
}

function difference({ run, against }: Pair, metric: MainMetric): number | { readonly reason: string } {
  const own = run.metrics[metric].result;
  const other = against.metrics[metric].result;
  if (!own.ok) return { reason: own.reason };
  return other.ok ? own.value - other.value : { reason: other.reason };
}

/** Number of test images over that of training images, both summed over the splits. */
function testToTrain(pairs: readonly Pair[], sizes: TrainingSizes): number | { readonly reason: string } {
  let [test, train] = [0, 0];
  for (const { run } of pairs) {
    const size = sizes.get(keyOf(run.database)) ?? { reason: "the size of the training lists is not known" };
    if (typeof size !== "number") return size;
    if (size === 0) return { reason: "the training list is empty" };
    test += run.database.predictions.length + run.database.failed.length;
    train += size;
  }
  return test / train;
}

/**
 * Corrected resampled t-test, two-sided (C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine
 * Learning 52, 2003): splits of one database share training images, so that their differences vary less than those of
 * new data would; the variance of their mean is taken to be (1/J + test/train)·s² in place of s²/J.
 * @param differences  of one metric, a value a split
 * @param testToTrain  number of test images over that of training images
 */
export function resampledTTest(differences: readonly number[], testToTrain: number): SplitTest {
  const splits = differences.length;
  if (splits < 2) return { difference: null, reason: "fewer than two splits" };
  const middle = mean(differences);
  const variance = differences.reduce((sum, d) => sum + (d - middle) ** 2, 0) / (splits - 1);
  const degreesOfFreedom = splits - 1;
  if (variance === 0 && middle !== 0) return { difference: null, reason: "the same difference in every split" };
  const t = variance === 0 ? 0 : middle / Math.sqrt((1 / splits + testToTrain) * variance);
  return { difference: middle, t, degreesOfFreedom, p: twoSidedP(t, degreesOfFreedom), testToTrain };
}
