import { colorScale } from "../heatmap.js";
import { averageRanks } from "../metrics/ranks.js";
import type { DatabaseResults } from "../results/databaseResults.js";
import type { Prediction } from "../scoring/predictions.js";
import type { ScoredCrops } from "../scoring/scoreImages.js";
import { fixed } from "../tables/benchmarkTable.js";
import type { LabelsOf } from "./filters.js";
import { fileName, html, type Html, labelWords, type Picture, pictureHtml } from "./html.js";

/** An image with what the model's score is on the scale of people's. */
interface JudgedImage {
  readonly prediction: Prediction;
  /** The prediction on the scale of MOS, by the fitted curve; null where there is none. */
  readonly onMos: number | null;
}

/** Images on which the model and people differ least and most; no image is among both. */
export interface ExtremeImages {
  /** The least distant first. */
  readonly best: readonly JudgedImage[];
  /** The most distant first. */
  readonly worst: readonly JudgedImage[];
}

/**
 * Images nearest to their MOS and farthest from it, by the fitted curve, or in ranks without one; of equally distant ones
 * the first listed is the worse.
 * @param most  number of each kind, fewer where there are fewer images
 */
export function extremeImages(
  { mapping }: Pick<DatabaseResults, "mapping">,
  predictions: readonly Prediction[],
  most: number,
): ExtremeImages {
  const curve = curveOf({ mapping });
  const distances = curve === null ? rankDistances(predictions) : null;
  const judged = predictions.map((prediction, i) => {
    const onMos = curve === null ? null : interpolate(curve, prediction.quality);
    const distance = onMos === null ? (distances?.[i] ?? NaN) : Math.abs(onMos - prediction.mos);
    return { prediction, onMos, distance };
  });
  const sorted = judged.sort((a, b) => b.distance - a.distance);
  const worst = sorted.slice(0, Math.min(most, Math.ceil(sorted.length / 2)));
  const best = sorted.slice(Math.max(worst.length, sorted.length - most)).reverse();
  return { worst: worst.map(judgedOnly), best: best.map(judgedOnly) };
}

function judgedOnly({ prediction, onMos }: JudgedImage): JudgedImage {
  return { prediction, onMos };
}

function rankDistances(predictions: readonly Prediction[]): number[] {
  const predicted = averageRanks(predictions.map(({ quality }) => quality));
  const said = averageRanks(predictions.map(({ mos }) => mos));
  return predictions.map((_, i) => Math.abs((predicted[i] ?? NaN) - (said[i] ?? NaN)));
}

/** The fitted curve; null where the protocol fits none, or it did not converge. */
export function curveOf({ mapping }: Pick<DatabaseResults, "mapping">) {
  return mapping?.converged === true ? mapping.curve : null;
}

/** Value of the curve between its points, which are evenly spaced. */
export function interpolate(
  curve: { readonly quality: readonly number[]; readonly mos: readonly number[] },
  at: number,
) {
  const last = curve.quality.length - 1;
  const [first = NaN, end = NaN] = [curve.quality[0], curve.quality[last]];
  const position = end === first ? 0 : Math.min(Math.max(((at - first) / (end - first)) * last, 0), last);
  const index = Math.min(Math.floor(position), last - 1);
  const [from = NaN, to = NaN] = [curve.mos[index], curve.mos[index + 1]];
  return from + (to - from) * (position - index);
}

/** The images that the model scores best beside those that it scores worst, each a card: its picture and its scores. */
export function extremeSection(
  { best, worst }: ExtremeImages,
  { pictures, labelsOf }: { readonly pictures: ReadonlyMap<string, Picture>; readonly labelsOf: LabelsOf },
): Html {
  if (worst.length === 0) return html`<p>No best and worst images: no image has a score.</p>`;
  const side = (title: string, images: readonly JudgedImage[], note: string) => {
    const cards = images.map((image) => card(image, pictures.get(image.prediction.file), labelsOf(image.prediction)));
    return html`<div>
      <h4>${title}</h4>
      <p class="none" hidden>None of these images fits the filter.</p>
      ${images.length === 0 ? html`<p>${note}</p>` : html`<ul class="cards">${cards}</ul>`}
    </div>`; // prettier-ignore
  };
  return html`<p>
      Of all images, those nearest to what people said and those farthest from it. A dot is the middle of a window: dark
      where the model sees the lowest quality of this image, light where the highest.
    </p>
    <div class="beside">
      ${side("Nearest to people’s scores", best, "None: all images are among the farthest.")}
      ${side("Farthest from people’s scores", worst, "")}
    </div>`;
}

function card({ prediction, onMos }: JudgedImage, picture: Picture | undefined, labels: string): Html {
  const { image, mos, quality, crops } = prediction;
  const mapped = onMos === null ? "" : `, which is ${fixed(onMos)} on their scale`;
  return html`<li class="card" data-of="${labels}">
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
      : [
          `distortion ${labelWords(distortion)}${wasLabel(distortionLabel === null ? [] : [distortionLabel], distortion)}`,
        ]),
    ...(scene === "" ? [] : [`scene ${labelWords(scene)}${wasLabel(sceneLabels, scene)}`]),
  ];
  return html`<p>${parts.length === 0 ? "" : `Predicted ${parts.join(", ")}.`}</p>`;
}

function wasLabel(labels: readonly string[], predicted: string): string {
  if (labels.length === 0) return "";
  return labels.includes(predicted) ? " (right)" : ` (label: ${labels.map(labelWords).join(" or ")})`;
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
