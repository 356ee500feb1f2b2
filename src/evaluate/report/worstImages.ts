import { colorScale } from "../heatmap.js";
import { averageRanks } from "../metrics/ranks.js";
import type { DatabaseResults } from "../results/databaseResults.js";
import type { Prediction } from "../scoring/predictions.js";
import type { ScoredCrops } from "../scoring/scoreImages.js";
import { fixed } from "../tables/benchmarkTable.js";
import { fileName, html, type Html, type Picture, pictureHtml } from "./html.js";

/** An image on which the model and people disagree. */
interface WorstImage {
  readonly prediction: Prediction;
  /** The prediction on the scale of MOS, by the fitted curve; null where there is none. */
  readonly onMos: number | null;
}

/** Images farthest from their MOS by the fitted curve, or in ranks without one; of equal ones the first listed. */
export function worstImages(
  { mapping }: Pick<DatabaseResults, "mapping">,
  predictions: readonly Prediction[],
  most: number,
): WorstImage[] {
  const curve = mapping?.converged === true ? mapping.curve : null;
  const distances = curve === null ? rankDistances(predictions) : null;
  const judged = predictions.map((prediction, i) => {
    const onMos = curve === null ? null : interpolate(curve, prediction.quality);
    const distance = onMos === null ? (distances?.[i] ?? NaN) : Math.abs(onMos - prediction.mos);
    return { prediction, onMos, distance };
  });
  const worst = judged.sort((a, b) => b.distance - a.distance).slice(0, most);
  return worst.map(({ prediction, onMos }) => ({ prediction, onMos }));
}

function rankDistances(predictions: readonly Prediction[]): number[] {
  const predicted = averageRanks(predictions.map(({ quality }) => quality));
  const said = averageRanks(predictions.map(({ mos }) => mos));
  return predictions.map((_, i) => Math.abs((predicted[i] ?? NaN) - (said[i] ?? NaN)));
}

/** Value of the curve between its points, which are evenly spaced. */
function interpolate(curve: { readonly quality: readonly number[]; readonly mos: readonly number[] }, at: number) {
  const last = curve.quality.length - 1;
  const [first = NaN, end = NaN] = [curve.quality[0], curve.quality[last]];
  const position = end === first ? 0 : Math.min(Math.max(((at - first) / (end - first)) * last, 0), last);
  const index = Math.min(Math.floor(position), last - 1);
  const [from = NaN, to = NaN] = [curve.mos[index], curve.mos[index + 1]];
  return from + (to - from) * (position - index);
}

/** A database's worst images, each a card: the picture with its windows, and the scores of people and the model. */
export function worstSection(worst: readonly WorstImage[], pictures: ReadonlyMap<string, Picture>): Html {
  if (worst.length === 0) return html`<p>No worst images: no image has a score.</p>`;
  const cards = worst.map((image) => card(image, pictures.get(image.prediction.file)));
  return html`<p>
      Farthest from what people said first. A dot is the middle of a window: dark where the model sees the lowest
      quality of this image, light where the highest.
    </p>
    <ul class="cards">
      ${cards}
    </ul>`;
}

function card({ prediction, onMos }: WorstImage, picture: Picture | undefined): Html {
  const { image, mos, quality, crops } = prediction;
  const mapped = onMos === null ? "" : `, which is ${fixed(onMos)} on their scale`;
  return html`<li class="card">
    <div class="picture">
      ${pictureHtml(picture, `the image ${image}`)}${picture?.ok === true ? cropDots(crops) : ""}
    </div>
    <p>${fileName(image)}</p>
    <p>People: <b>${fixed(mos)}</b>. Model: <b>${fixed(quality)}</b>${mapped}.</p>
    ${labelsText(prediction)}
    <p><small>${cropList(crops)}</small></p>
  </li>`;
}

function labelsText({ scene, distortion, sceneLabels, distortionLabel }: Prediction): Html {
  const parts = [
    ...(distortion === ""
      ? []
      : [`distortion ${distortion}${wasLabel(distortionLabel === null ? [] : [distortionLabel], distortion)}`]),
    ...(scene === "" ? [] : [`scene ${scene}${wasLabel(sceneLabels, scene)}`]),
  ];
  return html`<p>${parts.length === 0 ? "" : `Predicted ${parts.join(", ")}.`}</p>`;
}

function wasLabel(labels: readonly string[], predicted: string): string {
  if (labels.length === 0) return "";
  return labels.includes(predicted) ? " (right)" : ` (label: ${labels.join(" or ")})`;
}

/** Radius of a window's dot, as a share of the image's longer side. */
const DOT = 0.022;

/** Dots at the centers of an image's windows, dark where the score is low, to lie over its picture. */
function cropDots({ rows, cols, window, scores }: ScoredCrops): Html {
  const colorOf = colorScale(scores);
  const radius = Math.round(DOT * Math.max(rows, cols));
  const dots = scores.map(({ top, left, quality }) => {
    const color = colorOf(quality).join(",");
    const [x, y] = [left + window / 2, top + window / 2];
    return html`<circle cx="${x}" cy="${y}" r="${radius}" fill="rgb(${color})" />`;
  });
  return html`<svg class="dots" viewBox="0 0 ${cols} ${rows}" aria-hidden="true">${dots}</svg>`;
}

/** The windows' scores as text, from the upper left to the lower right. */
function cropList({ scores }: ScoredCrops): Html {
  const list = scores.map(({ quality }) => quality.toFixed(2)).join(", ");
  return html`${scores.length === 1 ? "Its only window" : `${scores.length} windows`}: ${list}`;
}
