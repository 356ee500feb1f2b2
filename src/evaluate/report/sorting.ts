/** The one script of a report: tables of measures sort by a click on a column's title. */
import { createHash } from "node:crypto";
import { html, Html } from "./html.js";

/**
 * Turns the titles of each `.sortable` table into buttons. A row of class `published` moves with the row above it, a row of
 * class `together` stays at the end, and rows without a value come last in either direction.
 */
const SCRIPT = `
for (const table of document.querySelectorAll(".sortable table")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const groups = [];
  for (const row of rows) {
    if (row.classList.contains("published")) groups.at(-1).push(row);
    else groups.push([row]);
  }
  const last = (group) => group[0].classList.contains("together");
  const keyOf = (group, column) => {
    const cell = group[0].cells[column];
    const text = cell.querySelector("data")?.value ?? cell.textContent.trim();
    return text !== "" && Number.isFinite(Number(text)) ? Number(text) : column === 0 ? text : null;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const first = column === 0 ? "ascending" : "descending";
      const other = column === 0 ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      heads.forEach((one) => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const keyed = groups.map((group) => ({ group, key: keyOf(group, column) }));
      keyed.sort((a, b) => {
        if (last(a.group) || last(b.group)) return last(a.group) - last(b.group);
        if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
        return order === "ascending" ? compare(a.key, b.key) : compare(b.key, a.key);
      });
      body.append(...keyed.flatMap(({ group }) => group));
    });
  });
}
`;

export const SORTING_SCRIPT = html`<script>${new Html(SCRIPT)}</script>`; // prettier-ignore

/** Source of a content policy that admits this script and no other. */
export const SORTING_SOURCE = `'sha256-${createHash("sha256").update(SCRIPT).digest("base64")}'`;
