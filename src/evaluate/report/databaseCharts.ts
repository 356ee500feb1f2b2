import { extentOf } from "../../base/collections.js";
import { plural } from "../../base/text.js";
import { METRICS, UNITLESS_METRICS } from "../metrics/metrics.js";
import type { DatabaseResults } from "../results/databaseResults.js";
import type { Prediction } from "../scoring/predictions.js";
import { fixed } from "../tables/benchmarkTable.js";
import { axis, CHART_WIDTH, chartSvg, INK } from "./chart.js";
import { curveOf } from "./extremeImages.js";
import type { LabelsOf } from "./filters.js";
import { html, type Html, shownName } from "./html.js";

/** Largest number of points: more lie on top of each other. */
const MOST_POINTS = 2000;

/** Images of a scatter that show their picture, at most `most`, spread evenly over the predictions. */
export function picturedDots(predictions: readonly Prediction[], most: number): readonly Prediction[] {
  return most < 2 ? [] : decimate(drawnDots(predictions), most);
}

function drawnDots(predictions: readonly Prediction[]): readonly Prediction[] {
  return decimate(
    predictions.toSorted((a, b) => a.quality - b.quality),
    MOST_POINTS,
  );
}

/** MOS against predicted quality, with the curve that the protocol fitted. Dots bear the marks of the filters. */
export function scatterChart(id: string, database: DatabaseResults, images: ScatterImages): Html {
  const { predictions, photoOf } = images;
  if (predictions.length === 0) return html`<p>No scatter: no image has a score.</p>`;
  const dots = drawnDots(predictions);
  const drawn = dots.map(({ quality, mos }) => [quality, mos]);
  const curve = curveOf(database);
  const line = curve === null ? [] : curve.quality.map((quality, i) => [quality, curve.mos[i]]);
  const label = `${database.name}: mean opinion score against predicted quality of ${plural(drawn.length, "image")}`;
  const svg = chartSvg(
    { id, label, height: SCATTER_HEIGHT, overlay: (place) => dotsOf(dots, place, images) },
    {
      grid: { left: 52, right: 12, top: 12, bottom: 46 },
      xAxis: axis("predicted quality", { scale: true }),
      yAxis: axis("mean opinion score", { scale: true, nameGap: 36 }),
      series: [
        { type: "scatter", symbol: "none", silent: true, data: drawn }, // for the axes' ranges: the dots are our own
        { type: "line", silent: true, showSymbol: false, data: line, lineStyle: { color: INK.series[1], width: 2.5 } },
      ],
    },
  );
  const pictured = dots.filter((dot) => photoOf(dot) !== undefined).length;
  return html`<figure>
    ${svg}
    <figcaption>${caption(database, drawn.length)} ${pictureNote(pictured, drawn.length)}</figcaption>
  </figure>`;
}

interface ScatterImages {
  readonly predictions: readonly Prediction[];
  readonly labelsOf: LabelsOf;
  /** Id of an image's photograph on the page, shown where the pointer is on its dot; undefined where there is none. */
  readonly photoOf: (prediction: Prediction) => string | undefined;
}

const SCATTER_HEIGHT = 300;
/** Number of dots from which they are drawn smaller, and both radii, in the chart's pixels. */
const MANY = { from: 500, radius: 2, otherwise: 3 };
/** Radius around a dot in which the pointer shows its picture, and the picture's side, in the chart's pixels. */
const REACH = 6;
const PICTURE_SIDE = 110;

type Place = (point: readonly [number, number]) => readonly [number, number];

/** All dots, and over them those that show a photograph: what is drawn later lies above. */
function dotsOf(dots: readonly Prediction[], place: Place, { labelsOf, photoOf }: ScatterImages): Html {
  const radius = dots.length > MANY.from ? MANY.radius : MANY.otherwise;
  const points = dots.map((dot) => {
    const [x, y] = place([dot.quality, dot.mos]);
    return html`<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${radius}" data-of="${labelsOf(dot)}" />`;
  });
  const pictures = dots.map((dot) => {
    const photo = photoOf(dot);
    return photo === undefined ? html`` : dotPicture(dot, place, { photo, labels: labelsOf(dot) });
  });
  return html`<g class="points">${points}</g>${pictures}`;
}

/** Picture of a dot, hidden until the pointer is on it: beside the dot, inside the chart. */
function dotPicture(
  { image, quality, mos }: Prediction,
  place: Place,
  { photo, labels }: { readonly photo: string; readonly labels: string },
): Html {
  const [x, y] = place([quality, mos]);
  const left = x > CHART_WIDTH / 2 ? x - PICTURE_SIDE - 2 * REACH : x + 2 * REACH;
  const top = Math.max(0, Math.min(SCATTER_HEIGHT - PICTURE_SIDE, y - PICTURE_SIDE / 2));
  const [cx = "", cy = "", at = "", over = ""] = [x, y, left, top].map((value) => value.toFixed(1));
  return html`<g class="dot" data-of="${labels}">
    <title>${shownName(image)}: people ${fixed(mos)}, model ${fixed(quality)}</title>
    <circle cx="${cx}" cy="${cy}" r="${REACH}" />
    <use x="${at}" y="${over}" href="#${photo}" />
  </g>`;
}

function pictureNote(pictured: number, drawn: number): string {
  if (pictured === 0) return "";
  const some = pictured === drawn ? "" : ` ${pictured} of the ${drawn} dots have one.`;
  return `The pointer on a dot shows its photograph.${some === "" ? ` All ${drawn} dots have one.` : some}`;
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

/** At most `most` of the items, evenly spread, with the first and the last. */
export function decimate<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items;
  const step = (items.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, i) => items[Math.round(i * step)] as T); // inside the array
}

const ROW_HEIGHT = 30;

/** Correlations and accuracies as dots on their intervals. */
export function intervalChart(id: string, database: DatabaseResults, confidence: number): Html {
  const measured = UNITLESS_METRICS.flatMap((measure) => {
    const json = database[measure];
    return json.value === null ? [] : [{ measure, ...json }];
  }).reverse(); // ECharts counts rows from below
  if (measured.length === 0) return html`<p>No intervals: there is no measure between 0 and 1.</p>`;
  const names = measured.map(({ measure }) => METRICS[measure].title);
  const { least: lowest } = extentOf(measured.map(({ value, low }) => low ?? value));
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
