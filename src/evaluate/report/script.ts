/** The one script of a report: it sorts tables, filters images, and unfolds sections for the printer. */
import { createHash } from "node:crypto";
import { html, Html } from "./html.js";

/**
 * Turns the titles of each `.sortable` table into buttons. A row of class `published` moves with the row above it, a row of
 * class `together` stays at the end, and rows without a value come last in either direction. A column without any number
 * is sorted as text.
 */
const SORTING = `
for (const table of document.querySelectorAll(".sortable table")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const groups = [];
  for (const row of rows) {
    if (row.classList.contains("published")) groups.at(-1).push(row);
    else groups.push([row]);
  }
  const last = (group) => group[0].classList.contains("together");
  const textOf = (group, column) => {
    const cell = group[0].cells[column];
    return cell.querySelector("data")?.value ?? cell.textContent.trim();
  };
  const isNumber = (text) => text !== "" && Number.isFinite(Number(text));
  const keysOf = (column) => {
    const texts = groups.map((group) => textOf(group, column));
    const isText = column === 0 || !texts.some(isNumber);
    return texts.map((text) => (isNumber(text) ? Number(text) : isText && text !== "" ? text : null));
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const keys = keysOf(column);
      const isText = keys.some((key) => typeof key === "string");
      const [first, other] = isText ? ["ascending", "descending"] : ["descending", "ascending"];
      const order = head.getAttribute("aria-sort") === first ? other : first;
      heads.forEach((one) => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const keyed = groups.map((group, i) => ({ group, key: keys[i] }));
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

/**
 * Hides what bears other labels (`data-of`) than a section's `.filters` ask for, says how many images fit, and shows a
 * `.none` where nothing beside it is left.
 */
const FILTERING = `
for (const form of document.querySelectorAll(".filters")) {
  const section = form.closest("section");
  const status = section.querySelector(".fit");
  const counts = Object.entries(JSON.parse(form.dataset.counts));
  const marked = [...section.querySelectorAll("[data-of]")];
  const count = (fits) => counts.reduce((sum, [labels, images]) => sum + (fits(labels) ? images : 0), 0);
  const show = () => {
    const chosen = [...form.querySelectorAll("select")].filter((one) => one.value !== "");
    const fits = (labels) => chosen.every((one) => labels.split(" ").includes(one.value));
    for (const one of marked) one.classList.toggle("out", !fits(one.dataset.of));
    for (const none of section.querySelectorAll(".none")) {
      const beside = [...none.parentElement.querySelectorAll("[data-of]")];
      none.hidden = beside.length === 0 || beside.some((one) => !one.classList.contains("out"));
    }
    const all = count(() => true);
    const names = chosen.map((one) => one.dataset.title + ": " + one.selectedOptions[0].dataset.label).join(", ");
    status.textContent = chosen.length === 0 ? "" : names + ". " + count(fits) + " of " + all + " images fit: dots, " +
      "photographs and the table of images show these alone. The fitted curve, the measures and the tables by distortion " +
      "and scene are of all " + all + " images.";
    form.querySelector("button").disabled = chosen.length === 0;
  };
  form.hidden = false;
  form.addEventListener("change", show);
  form.addEventListener("reset", () => setTimeout(show));
  show();
}
`;

/** Unfolds folded sections while the page is printed. */
const PRINTING = `
const folded = () => [...document.querySelectorAll("section > details:not([open])")];
let unfolded = [];
addEventListener("beforeprint", () => {
  unfolded = folded();
  for (const one of unfolded) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of unfolded) one.open = false;
});
`;

const SCRIPT = `${SORTING}${FILTERING}${PRINTING}`;

export const PAGE_SCRIPT = html`<script>${new Html(SCRIPT)}</script>`; // prettier-ignore

/** Source of a content policy that admits this script and no other. */
export const SCRIPT_SOURCE = `'sha256-${createHash("sha256").update(SCRIPT).digest("base64")}'`;
