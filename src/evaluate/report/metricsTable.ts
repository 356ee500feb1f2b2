import type { Results } from "../results/results.js";
import type { Metric } from "../metrics/metrics.js";
import { METRICS } from "../metrics/metrics.js";
import type { DatabaseResults, GroupResults } from "../results/databaseResults.js";
import type { MetricJson } from "../results/metricJson.js";
import { publishedFigures } from "../results/publishedFigures.js";
import { figure, METRIC_TITLES, measureCell, missingNotes, scrollingTable } from "./figures.js";
import type { Html } from "./html.js";
import { html, NOTHING } from "./html.js";

/** How a database is called where it may be there for several splits. */
export function databaseTitle({ name, split }: Pick<DatabaseResults, "name" | "split">): string {
  return split === null ? name : `${name}, split ${split}`;
}

/** The benchmark: a row a database, what is published below it, then what they come to together. */
export function metricsTable(results: Results): Html {
  const shown = METRICS.filter((measure) => results.databases.some((database) => database[measure].value !== null));
  const head = ["database", "images", ...shown.map((measure) => METRIC_TITLES[measure])];
  const rows = results.databases.flatMap((database) => [
    html`<tr>
      <th scope="row">${databaseTitle(database)}</th>
      <td>${database.images}</td>
      ${shown.map((measure) => measureCell(database[measure]))}
    </tr>`,
    publishedRow(database, shown),
  ]);
  const together = results.databases.length > 1 ? togetherRows(results, shown) : [];
  const measured = results.databases.map((database) => ({ title: databaseTitle(database), measured: database }));
  const caption = html`Values, below them their ${Math.round(100 * results.confidence)} % intervals`;
  return html`${scrollingTable(caption, head, [...rows, ...together])}${missingNotes(measured, METRICS)}`;
}

function publishedRow({ name }: DatabaseResults, shown: readonly Metric[]): Html {
  const published = publishedFigures(name);
  if (published === undefined) return NOTHING;
  const cells = shown.map((measure) => {
    return measure === "srcc" || measure === "plcc" ? html`<td>${figure(published[measure])}</td>` : html`<td></td>`;
  });
  return html`<tr class="published">
    <th scope="row">published, joint training</th>
    <td></td>
    ${cells}
  </tr>`;
}

function togetherRows({ mean, pooled }: Results, shown: readonly Metric[]): Html[] {
  const row = (title: string, measures: Partial<Record<Metric, MetricJson>>) => {
    const cells = shown.map((measure) => {
      const json = measures[measure];
      return json === undefined ? html`<td></td>` : measureCell(json);
    });
    return html`<tr>
      <th scope="row">${title}</th>
      <td></td>
      ${cells}
    </tr>`;
  };
  return [row("mean", mean), row("realigned and pooled", { srcc: pooled.srcc })];
}

/** Measures of each distortion, or scene; nothing where the list has no labels. */
export function groupsTable(what: string, groups: readonly GroupResults[]): Html {
  if (groups.length === 0) return html`<p>No table by ${what}: the list has no ${what} labels.</p>`;
  const shown = METRICS.filter((measure) => groups.some((group) => group[measure].value !== null));
  const head = [what, "images", ...shown.map((measure) => METRIC_TITLES[measure])];
  const rows = groups.map(
    (group) =>
      html`<tr>
        <th scope="row">${group.label}</th>
        <td>${group.images}</td>
        ${shown.map((measure) => measureCell(group[measure]))}
      </tr>`,
  );
  const measured = groups.map((group) => ({ title: group.label, measured: group }));
  return html`${scrollingTable(`By ${what}`, head, rows)}${missingNotes(measured, shown)}`;
}
