/** The benchmark table that `liqe evaluate` prints. */
import { groupBy } from "../../base/collections.js";
import { formatColumns, plural, TERMINAL_COLUMNS, wrapText } from "../../base/text.js";
import { MAIN_METRICS, type Metric, METRICS } from "../metrics/metrics.js";
import { PROTOCOLS } from "../protocols.js";
import type { DatabaseResults, MetricJson } from "../results/databaseResults.js";
import type { Results } from "../results/results.js";
import { unitsText } from "../statistics/bootstrap.js";
import { missingNotes } from "./missingNotes.js";

const NAME_WIDTH = 12;
const IMAGES_WIDTH = 7;
/** An interval of two numbers of three digits with a point, "14.5–19.1". */
const INTERVAL_WIDTH = 9;
const WIDTHS = [
  NAME_WIDTH,
  -IMAGES_WIDTH,
  ...MAIN_METRICS.map((metric) => Math.max(INTERVAL_WIDTH, METRICS[metric].title.length) + 1),
];
/** Number of failed images that are named; the others are counted. */
const SHOWN_FAILURES = 5;
/** Cell without a value. */
export const NO_VALUE = "-";

/** Plain text for terminals of 80 columns: values, their 95 % intervals below them, then footnotes. */
export function benchmarkTable(results: Results): string {
  const { databases } = results;
  const heading = row("database", "images", MAIN_METRICS.map((metric) => METRICS[metric].title)); // prettier-ignore
  const rows = [...databases.flatMap(databaseRows), ...(databases.length > 1 ? meanRows(results) : [])];
  const [head = "", ...lines] = formatColumns([heading, ...rows], WIDTHS);
  const rule = "-".repeat(TERMINAL_COLUMNS);
  return `${[head, rule, ...lines, "", ...footnotes(results)].join("\n")}\n`;
}

function databaseRows(database: DatabaseResults): string[][] {
  const { images, published, noiseCeiling } = database;
  const title = titleOf(database);
  const ownLine = title.length > NAME_WIDTH;
  return [
    ...(ownLine ? [[title]] : []),
    row(ownLine ? "" : title, String(images), cells(database, valueText)),
    row("  95 %", "", cells(database, intervalText)),
    ...(noiseCeiling.value === null ? [] : [row("  ceiling", "", cells({ srcc: noiseCeiling.value }, fixed))]),
    ...(published !== null ? [row("  published", "", cells(published, fixed))] : []),
  ];
}

function titleOf({ name, split }: DatabaseResults): string {
  return split === null || split === 1 ? name : `${name} (${split})`;
}

function meanRows({ mean, pooled: { srcc } }: Results): string[][] {
  return [
    row("mean", "", cells(mean, valueText)),
    row("  95 %", "", cells(mean, intervalText)),
    row("realigned", "", cells({ srcc }, valueText)),
    row("  95 %", "", cells({ srcc }, intervalText)),
  ];
}

function row(name: string, images: string, values: readonly string[]): string[] {
  return [name, `${images} `, ...values];
}

/** A cell for each column's metric; empty where it is not among the values. */
function cells<T>(values: Readonly<Partial<Record<Metric, T>>>, text: (value: T) => string): string[] {
  return MAIN_METRICS.map((metric) => {
    const value = values[metric];
    return value === undefined ? "" : text(value);
  });
}

/** Way of scoring, in words. */
export function cropsText(crops: number | null): string {
  return crops === null ? "scores from a file" : `${plural(crops, "crop")} an image`;
}

function footnotes({ protocol, crops, databases, mean }: Results): string[] {
  const { description, version } = PROTOCOLS[protocol];
  return [
    ...[
      `protocol ${protocol} (version ${version}): ${description}; ${cropsText(crops)}`,
      ...databases.map(intervalNote),
      ...ceilingNotes(databases),
      ...databases.flatMap(deviationNotes),
      ...missingNotes(databases.map((one) => ({ title: titleOf(one), images: one.images, measures: one })), "databases", MAIN_METRICS), // prettier-ignore
    ].map((note) => wrapText(note)),
    ...databases.flatMap(failureNotes),
    ...(databases.length > 1 && mean.plcc.value === null ? [`mean: PLCC: ${mean.plcc.reason}`] : []),
  ];
}

function intervalNote({ name, resampled, resampling }: DatabaseResults): string {
  const { units, resamples, note } = resampling;
  const why = resampled === "images" ? " (contents not known)" : "";
  return `${name}: 95 % by ${resamples} bootstraps of ${unitsText(units, resampled)}${why}${note === null ? "" : `; ${note}`}`;
}

/** Notes on the ground of the noise ceilings, a line for each number of opinions. */
export function ceilingNotes(databases: readonly DatabaseResults[]): string[] {
  const rests = databases.flatMap((database) => {
    const { noiseCeiling } = database;
    if (noiseCeiling.value === null) return [];
    const { opinions } = noiseCeiling;
    const by = opinions === null ? "their deviations as listed, taken for the scores' own" : `the deviations of single opinions, ${opinions} an image`;
    return [{ title: titleOf(database), by }];
  }); // prettier-ignore
  return [...groupBy(rests, ({ by }) => by)].map(
    ([by, own]) =>
      `ceiling of ${own.map(({ title }) => title).join(", ")}: SRCC of a perfect model with scores of the noise of MOS: ${by}`,
  );
}

/** Notes on the deviations that a model predicts, where people's are known. */
export function deviationNotes(database: DatabaseResults): string[] {
  const { predictedDeviations } = database;
  if (predictedDeviations === undefined) return []; // results of earlier versions
  const kinds = (["levels", "windows"] as const).flatMap((kind) => {
    const { withOpinions, width } = predictedDeviations[kind];
    if (withOpinions.value === null) return [];
    const wide = width.value === null ? "" : `, ${fixed(width.value)} times as wide`;
    return [`over ${kind} SRCC ${fixed(withOpinions.value)}${wide}`];
  });
  if (kinds.length === 0) return [];
  return [`${titleOf(database)}: predicted deviations beside those of people's opinions: ${kinds.join("; ")}`];
}

function failureNotes({ name, images, failed }: DatabaseResults): string[] {
  if (failed.length === 0) return [];
  const more = failed.length - SHOWN_FAILURES;
  return [
    `${name}: ${failed.length} of ${images + failed.length} images have no score and are left out:`,
    ...failed
      .slice(0, SHOWN_FAILURES)
      .map(({ image, error }) => `  ${error.includes(image) ? error : `${image}: ${error}`}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

export function valueText({ value }: MetricJson): string {
  return value === null ? NO_VALUE : fixed(value);
}

function intervalText(metric: MetricJson): string {
  if (metric.value === null || metric.low === null) return NO_VALUE;
  return `${short(metric.low)}–${short(metric.high)}`;
}

export function databaseTitle({ name, split }: Pick<DatabaseResults, "name" | "split">): string {
  return split === null ? name : `${name}, split ${split}`;
}

/** Three decimals below 10, as correlations have them; fewer where the number is larger. */
export function fixed(value: number): string {
  return Math.abs(value) < 10 ? value.toFixed(3) : value.toPrecision(4);
}

/** Two decimals without the leading zero, so that two of them fit a column. */
function short(value: number): string {
  if (Math.abs(value) >= 10) return value.toPrecision(3);
  return value.toFixed(2).replace(/^(-?)0\./, "$1.");
}
