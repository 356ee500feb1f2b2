/** Tables of the report: metrics of databases and of groups, confusion matrices. */
import type { ConfusionMatrix } from "../metrics/accuracy.js";
import { type Metric, METRIC_NAMES, METRICS } from "../metrics/metrics.js";
import type { DatabaseResults, MetricJson } from "../results/databaseResults.js";
import type { Results } from "../results/results.js";
import { ceilingNotes, databaseTitle, deviationNotes, fixed } from "../tables/benchmarkTable.js";
import { missingNotes } from "../tables/missingNotes.js";
import { html, type Html, scrollingTable } from "./html.js";
import { SHADES } from "./page.js";

/** The benchmark: a row a database, the published figures below it, then the rows of all databases together. */
export function metricsTable(results: Results): Html {
  const shown = METRIC_NAMES.filter((measure) =>
    results.databases.some((database) => database[measure].value !== null),
  );
  const head = ["database", "images", ...shown.map((measure) => METRICS[measure].title)];
  const row = (title: string, images: string, measures: Readonly<Partial<Record<Metric, MetricJson>>>): Html =>
    tableRow({ title, images, cells: measureCells(shown, measures) });
  const { databases, mean, pooled } = results;
  const rows = databases.flatMap((database) => [
    row(databaseTitle(database), String(database.images), database),
    ceilingRow(database, shown),
    publishedRow(database, shown),
  ]);
  if (databases.length > 1) {
    const together = (title: string, measures: Parameters<typeof measureCells>[1]) =>
      tableRow({ title, images: "", cells: measureCells(shown, measures), kind: "together" });
    rows.push(together("mean", mean), together("realigned and pooled", { srcc: pooled.srcc }));
  }
  const titled = databases.map((one) => ({ title: databaseTitle(one), images: one.images, measures: one }));
  const notes = [
    ...ceilingNotes(databases),
    ...databases.flatMap(deviationNotes),
    ...missingNotes(titled, "databases", METRIC_NAMES),
  ];
  const caption = html`Values, below them their ${Math.round(100 * results.confidence)} % intervals`;
  return html`${measuresTable(caption, head, rows)}${notesHtml(notes)}`;
}

function ceilingRow({ noiseCeiling: { value } }: DatabaseResults, shown: readonly Metric[]): Html {
  return value === null ? html`` : figuresRow("noise ceiling", { srcc: value }, shown);
}

function publishedRow({ published }: DatabaseResults, shown: readonly Metric[]): Html {
  return published === null ? html`` : figuresRow("published, joint training", published, shown);
}

/** Row of figures that are not the model's. */
function figuresRow(title: string, figures: Partial<Record<Metric, number>>, shown: readonly Metric[]): Html {
  const cells = shown.map((measure) => {
    const value = figures[measure];
    return labeledCell(METRICS[measure].title, value === undefined ? html`` : figure(value));
  });
  return tableRow({ title, images: "", cells, kind: "published" });
}

interface TableRow {
  readonly title: string;
  readonly images: string;
  readonly cells: readonly Html[];
  readonly kind?: string;
}

/** Row of a table of measures. Its roles are said, as a narrow screen shows it as no table's row. */
function tableRow({ title, images, cells, kind = "" }: TableRow): Html {
  return html`<tr role="row" class="${kind}">
    <th role="rowheader" scope="row">${title}</th>
    ${labeledCell("images", html`${images}`)} ${cells}
  </tr>`;
}

/** Cell with its column's title, for screens too narrow for columns. */
function labeledCell(title: string, content: Html): Html {
  return html`<td role="cell" data-label="${title}">${content}</td>`;
}

/** Metrics of each distortion, or scene, and the confusion matrix. */
export function labelTables(what: string, groups: DatabaseResults["byScene"], confusion: ConfusionMatrix): Html {
  return html`${groupsTable(what, groups)} ${confusionTable(what, confusion)}`;
}

function groupsTable(what: string, groups: DatabaseResults["byScene"]): Html {
  if (groups.length === 0) return html`<p>No table by ${what}: the list has no ${what} labels.</p>`;
  const shown = METRIC_NAMES.filter((measure) => groups.some((group) => group[measure].value !== null));
  const head = [what, "images", ...shown.map((measure) => METRICS[measure].title)];
  const rows = groups.map((group) =>
    tableRow({ title: group.label, images: String(group.images), cells: measureCells(shown, group) }),
  );
  const titled = groups.map((group) => ({ title: group.label, images: group.images, measures: group }));
  const notes = missingNotes(titled, "groups", shown);
  return html`${measuresTable(`By ${what}`, head, rows)}${notesHtml(notes)}`;
}

/** Labels in rows, predictions in columns; a cell's shade is its share of its row. Rows without images are left out. */
function confusionTable(what: string, { labels, counts }: ConfusionMatrix): Html {
  const rows = counts.flatMap((row, i) =>
    row.some((count) => count > 0) ? [confusionRow(labels[i] ?? "", row, i)] : [],
  );
  if (rows.length === 0)
    return html`<p>No confusion matrix of ${what}s: no image has both a label and a prediction.</p>`;
  const head = [html`label`, ...labels.map((label) => html`<span class="turned">${label}</span>`), "images"];
  return html`<div class="confusion">
    ${scrollingTable(`Confusion of ${what}s: labels in rows, predictions in columns`, head, rows)}
  </div>`;
}

function confusionRow(label: string, row: readonly number[], diagonal: number): Html {
  const total = row.reduce((sum, count) => sum + count, 0);
  const cells = row.map((count, column) => {
    const shade = `h${Math.ceil((count / total) * SHADES)}`;
    return html`<td class="${column === diagonal ? `${shade} right` : shade}">
      <data value="${count}">${countText(count)}</data>
    </td>`;
  });
  return html`<tr>
    <th scope="row">${label}</th>
    ${cells}
    <td>${countText(total)}</td>
  </tr>`;
}

/** A whole number, or one digit behind the point where images with several labels count in parts. */
function countText(count: number): string {
  if (count === 0) return "";
  return Number.isInteger(count) ? String(count) : count.toFixed(1);
}

/** A number, rounded, with all its digits in the element's value. */
function figure(value: number): Html {
  return html`<data value="${value}">${fixed(value)}</data>`;
}

function measureCells(shown: readonly Metric[], measures: Readonly<Partial<Record<Metric, MetricJson>>>): Html[] {
  return shown.map((measure) => {
    const json = measures[measure];
    return labeledCell(METRICS[measure].title, json === undefined ? html`` : measureHtml(json));
  });
}

function measureHtml(measure: MetricJson): Html {
  if (measure.value === null) return html`none`;
  const interval =
    measure.low === null
      ? html`<small>no interval</small>`
      : html`<small>${figure(measure.low)}&nbsp;to ${figure(measure.high)}</small>`;
  return html`${figure(measure.value)}${interval}`;
}

/** Reasons of a table's missing values and intervals in a list: touch and keyboard do not reach titles. */
function notesHtml(notes: readonly string[]): Html {
  return notes.length === 0
    ? html``
    : html`<ul class="notes">
        ${notes.map((note) => html`<li>${note}</li>`)}
      </ul>`;
}

/** A table of measures, sorted by a click; on a narrow screen each row becomes a card with its columns' titles. */
function measuresTable(caption: Html | string, head: readonly string[], rows: readonly Html[]): Html {
  return html`<div class="measured sortable">${scrollingTable(caption, head, rows)}</div>`;
}
