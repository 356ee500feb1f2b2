import type { DatabaseResults } from "../results/databaseResults.js";
import type { Prediction } from "../scoring/predictions.js";
import { axis, chartSvg, INK, decimate } from "./chart.js";
import type { Html } from "./html.js";
import { html } from "./html.js";

/** Points beyond this number lie on top of each other. */
const MOST_POINTS = 2000;

/** What the model predicts against what people said, with the curve that the protocol fitted. */
export function scatterChart(id: string, database: DatabaseResults, predictions: readonly Prediction[]): Html {
  const { name, mapping } = database;
  if (predictions.length === 0) return html`<p>No scatter: no image has a score.</p>`;
  const points = predictions.map(({ quality, mos }) => [quality, mos]);
  const drawn = decimate(
    points.sort(([a = NaN], [b = NaN]) => a - b),
    MOST_POINTS,
  );
  const curve = mapping?.converged === true ? mapping.curve : null;
  const line = curve === null ? [] : curve.quality.map((quality, i) => [quality, curve.mos[i]]);
  const label = `${name}: mean opinion score against predicted quality of ${drawn.length} images`;
  const svg = chartSvg(
    { id, label, height: 300 },
    {
      grid: { left: 52, right: 12, top: 12, bottom: 46 },
      xAxis: axis("predicted quality", { scale: true }),
      yAxis: axis("mean opinion score", { scale: true, nameGap: 36 }),
      series: [
        {
          ...{ type: "scatter", large: true, largeThreshold: 1, silent: true, data: drawn },
          ...{ symbolSize: drawn.length > 500 ? 4 : 6, itemStyle: { color: INK.series[0], opacity: 0.7 } },
        },
        { type: "line", silent: true, showSymbol: false, data: line, lineStyle: { color: INK.series[1], width: 2.5 } },
      ],
    },
  );
  return html`<figure>
    ${svg}
    <figcaption>${caption(database, drawn.length)}</figcaption>
  </figure>`;
}

function caption({ images, mapping }: DatabaseResults, drawn: number): Html {
  const some = drawn === images ? "" : ` ${drawn} of ${images} images are drawn, spread evenly over the predictions.`;
  return html`Predicted quality and mean opinion score, an image a dot.${some} ${curveText(mapping)}`;
}

function curveText(mapping: DatabaseResults["mapping"]): string {
  if (mapping === null) return "This protocol fits no curve.";
  if (!mapping.converged) return `No curve: ${mapping.reason}.`;
  const { formula, parameters, digits } = mapping;
  if (digits === null) {
    return (
      `The line is the fitted ${formula}, at a limit that no parameters reach: ever larger ones fit as well. ` +
      "Its points are in results.json."
    );
  }
  const values = parameters.map((value, i) => `b${i + 1} = ${value.toPrecision(digits)}`);
  return `The line is the fitted ${formula} with ${values.join(", ")}.`;
}
