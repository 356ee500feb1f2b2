/** `report.html`: what `results.json` says, for people, with plots. */
import type { Results } from "../results/results.js";
import { PROTOCOLS } from "../protocols.js";
import type { DatabaseResults } from "../results/databaseResults.js";
import type { Prediction } from "../scoring/predictions.js";
import { confusionTable } from "./confusionTable.js";
import type { Html } from "./html.js";
import { fileName, html } from "./html.js";
import { intervalChart } from "./intervalChart.js";
import { databaseTitle, groupsTable, metricsTable } from "./metricsTable.js";
import type { PageSection } from "./page.js";
import { page } from "./page.js";
import type { Picture } from "./picture.js";
import { scatterChart } from "./scatterChart.js";
import type { TrainingHistory } from "./training.js";
import { trainingSection } from "./training.js";
import type { WorstImage } from "./worstImages.js";
import { worstSection } from "./worstImages.js";

/** More databases than this are folded, so that the page can be overlooked. */
const UNFOLDED = 2;

/** One database's images: what its results were measured on. */
export interface ReportedDatabase {
  readonly results: DatabaseResults;
  readonly predictions: readonly Prediction[];
  readonly worst: readonly WorstImage[];
}

export interface ReportData {
  readonly results: Results;
  /** In the order of `results.databases`. */
  readonly databases: readonly ReportedDatabase[];
  /** By the images' files. */
  readonly pictures: ReadonlyMap<string, Picture>;
  readonly training: TrainingHistory;
}

/** The page's text. The same data give the same text: it holds no time and no chance. */
export function reportPage({ results, databases, pictures, training }: ReportData): string {
  const isFolded = databases.length > UNFOLDED;
  const sections = databases.map((database, i): PageSection => ({
    id: `database-${i + 1}`,
    title: databaseTitle(database.results),
    content: databaseSection(`d${i + 1}`, database, results, pictures),
    isFolded,
  }));
  return page({
    title: "How well a model predicts what people saw",
    intro: facts(results),
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
    <dd>${crops} an image, or all where there are fewer</dd>
  </dl>`;
}

function databaseSection(
  id: string,
  { results, predictions, worst }: ReportedDatabase,
  { confidence }: Results,
  pictures: ReadonlyMap<string, Picture>,
): Html {
  return html`<p>${results.images} images of the list “${results.subset}” have a score.</p>
    ${failures(results)}
    <div class="charts">
      ${scatterChart(`${id}-scatter`, results, predictions)}${intervalChart(`${id}-intervals`, results, confidence)}
    </div>
    <h3>Distortions</h3>
    ${groupsTable("distortion", results.byDistortion)} ${confusionTable("distortion", results.confusion.distortion)}
    <h3>Scenes</h3>
    ${groupsTable("scene", results.byScene)} ${confusionTable("scene", results.confusion.scene)}
    <h3>Worst images</h3>
    ${worstSection(worst, pictures)}`;
}

/** Failed images that are named; the others are counted. */
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
