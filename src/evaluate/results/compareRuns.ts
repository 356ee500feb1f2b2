import type { MeasureOptions } from "../evaluate.js";
import { keyOf, measureDatabases } from "../evaluate.js";
import type { MeasuredDatabase, Metric } from "../metrics/metrics.js";
import type { Prediction } from "../scoring/predictions.js";
import type { DifferenceJson, SplitTest } from "../statistics/pairedDifference.js";
import { pairedDifference, resampledTTest } from "../statistics/pairedDifference.js";
import { meanMeasured } from "./metricJson.js";

/** What two runs are compared by. */
const COMPARED = ["srcc", "plcc", "krcc", "rmse", "sceneAccuracy", "distortionAccuracy"] as const satisfies readonly Metric[]; // prettier-ignore
type Compared = (typeof COMPARED)[number];

const OVER_DATABASES = ["srcc", "plcc", "krcc"] as const satisfies readonly Compared[];
type OverDatabases = (typeof OVER_DATABASES)[number];

interface Run {
  readonly checkpoint: string;
  readonly measured: readonly MeasuredDatabase[];
}

/** One run less another, on the images that both have scores of. */
export interface Comparison {
  readonly checkpoint: string;
  readonly against: string;
  readonly databases: readonly ({
    readonly name: string;
    readonly split: number | null;
    readonly images: number;
    /** Images that one of the two has no score of. */
    readonly leftOut: number;
    readonly resampled: "contents" | "images";
  } & Readonly<Record<Compared, DifferenceJson>>)[];
  readonly mean: Readonly<Record<OverDatabases, DifferenceJson>>;
  /** The corrected resampled t-test by database; absent where there are no splits to test over. */
  readonly overSplits?: readonly ({ readonly name: string } & Readonly<Record<Compared, SplitTest>>)[];
}

/** Training images by `keyOf`, or why they are not known. */
export type TrainingSizes = ReadonlyMap<string, number | { readonly reason: string }>;

/**
 * Paired tests between two runs that were measured on the same lists with the same seed.
 *
 * @param trainingSizes null: there are no splits to test over
 * @throws {RangeError} where the lists differ
 */
export function compareRuns(
  run: Run,
  against: Run,
  options: MeasureOptions,
  trainingSizes: TrainingSizes | null,
): Comparison {
  const pairs = paired(run, against, options);
  const mean = OVER_DATABASES.map((measure) => {
    const of = (side: "run" | "against") => meanMeasured(pairs.map((pair) => pair[side].of.measures[measure]));
    return [measure, pairedDifference(of("run"), of("against"), Infinity)];
  });
  return {
    checkpoint: run.checkpoint,
    against: against.checkpoint,
    databases: pairs.map((pair) => ({
      name: pair.run.database.name,
      split: pair.run.database.split,
      images: pair.run.database.predictions.length,
      leftOut: pair.leftOut,
      resampled: pair.run.of.resampling.of,
      ...byCompared((measure) =>
        pairedDifference(
          pair.run.of.measures[measure],
          pair.against.of.measures[measure],
          pair.run.of.resampling.units,
        ),
      ),
    })),
    mean: Object.fromEntries(mean) as Record<OverDatabases, DifferenceJson>, // OVER_DATABASES are its keys
    ...(trainingSizes === null ? {} : { overSplits: overSplits(pairs, trainingSizes) }),
  };
}

interface Pair {
  readonly run: MeasuredDatabase;
  readonly against: MeasuredDatabase;
  readonly leftOut: number;
}

function paired(run: Run, against: Run, options: MeasureOptions): Pair[] {
  const others = new Map(against.measured.map((one) => [keyOf(one.database), one]));
  return run.measured.map((own) => {
    const other = others.get(keyOf(own.database));
    if (other === undefined || others.size !== run.measured.length) {
      throw new RangeError(
        `compareRuns: ${run.checkpoint} and ${against.checkpoint} were measured on different lists; name the same ones for both`,
      );
    }
    return onCommonImages(own, other, options);
  });
}

/** Measured again where one of the two has no score of an image. */
function onCommonImages(run: MeasuredDatabase, against: MeasuredDatabase, options: MeasureOptions): Pair {
  const [own, other] = [run, against].map(({ database }) => database.predictions.map(({ image }) => image));
  if (own === undefined || other === undefined) throw new Error("internal: onCommonImages: two runs have two lists");
  if (own.length === other.length && own.every((image, i) => image === other[i])) return { run, against, leftOut: 0 };
  const ofOther = new Set(other);
  const common = new Set(own.filter((image) => ofOther.has(image)));
  const isCommon = ({ image }: Prediction): boolean => common.has(image);
  const [runAgain, againstAgain] = measureDatabases(
    [run, against].map(({ database }) => ({ ...database, predictions: database.predictions.filter(isCommon) })),
    options,
  );
  if (runAgain === undefined || againstAgain === undefined) throw new Error("internal: onCommonImages: two runs");
  return { run: runAgain, against: againstAgain, leftOut: own.length + other.length - 2 * common.size };
}

function overSplits(pairs: readonly Pair[], sizes: TrainingSizes): Comparison["overSplits"] & {} {
  const names = [...new Set(pairs.map(({ run }) => run.database.name))];
  return names.map((name) => {
    const own = pairs.filter(({ run }) => run.database.name === name);
    const ratio = testToTrain(own, sizes);
    return {
      name,
      ...byCompared((measure): SplitTest => {
        if (typeof ratio !== "number") return { difference: null, reason: ratio.reason };
        const differences = own.map((pair) => difference(pair, measure));
        const without = differences.find((one) => typeof one !== "number");
        if (without !== undefined && typeof without !== "number") return { difference: null, reason: without.reason };
        return resampledTTest(differences.filter((one) => typeof one === "number"), ratio); // prettier-ignore
      }),
    };
  });
}

function difference({ run, against }: Pair, measure: Compared): number | { readonly reason: string } {
  const own = run.of.measures[measure].result;
  const other = against.of.measures[measure].result;
  if (!own.ok) return { reason: own.reason };
  return other.ok ? own.value - other.value : { reason: other.reason };
}

/** Over the splits: all test images over all training images. */
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

function byCompared<T>(make: (measure: Compared) => T): Record<Compared, T> {
  return Object.fromEntries(COMPARED.map((measure) => [measure, make(measure)])) as Record<Compared, T>; // COMPARED are its keys
}
