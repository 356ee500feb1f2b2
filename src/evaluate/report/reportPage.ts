/** `report.html`: the contents of `results.json` for people, with plots. */
import { plural } from "../../base/text.js";
import type { Results } from "../results/results.js";
import { PROTOCOLS } from "../protocols.js";
import type { DatabaseResults } from "../results/databaseResults.js";
import type { Prediction } from "../scoring/predictions.js";
import { databaseTitle } from "../tables/benchmarkTable.js";
import { intervalChart, scatterChart } from "./databaseCharts.js";
import { type ExtremeImages, extremeSection } from "./extremeImages.js";
import { imageFilters } from "./filters.js";
import { dataAddress, fileName, html, type Html, type Picture } from "./html.js";
import { imagesTable } from "./imagesTable.js";
import { labelTables, metricsTable } from "./metricsTable.js";
import { page } from "./page.js";
import { type TrainingHistory, trainingSection } from "./training.js";

/** Largest number of databases that are shown unfolded. */
const UNFOLDED = 2;

/** Results of one database with the images that they were measured on. */
interface ReportedDatabase {
  readonly results: DatabaseResults;
  readonly predictions: readonly Prediction[];
  readonly extremes: ExtremeImages;
  /** Images of the table, and those whose dots show a photograph where there is one. */
  readonly pictured: readonly Prediction[];
}

export interface ReportData {
  readonly results: Results;
  /** In the order of `results.databases`. */
  readonly databases: readonly ReportedDatabase[];
  /** By the images' files. */
  readonly pictures: ReadonlyMap<string, Picture>;
  /** Small pictures for the dots of scatters, by the images' files. */
  readonly thumbnails: ReadonlyMap<string, Picture>;
  readonly training: TrainingHistory;
}

/** The page's text: the same for the same data. */
export function reportPage({ results, databases, pictures, thumbnails, training }: ReportData): string {
  const isFolded = databases.length > UNFOLDED;
  const sections = databases.map((database, i) => ({
    id: `database-${i + 1}`,
    title: databaseTitle(database.results),
    content: databaseSection(`d${i + 1}`, database, { confidence: results.confidence, pictures, thumbnails }),
    isFolded,
  }));
  return page({
    title: "How well a model predicts what people saw",
    intro: facts(results),
    hasScript: true,
    sections: [
      { id: "measures", title: "Measures", content: metricsTable(results) },
      ...sections,
      { id: "training", title: "Training", content: trainingSection(training) },
    ],
  });
}

function facts({ checkpoint, protocol, protocolVersion, crops }: Results): Html {
  return html`<dl>
    <dt>checkpoint</dt>
    <dd>${fileName(checkpoint)}</dd>
    <dt>protocol</dt>
    <dd>${protocol}, version ${protocolVersion}: ${PROTOCOLS[protocol].description}</dd>
    <dt>windows</dt>
    <dd>${crops === null ? "scores from a file" : `${crops} an image, or all where there are fewer`}</dd>
  </dl>`;
}

function databaseSection(
  id: string,
  { results, predictions, extremes, pictured }: ReportedDatabase,
  { confidence, pictures, thumbnails }: Pick<ReportData, "pictures" | "thumbnails"> & { readonly confidence: number },
): Html {
  const { controls, labelsOf } = imageFilters(predictions);
  const photos = photographs(id, pictured, thumbnails);
  const photoOf = (prediction: Prediction) => photos.ids.get(prediction);
  const scored = `${plural(results.images, "image")} of the list “${results.subset}” ${results.images === 1 ? "has" : "have"} a score.`;
  return html`<p>${scored}</p>
    ${failures(results)} ${controls} ${photos.content}
    <div class="charts">
      ${scatterChart(`${id}-scatter`, results, { predictions, labelsOf, photoOf })}${intervalChart(`${id}-intervals`, results, confidence)}
    </div>
    <h3>Best and worst images</h3>
    ${extremeSection(extremes, { pictures, labelsOf })} ${imagesTable(results, { listed: pictured, labelsOf, photoOf })}
    <h3>Distortions</h3>
    ${labelTables("distortion", results.byDistortion, results.confusion.distortion)}
    <h3>Scenes</h3>
    ${labelTables("scene", results.byScene, results.confusion.scene)}`;
}

/** Side of a photograph behind a dot, in the chart's pixels. */
const PHOTO_SIDE = 110;

/** The photographs, each once on the page, for the dots and rows that show them by their ids. */
function photographs(id: string, pictured: readonly Prediction[], thumbnails: ReadonlyMap<string, Picture>) {
  const ids = new Map<Prediction, string>();
  const images = pictured.flatMap((prediction, i) => {
    const picture = thumbnails.get(prediction.file);
    if (picture?.ok !== true) return [];
    ids.set(prediction, `${id}-photo-${i}`);
    const address = dataAddress(picture.webp);
    return html`<image id="${id}-photo-${i}" width="${PHOTO_SIDE}" height="${PHOTO_SIDE}" href="${address}" />`;
  });
  return { ids, content: html`<svg class="photos" aria-hidden="true"><defs>${images}</defs></svg>` };
}

/** Number of failed images that are named; the others are counted. */
const SHOWN_FAILURES = 20;

function failures({ failed, images }: DatabaseResults): Html {
  if (failed.length === 0) return html``;
  const named = failed.slice(0, SHOWN_FAILURES).map(({ image, error }) => html`<li>${fileName(image)}: ${error}</li>`);
  const more = failed.length - named.length;
  return html`<p>${failed.length} of ${failed.length + images} images have no score and are left out:</p>
    <ul>
      ${named}${more === 0 ? html`` : html`<li>and ${more} more</li>`}
    </ul>`;
}
