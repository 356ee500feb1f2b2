/** `splits.json`: metrics over the splits of a run, from the `results.json` of each. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { DataError } from "../../base/errors.js";
import { median } from "../metrics/vectors.js";
import { type Correlation, CORRELATIONS, MAIN_METRICS, type MainMetric, recordOf } from "../metrics/metrics.js";
import type { DatabaseResults } from "./databaseResults.js";

const metric = z.object({
  value: z.number().nullable(),
  low: z.number().nullable().optional(),
  high: z.number().nullable().optional(),
});

/** Schema of the part of `results.json` that is read again; see `Results` for the whole. */
const SavedResults = z.object({
  protocol: z.string(),
  protocolVersion: z.int(),
  checkpoint: z.string(),
  crops: z.int().nullable(),
  databases: z
    .array(
      z.object({
        name: z.string(),
        split: z.int().nullable(),
        subset: z.string(),
        images: z.int(),
        published: z.object({ srcc: z.number(), plcc: z.number() }).nullable().default(null), // results of version 1 have none
        ...recordOf(MAIN_METRICS, () => metric),
      }),
    )
    .readonly(),
});
export type SavedResults = Readonly<z.output<typeof SavedResults>>;

export interface SplitDatabase extends Readonly<Record<MainMetric, { readonly value: number | null }>> {
  readonly name: string;
  readonly split: number;
  /** LIQE's figures, where the list is a published one. */
  readonly published: DatabaseResults["published"];
}

/** One metric over the splits, or why there is none. */
type SplitStatistics =
  | {
      readonly mean: number;
      readonly median: number;
      /** Standard deviation of the splits, with n - 1; null for one split alone. */
      readonly standardDeviation: number | null;
      /** Deviation over √n: too small an error of the mean, as splits share images. */
      readonly standardError: number | null;
      /** By split, in their order. */
      readonly values: readonly number[];
      /** Absent where the paper has none, or one of the lists is not a published one. */
      readonly published?: number;
      /**
       * Error of the mean by Nadeau and Bengio, as published splits share images: √(1/n + test/train) times the deviation;
       * there where `published` is, null for one split alone.
       */
      readonly correctedError?: number | null;
      /** True where the published value lies within two corrected errors of the mean; null where there is no error. */
      readonly isConsistent?: boolean | null;
    }
  | { readonly mean: null; readonly reason: string };

/** Contents of `splits.json`, apart from the checkpoint and the way in which it was evaluated. */
export interface SplitSummary {
  readonly splits: readonly number[];
  readonly databases: readonly ({
    readonly name: string;
    readonly splits: readonly number[];
  } & Readonly<Record<MainMetric, SplitStatistics>>)[];
  /** Each split's mean over its databases, over the splits. */
  readonly mean: Readonly<Record<Correlation, SplitStatistics>>;
}

/** Number of corrected errors within which the mean is consistent with a published one. */
const CONSISTENT_WITHIN = 2;
/** Test images for each training image of LIQE's splits: 7 parts to train on, 1 to validate, 2 to test. */
const TEST_TO_TRAIN = 2 / 7;

/** @throws {DataError} where the file cannot be read, or is not what `liqe evaluate` writes */
export async function readResults(file: string): Promise<SavedResults> {
  const again = "evaluate that split again: liqe evaluate --checkpoint";
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new DataError(`${file}: cannot be read as JSON; ${again}`, { cause: error });
  }
  const parsed = SavedResults.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new DataError(`${file}: ${problems.join("; ")}; ${again}`);
}

/** Summarizes results over their splits, in ascending order; databases keep their order. */
export function summarizeSplits(results: readonly SplitDatabase[]): SplitSummary {
  const ordered = [...results].sort((a, b) => a.split - b.split);
  const splits = [...new Set(ordered.map(({ split }) => split))];
  const names = [...new Set(results.map(({ name }) => name))];
  const meanOfSplit = (split: number, metric: Correlation) => {
    return meanOf(valuesOf(ordered.filter((one) => one.split === split), metric)); // prettier-ignore
  };
  return {
    splits,
    databases: names.map((name) => databaseSummary(name, ordered.filter((one) => one.name === name))), // prettier-ignore
    mean: recordOf(CORRELATIONS, (metric) => statistics(splits.map((split) => meanOfSplit(split, metric)))),
  };
}

function databaseSummary(name: string, results: readonly SplitDatabase[]): SplitSummary["databases"][number] {
  const published = publishedOfAll(results);
  return {
    name,
    splits: results.map(({ split }) => split),
    ...recordOf(MAIN_METRICS, (metric) => compared(statistics(valuesOf(results, metric)), published[metric])),
  };
}

/** Published means over the splits, where each of these splits is a published one; else none. */
function publishedOfAll(results: readonly SplitDatabase[]): Partial<Record<MainMetric, number>> {
  const [first] = results;
  return results.every(({ published }) => published !== null) ? (first?.published ?? {}) : {};
}

function valuesOf(results: readonly SplitDatabase[], metric: MainMetric): (number | null)[] {
  return results.map((result) => result[metric].value);
}

/** Statistics of the splits' values; none where one is missing, as the mean would be one of other splits. */
function statistics(values: readonly (number | null)[]): SplitStatistics {
  const known = values.filter((value) => value !== null);
  const mean = meanOf(known);
  if (mean === null) return { mean: null, reason: "no split has a value" };
  if (known.length < values.length) {
    return { mean: null, reason: `${values.length - known.length} of ${values.length} splits have no value` };
  }
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const standardDeviation = known.length === 1 ? null : Math.sqrt(squares / (known.length - 1));
  const standardError = standardDeviation === null ? null : standardDeviation / Math.sqrt(known.length);
  return { mean, median: median(known), standardDeviation, standardError, values: known };
}

function compared(statistics: SplitStatistics, published: number | undefined): SplitStatistics {
  if (statistics.mean === null || published === undefined) return statistics;
  const { mean, standardDeviation, values } = statistics;
  const correctedError =
    standardDeviation === null ? null : standardDeviation * Math.sqrt(1 / values.length + TEST_TO_TRAIN);
  const isConsistent =
    correctedError === null ? null : Math.abs(mean - published) <= CONSISTENT_WITHIN * correctedError;
  return { ...statistics, published, correctedError, isConsistent };
}

/** Mean of the values; null without values, and where one of them is null. */
function meanOf(values: readonly (number | null)[]): number | null {
  const sum = values.reduce<number | null>((so, value) => (so === null || value === null ? null : so + value), 0);
  return sum === null || values.length === 0 ? null : sum / values.length;
}
