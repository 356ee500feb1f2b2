/** `report.html` of a run that is not evaluated yet: its epochs and curves so far. */
import { extentOf } from "../../base/collections.js";
import { fileName, html, type Html, scrollingTable } from "./html.js";
import { page } from "./page.js";
import { type TrainingHistory, trainingSection } from "./training.js";

/** Largest number of epochs in the table; the curves have all of them. */
const SHOWN_EPOCHS = 12;

interface ProgressData {
  readonly folder: string;
  readonly split: number;
  /** Epochs of the whole run. */
  readonly epochs: number;
  /** Name of the picture of the first batch, beside the page; null where there is none, as of features that are kept. */
  readonly firstBatch: string | null;
  /** Name of what is measured in validation. */
  readonly measure: string;
  /** Epochs so far, with its mean where there was a validation. */
  readonly table: readonly { readonly epoch: number; readonly loss: number; readonly validation: number | null }[];
  readonly training: TrainingHistory;
  /** Undefined where nothing trains any more. */
  readonly refreshSeconds: number | undefined;
}

/** The page's text: the same for the same data. */
export function progressPage(data: ProgressData): string {
  const { folder, split, epochs, measure, table, training, firstBatch, refreshSeconds } = data;
  const batch = firstBatch === null ? "" : html`The first batch is in <a href="${firstBatch}">${firstBatch}</a>. `;
  const { most: best } = extentOf(table.map(({ validation }) => validation ?? -Infinity));
  return page({
    title: `Training: ${table.length} of ${epochs} epochs`,
    intro: html`<dl>
        <dt>run</dt>
        <dd>${fileName(folder)}</dd>
        <dt>split</dt>
        <dd>${split}</dd>
        <dt>best so far</dt>
        <dd>${best === -Infinity ? "no validation yet" : `mean validation ${measure} ${best.toFixed(3)}`}</dd>
      </dl>
      <p>
        ${batch}The lists' scores and labels are in <a href="labels.svg">labels.svg</a>, the epochs in
        <a href="results.csv">results.csv</a>. This page is written anew after each epoch, and becomes the report on the
        test photographs at the end.
      </p>`,
    sections: [
      { id: "epochs", title: "Epochs", content: epochsTable(data) },
      { id: "training", title: "Training", content: trainingSection(training) },
    ],
    refreshSeconds,
  });
}

function epochsTable({ table, measure }: ProgressData): Html {
  const rows = table.slice(-SHOWN_EPOCHS).map(
    ({ epoch, loss, validation }) =>
      html`<tr>
        <th scope="row">${epoch}</th>
        <td>${loss.toFixed(4)}</td>
        <td>${validation === null ? "" : validation.toFixed(3)}</td>
      </tr>`,
  );
  const caption = table.length > SHOWN_EPOCHS ? `The last ${SHOWN_EPOCHS} epochs` : "All epochs so far";
  const head = ["epoch", "loss", `mean validation ${measure}`];
  return scrollingTable(`${caption}; the loss is the mean over an epoch's steps`, head, rows);
}
