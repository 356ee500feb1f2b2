/** Table over the splits of a run, which training and evaluation print. */
import { formatColumns, plural, TERMINAL_COLUMNS, wrapText } from "../../base/text.js";
import { CORRELATIONS, METRICS, UNITLESS_METRICS } from "../metrics/metrics.js";
import type { SplitSummary } from "../results/splitSummary.js";
import { fixed, NO_VALUE } from "./benchmarkTable.js";

type Database = SplitSummary["databases"][number];
type Statistics = Database["srcc"];

const STATISTICS = [
  { title: "mean", key: "mean" },
  { title: "median", key: "median" },
  { title: "deviation", key: "standardDeviation" },
] as const;

const NAME_WIDTH = 14;
const STATISTIC_WIDTH = 12;
/** "consistent", "scene acc." and a blank. */
const COLUMN_WIDTH = 11;
const WIDTHS = [NAME_WIDTH, STATISTIC_WIDTH, ...UNITLESS_METRICS.map(() => COLUMN_WIDTH)];
const CONSISTENT_NOTE =
  "consistent with the published mean: it lies within two errors of the mean over the splits, corrected for the images " +
  "that splits share (Nadeau and Bengio, 2003); splits cannot tell the two apart, which does not show them to be equal";

/** Plain text for terminals of 80 columns: means, medians and deviations over the splits beside the published values. */
export function splitTable({ splits, databases, mean }: SplitSummary): string {
  const heading = ["database", "", ...UNITLESS_METRICS.map((metric) => METRICS[metric].title)];
  const means = CORRELATIONS.map((metric) => mean[metric]); // the first columns
  const rows = [...databases.flatMap(databaseRows), ...(databases.length > 1 ? statisticRows("mean", means) : [])];
  const [head = "", ...lines] = formatColumns([heading, ...rows], WIDTHS);
  const rule = "-".repeat(TERMINAL_COLUMNS);
  return `${[`over ${plural(splits.length, "split")}: ${splits.join(", ")}`, head, rule, ...lines, ...footnotes(databases)].join("\n")}\n`;
}

function databaseRows(database: Database): string[][] {
  const { name } = database;
  const statistics = statisticsOf(database);
  const ownLine = name.length >= NAME_WIDTH;
  return [
    ...(ownLine ? [[name]] : []),
    ...statisticRows(ownLine ? "" : name, statistics),
    ...(isPublished(database)
      ? [
          ["", "published", ...statistics.map(publishedText)],
          ["", "", ...statistics.map(markText)],
        ]
      : []),
  ];
}

function statisticsOf(database: Database): Statistics[] {
  return UNITLESS_METRICS.map((metric) => database[metric]);
}

function statisticRows(name: string, statistics: readonly Statistics[]): string[][] {
  return STATISTICS.map(({ title, key }, i) => {
    const values = statistics.map((one) => (one.mean === null ? null : one[key]));
    return [i === 0 ? name : "", title, ...values.map((value) => (value === null ? NO_VALUE : fixed(value)))];
  });
}

function isPublished(database: Database): boolean {
  return statisticsOf(database).some((one) => one.mean !== null && one.published !== undefined);
}

function publishedText(statistics: Statistics): string {
  return statistics.mean === null || statistics.published === undefined ? "" : fixed(statistics.published);
}

/** Mark of a mean as consistent with the published one or not; empty where there is none, or no error to tell by. */
function markText(statistics: Statistics): string {
  if (statistics.mean === null || typeof statistics.isConsistent !== "boolean") return "";
  return statistics.isConsistent ? "consistent" : "differs";
}

function footnotes(databases: readonly Database[]): string[] {
  const reasons = databases.flatMap((database) =>
    UNITLESS_METRICS.flatMap((metric) => {
      const one = database[metric];
      return one.mean === null ? [`${database.name}: no ${METRICS[metric].title}: ${one.reason}`] : [];
    }),
  );
  return databases.some(isPublished) ? [wrapText(CONSISTENT_NOTE), ...reasons] : reasons;
}
