import type { MetricJson } from "./metricJson.js";
import { publishedFigures } from "./publishedFigures.js";

/** What is summed up over splits. */
export const SUMMARY_MEASURES = ["srcc", "plcc", "krcc", "rmse", "sceneAccuracy", "distortionAccuracy"] as const;
export type SummaryMeasure = (typeof SUMMARY_MEASURES)[number];

/** Standard errors within which a published value counts as met again. */
const REPRODUCED_WITHIN = 2;

/** The part of `results.json` that a summary is made from: one database in one split. */
export interface SplitDatabase extends Readonly<Record<SummaryMeasure, Pick<MetricJson, "value">>> {
  readonly name: string;
  readonly split: number;
}

/** One measure over the splits, or why there is none. */
export type SplitStatistics =
  | {
      readonly mean: number;
      readonly median: number;
      /** Of the splits, with n - 1; null for one split alone. */
      readonly standardDeviation: number | null;
      /** Of the mean: the deviation over √n. */
      readonly standardError: number | null;
      /** By split, in their order. */
      readonly values: readonly number[];
      /** Absent where the paper has none. */
      readonly published?: number;
      /** Whether the published value lies within two standard errors of the mean; null where there is no error. */
      readonly reproduced?: boolean | null;
    }
  | { readonly mean: null; readonly reason: string };

export interface DatabaseSummary extends Readonly<Record<SummaryMeasure, SplitStatistics>> {
  readonly name: string;
  readonly splits: readonly number[];
}

/** What `splits.json` holds, apart from what was evaluated and how. */
export interface SplitSummary {
  readonly splits: readonly number[];
  readonly databases: readonly DatabaseSummary[];
  /** Each split's mean over its databases, over the splits. */
  readonly mean: Readonly<Record<"srcc" | "plcc" | "krcc", SplitStatistics>>;
}

/** Sums results up over their splits, which are put in ascending order; databases keep theirs. */
export function summarizeSplits(results: readonly SplitDatabase[]): SplitSummary {
  const ordered = [...results].sort((a, b) => a.split - b.split);
  const splits = [...new Set(ordered.map(({ split }) => split))];
  const names = [...new Set(results.map(({ name }) => name))];
  const over = (measure: "srcc" | "plcc" | "krcc") =>
    statistics(
      splits.map((split) =>
        meanOf(
          valuesOf(
            ordered.filter((one) => one.split === split),
            measure,
          ),
        ),
      ),
    );
  return {
    splits,
    databases: names.map((name) =>
      databaseSummary(
        name,
        ordered.filter((one) => one.name === name),
      ),
    ),
    mean: { srcc: over("srcc"), plcc: over("plcc"), krcc: over("krcc") },
  };
}

function databaseSummary(name: string, results: readonly SplitDatabase[]): DatabaseSummary {
  const published: Partial<Record<SummaryMeasure, number>> = publishedFigures(name) ?? {};
  const measures = SUMMARY_MEASURES.map((measure) => [
    measure,
    compared(statistics(valuesOf(results, measure)), published[measure]),
  ]);
  return {
    name,
    splits: results.map(({ split }) => split),
    ...(Object.fromEntries(measures) as Record<SummaryMeasure, SplitStatistics>), // SUMMARY_MEASURES are its keys
  };
}

function valuesOf(results: readonly SplitDatabase[], measure: SummaryMeasure): (number | null)[] {
  return results.map((result) => result[measure].value);
}

/** A split without a value would make the mean one of other splits: then there is none. */
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
  return { mean, median: medianOf(known), standardDeviation, standardError, values: known };
}

function compared(measured: SplitStatistics, published: number | undefined): SplitStatistics {
  if (measured.mean === null || published === undefined) return measured;
  const { mean, standardError } = measured;
  const reproduced = standardError === null ? null : Math.abs(mean - published) <= REPRODUCED_WITHIN * standardError;
  return { ...measured, published, reproduced };
}

/** Null for none, and where one of them is null. */
function meanOf(values: readonly (number | null)[]): number | null {
  const sum = values.reduce<number | null>((so, value) => (so === null || value === null ? null : so + value), 0);
  return sum === null || values.length === 0 ? null : sum / values.length;
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2; // between two of them where they are even in number
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2;
}
