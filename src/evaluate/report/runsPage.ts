/** `runs.html`: several runs side by side, their results, their validation curves, and where their configs differ. */
import { formatDuration } from "../../base/text.js";
import { type BestValidation, CHOOSING_MEASURES } from "../chosenBy.js";
import { MAIN_METRICS, METRICS } from "../metrics/metrics.js";
import type { SavedResults } from "../results/splitSummary.js";
import { fixed } from "../tables/benchmarkTable.js";
import { fileName, html, type Html, scrollingTable } from "./html.js";
import { page } from "./page.js";
import { lineChart } from "./training.js";

/** One split of a run, as the page shows it. */
interface ShownRun {
  /** Name and split, unlike any other's of the page. */
  readonly title: string;
  readonly state: string;
  /** Epochs that are behind it, and those of its config. */
  readonly epoch: number;
  readonly epochs: number | null;
  readonly best: BestValidation | null;
  /** Seconds of its epochs together. */
  readonly seconds: number;
  /** Mean validation SRCC after an epoch, by the optimizer steps until then. */
  readonly validation: readonly { readonly step: number; readonly srcc: number }[];
  /** Of its best checkpoint on its test lists; null until it is finished. */
  readonly results: SavedResults | null;
  /** Address of its own report, relative to the page; null where there is none. */
  readonly report: string | null;
}

/** Key of the configs that is not the same in all of them, with each run's value in the order of the runs. */
interface ConfigDifference {
  readonly key: string;
  readonly values: readonly unknown[];
}

interface RunsData {
  readonly runs: readonly ShownRun[];
  readonly differences: readonly ConfigDifference[];
}

/** Largest number of curves that are told apart in one chart. */
const MOST_CURVES = 16;

/** The page's text: the same for the same data. */
export function runsPage({ runs, differences }: RunsData): string {
  return page({
    title: runs.length === 1 ? (runs[0]?.title ?? "") : `${runs.length} runs`,
    intro: html`<p>Validation chooses a run's best checkpoint; the test lists measure that one.</p>`,
    sections: [
      { id: "runs", title: "Runs", content: runsTable(runs) },
      { id: "results", title: "Results", content: resultsTable(runs) },
      { id: "validation", title: "Validation", content: validationSection(runs) },
      { id: "configs", title: "Configs", content: differencesTable(runs, differences) },
    ],
  });
}

function runsTable(runs: readonly ShownRun[]): Html {
  const rows = runs.map(({ title, report, state, epoch, epochs, best, seconds }) => {
    const name = report === null ? fileName(title) : html`<a href="${report}">${fileName(title)}</a>`;
    return html`<tr>
      <th scope="row">${name}</th>
      <td>${state}</td>
      <td>${epoch} of ${epochs ?? "?"}</td>
      <td>${best === null ? "none" : bestText(best)}</td>
      <td>${formatDuration(seconds)}</td>
    </tr>`;
  });
  return scrollingTable(
    "A run's name leads to its own report",
    ["run", "state", "epochs", "best validation", "time"],
    rows,
  );
}

function resultsTable(runs: readonly ShownRun[]): Html {
  const measured = runs.flatMap(({ title, results }) =>
    (results?.databases ?? []).map((database) => ({ title, database })),
  );
  if (measured.length === 0) return html`<p>No results: none of these runs is finished.</p>`;
  const rows = measured.map(({ title, database }) => {
    const cells = MAIN_METRICS.map((metric) => html`<td>${measureHtml(database[metric])}</td>`);
    return html`<tr>
      <th scope="row">${fileName(title)}</th>
      <td>${database.name}</td>
      <td>${database.subset}</td>
      <td>${database.images}</td>
      ${cells}
    </tr>`;
  });
  const head = ["run", "database", "list", "images", ...MAIN_METRICS.map((metric) => METRICS[metric].title)];
  return scrollingTable("Values, below them their 95 % intervals", head, rows);
}

function measureHtml({ value, low, high }: SavedResults["databases"][number]["srcc"]): Html {
  if (value === null) return html`none`;
  const isKnown = typeof low === "number" && typeof high === "number";
  const interval = isKnown
    ? html`<small>${fixed(low)}&nbsp;to ${fixed(high)}</small>`
    : html`<small>no interval</small>`;
  return html`<data value="${value}">${fixed(value)}</data>${interval}`;
}

function validationSection(runs: readonly ShownRun[]): Html {
  const curves = runs
    .filter(({ validation }) => validation.length > 0)
    .map(({ title, validation }) => ({
      name: title,
      points: validation.map(({ step, srcc }) => [step, srcc] as const),
    }));
  if (curves.length === 0) return html`<p>No validation curve: no epoch has a validation SRCC.</p>`;
  const left = curves.length - MOST_CURVES;
  const note = left > 0 ? ` The first ${MOST_CURVES} runs; ${left} more are in the tables.` : "";
  const chart = lineChart("mean validation SRCC", curves.slice(0, MOST_CURVES), {
    ...{ id: "runs-validation", ordinate: { scale: true }, note },
  });
  return html`<div class="charts">${chart}</div>`;
}

function differencesTable(runs: readonly ShownRun[], differences: readonly ConfigDifference[]): Html {
  if (runs.length < 2) return html`<p>One run: nothing to compare its config with.</p>`;
  if (differences.length === 0) return html`<p>The configs are the same but for the runs' names.</p>`;
  const rows = differences.map(({ key, values }) => {
    const cells = values.map((value) => html`<td>${value === undefined ? "" : fileName(shown(value))}</td>`);
    return html`<tr>
      <th scope="row">${key}</th>
      ${cells}
    </tr>`;
  });
  return scrollingTable(
    "Keys that are not the same in all configs",
    ["key", ...runs.map(({ title }) => fileName(title))],
    rows,
  );
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Highest validation, with its measure. */
function bestText({ measure, value, epoch }: BestValidation): Html {
  return html`<data value="${value}">${CHOOSING_MEASURES[measure]} ${fixed(value)}</data> (epoch ${epoch})`;
}
