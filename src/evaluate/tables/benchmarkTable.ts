import type { Results } from "../results/results.js";
import { PROTOCOLS } from "../protocols.js";
import type { DatabaseResults } from "../results/databaseResults.js";
import type { MetricJson } from "../results/metricJson.js";
import { publishedFigures } from "../results/publishedFigures.js";

/** Columns of the table with the measures they show. */
const COLUMNS = [
  { title: "SRCC", measure: "srcc" },
  { title: "PLCC", measure: "plcc" },
  { title: "KRCC", measure: "krcc" },
  { title: "RMSE", measure: "rmse" },
  { title: "scene acc.", measure: "sceneAccuracy" },
  { title: "dist. acc.", measure: "distortionAccuracy" },
] as const;

const NAME_WIDTH = 14;
const IMAGES_WIDTH = 7;
const COLUMN_WIDTH = 13;
/** Failed images that are named; the others are counted. */
const SHOWN_FAILURES = 5;
const NOTHING = "-";

/** The benchmark as plain text of at most 100 columns: values, under them their 95 % intervals, then what to know. */
export function benchmarkTable(results: Results): string {
  const heading = row(
    "database",
    "images",
    COLUMNS.map(({ title }) => title),
  );
  const several = results.databases.length > 1;
  const lines = [
    heading,
    "-".repeat(heading.length),
    ...results.databases.flatMap(databaseRows),
    ...(several ? meanRows(results) : []),
    "",
    ...footnotes(results),
  ];
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

function databaseRows(database: DatabaseResults): string[] {
  const measures = COLUMNS.map(({ measure }) => database[measure]);
  const { split } = database;
  const title = split === null || split === 1 ? database.name : `${database.name} (${split})`;
  const published = publishedFigures(database.name);
  const ownLine = title.length > NAME_WIDTH;
  return [
    ...(ownLine ? [title] : []),
    row(ownLine ? "" : title, String(database.images), measures.map(valueText)),
    row("  95 %", "", measures.map(intervalText)),
    ...(published ? [row("  published", "", [fixed(published.srcc), fixed(published.plcc)])] : []),
  ];
}

function meanRows({ mean, pooled }: Results): string[] {
  const measures = [mean.srcc, mean.plcc, mean.krcc];
  return [
    row("mean", "", measures.map(valueText)),
    row("  95 %", "", measures.map(intervalText)),
    row("realigned", "", [valueText(pooled.srcc)]),
    row("  95 %", "", [intervalText(pooled.srcc)]),
  ];
}

function row(name: string, images: string, cells: readonly string[]): string {
  const columns = cells.map((cell) => cell.padEnd(COLUMN_WIDTH)).join("");
  return `${name.padEnd(NAME_WIDTH)}${images.padStart(IMAGES_WIDTH - 1)} ${columns}`;
}

function footnotes({ protocol, crops, databases, mean }: Results): string[] {
  const { description, version } = PROTOCOLS[protocol];
  return [
    `protocol ${protocol} (version ${version}): ${description}; ${crops} crops an image`,
    ...databases.flatMap((database) => [intervalNote(database), ...reasonNotes(database), ...failureNotes(database)]),
    ...(databases.length > 1 && mean.plcc.value === null ? [`mean: PLCC: ${mean.plcc.reason}`] : []),
  ];
}

function intervalNote({ name, resampled, resampling }: DatabaseResults): string {
  const { units, resamples, note } = resampling;
  const why = resampled === "images" ? " (contents not known)" : "";
  return `${name}: 95 % by ${resamples} bootstraps of ${units} ${resampled}${why}${note === null ? "" : `; ${note}`}`;
}

/** Why there are dashes. */
function reasonNotes(database: DatabaseResults): string[] {
  return COLUMNS.flatMap(({ title, measure }) => {
    const json = database[measure];
    if (json.value === null) return [`${database.name}: no ${title}: ${json.reason}`];
    return json.low === null ? [`${database.name}: no interval of ${title}: ${json.intervalReason}`] : [];
  });
}

function failureNotes({ name, images, failed }: DatabaseResults): string[] {
  if (failed.length === 0) return [];
  const more = failed.length - SHOWN_FAILURES;
  return [
    `${name}: ${failed.length} of ${images + failed.length} images have no score and are left out:`,
    ...failed.slice(0, SHOWN_FAILURES).map(({ error }) => `  ${error}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function valueText(measure: MetricJson): string {
  return measure.value === null ? NOTHING : fixed(measure.value);
}

function intervalText(measure: MetricJson): string {
  if (measure.value === null || measure.low === null) return NOTHING;
  return `${short(measure.low)} to ${short(measure.high)}`;
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
