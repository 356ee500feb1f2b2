/** Notes below a table: which of its values and intervals are missing, and what its intervals leave out. */
import { groupBy } from "../../base/collections.js";
import { type Metric, METRICS } from "../metrics/metrics.js";
import type { MetricJson } from "../results/databaseResults.js";

interface TableRow {
  readonly title: string;
  readonly images: number;
  readonly measures: Readonly<Partial<Record<Metric, MetricJson>>>;
}

/** Number of rows that are named; more are counted. */
const NAMED_ROWS = 3;

/**
 * A line for each metric and reason, however many rows it holds for.
 * @param what  the rows, as in "databases"
 */
export function missingNotes(rows: readonly TableRow[], what: string, metrics: readonly Metric[]): string[] {
  return metrics.flatMap((metric) => {
    const title = METRICS[metric].title;
    const gaps = rows.flatMap((row) => {
      const json = row.measures[metric];
      if (json === undefined) return [];
      if (json.value === null) return [{ row, missing: title, reason: json.reason }];
      return json.low === null ? [{ row, missing: `interval of ${title}`, reason: json.intervalReason }] : [];
    });
    const alike = groupBy(gaps, ({ missing, reason }) => `${missing}: ${reason.replaceAll(/\d+/g, "#")}`);
    const lines = [...alike.values()].flatMap((own) => {
      const [first] = own;
      if (first === undefined) return [];
      const { missing, reason, row } = first;
      if (own.length === 1) return [`${row.title}: no ${missing}: ${reason}`];
      return [`no ${missing} for ${namesOf(own.map((gap) => gap.row), what)}: ${reason}`]; // prettier-ignore
    });
    return [...lines, ...lostNotes(rows, what, metric)];
  });
}

/** Line about intervals from which resamples are left out, as they have no value. */
function lostNotes(rows: readonly TableRow[], what: string, metric: Metric): string[] {
  const lost = rows.flatMap((row) => {
    const json = row.measures[metric];
    return json !== undefined && json.value !== null && json.low !== null && json.lost !== undefined
      ? [{ row, lost: json.lost }]
      : [];
  });
  if (lost.length === 0) return [];
  const most = lost.reduce((largest, one) => Math.max(largest, one.lost), 0);
  const which = namesOf(lost.map(({ row }) => row), what); // prettier-ignore
  return [`intervals of ${METRICS[metric].title} for ${which} leave out resamples without a value: ${most} at most`];
}

function namesOf(rows: readonly TableRow[], what: string): string {
  if (rows.length <= NAMED_ROWS) return rows.map(({ title }) => title).join(", ");
  const images = rows.map((row) => row.images);
  const [fewest, most] = [Math.min, Math.max].map((pick) => images.reduce((a, b) => pick(a, b)));
  return `${rows.length} ${what} of ${fewest} to ${most} images`;
}
