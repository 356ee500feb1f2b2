/** Table of a database's images: people's score, the model's, and both of their labels. */
import type { DatabaseResults } from "../results/databaseResults.js";
import type { Prediction } from "../scoring/predictions.js";
import { fixed } from "../tables/benchmarkTable.js";
import { curveOf, interpolate } from "./extremeImages.js";
import type { LabelsOf } from "./filters.js";
import { fileName, html, type Html, labelWords, scrollingTable } from "./html.js";

interface ListedImages {
  /** Images of the table, in its order. */
  readonly listed: readonly Prediction[];
  readonly labelsOf: LabelsOf;
  /** Id of an image's photograph on the page; undefined where there is none. */
  readonly photoOf: (prediction: Prediction) => string | undefined;
}

/** The table, folded: it may have hundreds of rows. Sorted by a click on a column's title. */
export function imagesTable(database: DatabaseResults, { listed, labelsOf, photoOf }: ListedImages): Html {
  if (listed.length === 0) return html``;
  const curve = curveOf(database);
  const head = ["image", "people", "model", ...(curve === null ? [] : ["on their scale", "too high by"])];
  const rows = listed.map((image) => {
    const onMos = curve === null ? null : interpolate(curve, image.quality);
    const figures = [image.mos, image.quality, ...(onMos === null ? [] : [onMos, onMos - image.mos])];
    return html`<tr role="row" data-of="${labelsOf(image)}">
      <th role="rowheader" scope="row">${photo(photoOf(image))}${fileName(image.image)}</th>
      ${figures.map((value, i) => cell(head[i + 1] ?? "", html`<data value="${value}">${fixed(value)}</data>`))}
      ${cell("scene", labelText(image.scene, image.sceneLabels))}
      ${cell("distortion", labelText(image.distortion, image.distortionLabel === null ? [] : [image.distortionLabel]))}
    </tr>`;
  });
  const all = database.images;
  const some = `${listed.length} of ${all} images, spread evenly over the predictions; predictions.csv has all`;
  const caption = listed.length === all ? (all === 1 ? "The only image" : `All ${all} images`) : some;
  return html`<details class="images">
    <summary><h3>Images in a table (${listed.length})</h3></summary>
    <p class="none" hidden>No image of this table fits the filter.</p>
    <div class="measured sortable">${scrollingTable(caption, [...head, "scene", "distortion"], rows)}</div>
  </details>`;
}

function photo(id: string | undefined): Html {
  return id === undefined ? html`` : html`<svg class="photo" viewBox="0 0 110 110" aria-hidden="true"><use href="#${id}" /></svg>`; // prettier-ignore
}

function cell(title: string, content: Html): Html {
  return html`<td role="cell" data-label="${title}">${content}</td>`;
}

/** The model's label, and below it the list's where that is another one. */
function labelText(predicted: string, labels: readonly string[]): Html {
  const said = predicted === "" ? "none" : labelWords(predicted);
  return labels.length === 0 || labels.includes(predicted)
    ? html`${said}`
    : html`${said}<small>label: ${labels.map(labelWords).join(" or ")}</small>`;
}
