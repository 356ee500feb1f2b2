/** The matrix of train sets by test sets as a page: a heat map of each correlation. */
import { plural } from "../../base/text.js";
import { CORRELATIONS, type Correlation, METRICS } from "../metrics/metrics.js";
import type { CrossCell, CrossMatrix } from "../results/crossMatrix.js";
import { cropsText, fixed } from "../tables/benchmarkTable.js";
import { testTitles, trainTitle } from "../tables/crossTable.js";
import { fileName, html, type Html, scrollingTable } from "./html.js";
import { page, SHADES } from "./page.js";

/** The page's text: the same for the same data. */
export function crossPage(matrix: CrossMatrix): string {
  const { rows, tests, protocol, crops } = matrix;
  return page({
    title: "Train sets by test sets",
    intro: html`<p>
      ${rows.length} checkpoints, a row each, on the test lists of ${tests.length} databases, a column each; protocol
      ${protocol}, ${cropsText(crops)}. The darker, the higher; an outline marks databases that the checkpoint was
      trained on. Images that a checkpoint has learned from are left out.
    </p>`,
    sections: CORRELATIONS.map((metric) => ({
      id: metric,
      title: METRICS[metric].title,
      content: heatTable(matrix, metric),
    })),
  });
}

function heatTable({ tests, rows }: CrossMatrix, metric: Correlation): Html {
  const head = ["checkpoint", ...testTitles(tests), "mean of others"];
  const body = rows.map(({ checkpoint, trainedOn, cells, unseenMean }) => {
    const mean = unseenMean[metric];
    return html`<tr>
      <th scope="row">${fileName(trainTitle({ checkpoint, trainedOn }))}</th>
      ${cells.map((cell) => cellHtml(cell, metric))}
      <td>${mean === null ? "" : fixed(mean)}</td>
    </tr>`;
  });
  return html`<div class="confusion">
    ${scrollingTable(`${METRICS[metric].title}, 95 % intervals below`, head, body)}
  </div>`;
}

function cellHtml(cell: CrossCell, metric: Correlation): Html {
  const json = cell[metric];
  if (json.value === null) return html`<td title="${json.reason}">-</td>`;
  const shade = Math.min(SHADES, Math.floor(SHADES * Math.max(0, json.value)) + 1);
  const interval = json.low === null ? "" : `${fixed(json.low)} to ${fixed(json.high)}`;
  const marks = cell.isTrainedOn === true ? "right" : "";
  return html`<td class="h${shade} ${marks}" title="${plural(cell.images, "image")}">
    ${fixed(json.value)}<small>${interval}</small>
  </td>`;
}
