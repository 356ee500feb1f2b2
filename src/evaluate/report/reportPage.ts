/** `report.html`: the contents of `results.json` for people, with plots. */
import type { Results } from "../results/results.js";
import { PROTOCOLS } from "../protocols.js";
import type { DatabaseResults } from "../results/databaseResults.js";
import type { Prediction } from "../scoring/predictions.js";
import { databaseTitle } from "../tables/benchmarkTable.js";
import { intervalChart, scatterChart } from "./databaseCharts.js";
import { fileName, html, type Html, type Picture } from "./html.js";
import { labelTables, metricsTable } from "./metricsTable.js";
import { page } from "./page.js";
import { type TrainingHistory, trainingSection } from "./training.js";
import { worstSection } from "./worstImages.js";

/** Largest number of databases that are shown unfolded. */
const UNFOLDED = 2;

/** Results of one database with the images that they were measured on. */
interface ReportedDatabase {
  readonly results: DatabaseResults;
  readonly predictions: readonly Prediction[];
  readonly worst: Parameters<typeof worstSection>[0];
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
    isSortable: true,
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
  { results, predictions, worst }: ReportedDatabase,
  { confidence, pictures, thumbnails }: Pick<ReportData, "pictures" | "thumbnails"> & { readonly confidence: number },
): Html {
  return html`<p>${results.images} images of the list “${results.subset}” have a score.</p>
    ${failures(results)}
    <div class="charts">
      ${scatterChart(`${id}-scatter`, results, { predictions, thumbnails })}${intervalChart(`${id}-intervals`, results, confidence)}
    </div>
    <h3>Distortions</h3>
    ${labelTables("distortion", results.byDistortion, results.confusion.distortion)}
    <h3>Scenes</h3>
    ${labelTables("scene", results.byScene, results.confusion.scene)}
    <h3>Worst images</h3>
    ${worstSection(worst, pictures)}`;
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
