import type { Metric } from "../metrics/metrics.js";
import type { DatabaseResults } from "../results/databaseResults.js";
import { axis, chartSvg, INK } from "./chart.js";
import { METRIC_TITLES } from "./figures.js";
import type { Html } from "./html.js";
import { html } from "./html.js";

/** Those between 0 and 1, which one axis can show. */
const SHOWN: readonly Metric[] = ["srcc", "plcc", "krcc", "sceneAccuracy", "distortionAccuracy"];
const ROW_HEIGHT = 30;

/** Correlations and accuracies as dots on their intervals. */
export function intervalChart(id: string, database: DatabaseResults, confidence: number): Html {
  const measured = SHOWN.flatMap((measure) => {
    const json = database[measure];
    return json.value === null ? [] : [{ measure, ...json }];
  }).reverse(); // ECharts counts rows from below
  if (measured.length === 0) return html`<p>No intervals: there is no measure between 0 and 1.</p>`;
  const names = measured.map(({ measure }) => METRIC_TITLES[measure]);
  const lowest = Math.min(...measured.map(({ value, low }) => low ?? value));
  const percent = Math.round(100 * confidence);
  const svg = chartSvg(
    { id, label: `${database.name}: values and ${percent} % intervals`, height: 56 + ROW_HEIGHT * measured.length },
    {
      grid: { left: 72, right: 16, top: 8, bottom: 30 },
      xAxis: axis("", { min: Math.min(0, Math.floor(lowest * 10) / 10), max: 1 }),
      yAxis: axis("", { type: "category", data: names, splitLine: { show: false }, axisLabel: { color: INK.text } }),
      series: [
        ...measured.map(({ low, high }, row) => ({
          ...{ type: "line", silent: true, symbol: "none", lineStyle: { color: INK.series[0], width: 3 } },
          data: low === null ? [] : [[low, row], [high, row]], // prettier-ignore
        })),
        {
          ...{ type: "scatter", silent: true, symbolSize: 9, itemStyle: { color: INK.series[0] } },
          data: measured.map(({ value }, row) => [value, row]),
        },
      ],
    },
  );
  return html`<figure>
    ${svg}
    <figcaption>${intervalCaption(database, percent)}</figcaption>
  </figure>`;
}

function intervalCaption({ resampled, resampling }: DatabaseResults, percent: number): string {
  const { units, resamples, note } = resampling;
  const drawn = `Values on their ${percent} % intervals, by ${resamples} bootstraps of ${units} ${resampled}`;
  return note === null ? `${drawn}.` : `${drawn}; ${note}.`;
}
