/** Filters of a database's images by scene and distortion: the controls, and the marks that its dots, cards and rows bear. */
import type { Prediction } from "../scoring/predictions.js";
import { html, type Html, labelWords } from "./html.js";

/** An image's labels as marks between spaces, "s3 d0", for its elements' attribute `data-of`. */
export type LabelsOf = (prediction: Prediction) => string;

interface Filters {
  /** Empty where no axis has two labels. Hidden until the page's script runs: without it they would do nothing. */
  readonly controls: Html;
  readonly labelsOf: LabelsOf;
}

/** One axis of labels that images are filtered by. */
interface Axis {
  readonly title: string;
  readonly mark: string;
  readonly of: (prediction: Prediction) => readonly string[];
  /** In the order of the alphabet. */
  readonly labels: readonly string[];
}

/** The controls of one database, and its images' marks. */
export function imageFilters(predictions: readonly Prediction[]): Filters {
  const axes = [
    axisOf("Scene", predictions, { listed: (one) => one.sceneLabels, predicted: (one) => one.scene }),
    axisOf("Distortion", predictions, {
      listed: ({ distortionLabel }) => (distortionLabel === null ? [] : [distortionLabel]),
      predicted: (one) => one.distortion,
    }),
  ].filter(({ labels }) => labels.length > 1);
  const labelsOf: LabelsOf = (prediction) =>
    axes.flatMap(({ mark, of, labels }) => of(prediction).map((label) => `${mark}${labels.indexOf(label)}`)).join(" ");
  return { labelsOf, controls: axes.length === 0 ? html`` : controls(axes, predictions, labelsOf) };
}

/** By the list's labels; by the model's where the list has none. */
function axisOf(
  title: string,
  predictions: readonly Prediction[],
  { listed, predicted }: { readonly listed: Axis["of"]; readonly predicted: (prediction: Prediction) => string },
): Axis {
  const isListed = predictions.some((one) => listed(one).length > 0);
  const of = isListed ? listed : (one: Prediction) => [predicted(one)].filter((label) => label !== "");
  return {
    title: isListed ? title : `${title} (the model’s)`,
    mark: title.slice(0, 1).toLowerCase(),
    of,
    labels: [...new Set(predictions.flatMap((one) => [...of(one)]))].sort(),
  };
}

function controls(axes: readonly Axis[], predictions: readonly Prediction[], labelsOf: LabelsOf): Html {
  const counts = tally(predictions.map(labelsOf));
  return html`<form class="filters" hidden data-counts="${JSON.stringify(Object.fromEntries(counts))}">
      ${axes.map((axis) => axisControl(axis, predictions))}
      <button type="reset">Show all</button>
    </form>
    <p class="fit" role="status"></p>`;
}

function axisControl({ title, mark, of, labels }: Axis, predictions: readonly Prediction[]): Html {
  const counts = tally(predictions.flatMap((one) => [...of(one)]));
  const options = labels.map(
    (label, i) =>
      html`<option value="${mark}${i}" data-label="${labelWords(label)}">
        ${labelWords(label)} (${counts.get(label) ?? 0})
      </option>`,
  );
  return html`<label
    >${title}
    <select data-title="${title}">
      <option value="">all</option>
      ${options}
    </select></label
  >`;
}

function tally(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
