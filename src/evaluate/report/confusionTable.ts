import type { ConfusionMatrix } from "../metrics/accuracy.js";
import { scrollingTable } from "./figures.js";
import type { Html } from "./html.js";
import { html } from "./html.js";

/** Steps of the cells' colour; `style.ts` has as many. */
export const SHADES = 8;

/** Labels in rows, predictions in columns; a cell's shade is its share of its row. Rows without images are left out. */
export function confusionTable(what: string, { labels, counts }: ConfusionMatrix): Html {
  const rows = counts.flatMap((row, i) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return total === 0 ? [] : [confusionRow(labels[i] ?? "", row, total, i)];
  });
  if (rows.length === 0)
    return html`<p>No confusion matrix of ${what}s: no image has both a label and a prediction.</p>`;
  const head = [html`label`, ...labels.map((label) => html`<span class="turned">${label}</span>`), "images"];
  return html`<div class="confusion">
    ${scrollingTable(`Confusion of ${what}s: labels in rows, predictions in columns`, head, rows)}
  </div>`;
}

function confusionRow(label: string, row: readonly number[], total: number, diagonal: number): Html {
  const cells = row.map((count, column) => {
    const shade = `h${Math.ceil((count / total) * SHADES)}`;
    return html`<td class="${column === diagonal ? `${shade} right` : shade}">
      <data value="${count}">${countText(count)}</data>
    </td>`;
  });
  return html`<tr>
    <th scope="row">${label}</th>
    ${cells}
    <td>${countText(total)}</td>
  </tr>`;
}

/** Whole, or with a digit where images with several labels count in parts. */
function countText(count: number): string {
  if (count === 0) return "";
  return Number.isInteger(count) ? String(count) : count.toFixed(1);
}
