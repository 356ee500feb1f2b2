import type { DatabaseSummary, SplitStatistics, SplitSummary, SummaryMeasure } from "../results/splitSummary.js";
import { fixed } from "./benchmarkTable.js";

/** Columns of the table with the measures they show; `splits.json` has RMSE too. */
const COLUMNS: readonly { readonly title: string; readonly measure: SummaryMeasure }[] = [
  { title: "SRCC", measure: "srcc" },
  { title: "PLCC", measure: "plcc" },
  { title: "KRCC", measure: "krcc" },
  { title: "scene acc.", measure: "sceneAccuracy" },
  { title: "dist. acc.", measure: "distortionAccuracy" },
];

const STATISTICS = [
  { title: "mean", key: "mean" },
  { title: "median", key: "median" },
  { title: "deviation", key: "standardDeviation" },
] as const;

const NAME_WIDTH = 14;
const STATISTIC_WIDTH = 12;
const COLUMN_WIDTH = 13;
const NOTHING = "-";
const REPRODUCED_NOTE = "reproduced: the published value lies within two standard errors of the mean over the splits";

/** Means, medians and deviations over the splits, beside what is published: plain text of at most 100 columns. */
export function splitTable(summary: SplitSummary): string {
  const { splits, databases, mean } = summary;
  const heading = row(
    "database",
    "",
    COLUMNS.map(({ title }) => title),
  );
  const lines = [
    `over ${splits.length} splits: ${splits.join(", ")}`,
    heading,
    "-".repeat(heading.length),
    ...databases.flatMap((database) => databaseRows(database)),
    ...(databases.length > 1 ? statisticRows("mean", [mean.srcc, mean.plcc, mean.krcc]) : []),
    ...footnotes(databases),
  ];
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

function databaseRows(database: DatabaseSummary): string[] {
  const measures = COLUMNS.map(({ measure }) => database[measure]);
  const ownLine = database.name.length >= NAME_WIDTH;
  return [
    ...(ownLine ? [database.name] : []),
    ...statisticRows(ownLine ? "" : database.name, measures),
    ...(isPublished(database)
      ? [row("", "published", measures.map(publishedText)), row("", "", measures.map(markText))]
      : []),
  ];
}

function statisticRows(name: string, measures: readonly SplitStatistics[]): string[] {
  return STATISTICS.map(({ title, key }, i) => {
    const cells = measures.map((one) => (one.mean === null ? null : one[key]));
    return row(
      i === 0 ? name : "",
      title,
      cells.map((value) => (value === null ? NOTHING : fixed(value))),
    );
  });
}

function isPublished(database: DatabaseSummary): boolean {
  return COLUMNS.map(({ measure }) => database[measure]).some(
    (one) => one.mean !== null && one.published !== undefined,
  );
}

function publishedText(measure: SplitStatistics): string {
  return measure.mean === null || measure.published === undefined ? "" : fixed(measure.published);
}

/** Whether the published value was met; empty where there is none or no error to say it by. */
function markText(measure: SplitStatistics): string {
  if (measure.mean === null || typeof measure.reproduced !== "boolean") return "";
  return measure.reproduced ? "reproduced" : "differs";
}

function row(name: string, statistic: string, cells: readonly string[]): string {
  const columns = cells.map((cell) => cell.padEnd(COLUMN_WIDTH)).join("");
  return `${name.padEnd(NAME_WIDTH)}${statistic.padEnd(STATISTIC_WIDTH)}${columns}`;
}

function footnotes(databases: readonly DatabaseSummary[]): string[] {
  const reasons = databases.flatMap((database) =>
    COLUMNS.flatMap(({ title, measure }) => {
      const one = database[measure];
      return one.mean === null ? [`${database.name}: no ${title}: ${one.reason}`] : [];
    }),
  );
  return databases.some(isPublished) ? [REPRODUCED_NOTE, ...reasons] : reasons;
}
