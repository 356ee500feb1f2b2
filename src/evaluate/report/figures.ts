/** Measures as the page writes them: short for people, whole for programs. */
import type { Metric } from "../metrics/metrics.js";
import type { MetricJson } from "../results/metricJson.js";
import { fixed } from "../tables/benchmarkTable.js";
import type { Html } from "./html.js";
import { html, NOTHING } from "./html.js";

export const METRIC_TITLES: Readonly<Record<Metric, string>> = {
  srcc: "SRCC",
  plcc: "PLCC",
  krcc: "KRCC",
  rmse: "RMSE",
  mae: "MAE",
  outlierRatio: "outlier ratio",
  sceneAccuracy: "scene acc.",
  distortionAccuracy: "dist. acc.",
};

/** A number, rounded, with all its digits in the element's value. */
export function figure(value: number): Html {
  return html`<data value="${value}">${fixed(value)}</data>`;
}

/** A measure with its interval below it; `missingNotes` says why one is not there. */
export function measureCell(measure: MetricJson): Html {
  if (measure.value === null) return html`<td>none</td>`;
  const interval =
    measure.low === null
      ? html`<small>no interval</small>`
      : html`<small>${figure(measure.low)} to ${figure(measure.high)}</small>`;
  return html`<td>${figure(measure.value)}${interval}</td>`;
}

/** Why a table's row lacks values or intervals: touch and keyboard do not reach the cells' titles. */
export function missingNotes(rows: readonly MeasuredRow[], measures: readonly Metric[]): Html {
  const notes = rows.flatMap(({ title, measured }) =>
    measures.flatMap((measure) => {
      const json = measured[measure];
      if (json === undefined) return [];
      const what = `${title}: no ${json.value === null ? "" : "interval of "}${METRIC_TITLES[measure]}`;
      if (json.value === null) return [html`<li>${what}: ${json.reason}</li>`];
      return json.low === null ? [html`<li>${what}: ${json.intervalReason}</li>`] : [];
    }),
  );
  return notes.length === 0
    ? NOTHING
    : html`<ul class="notes">
        ${notes}
      </ul>`;
}

interface MeasuredRow {
  readonly title: string;
  readonly measured: Readonly<Partial<Record<Metric, MetricJson>>>;
}

/** A table that scrolls by itself where the screen is too narrow for it, by keyboard too. */
export function scrollingTable(caption: Html | string, head: readonly (Html | string)[], rows: readonly Html[]): Html {
  const cells = head.map((title) => html`<th scope="col">${title}</th>`);
  return html`<div class="scroll" role="region" tabindex="0" aria-label="table">
    <table>
      <caption>
        <span>${caption}</span>
      </caption>
      <thead>
        <tr>
          ${cells}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}
