/** A leaderboard for people: plain text and Markdown from the same rows, and CSV. */
import { csvRow, foldColumns, plural, wrapText } from "../../base/text.js";
import { CORRELATIONS, MAIN_METRICS, METRICS } from "../metrics/metrics.js";
import { PROTOCOLS } from "../protocols.js";
import type { MetricJson } from "../results/databaseResults.js";
import type { Leaderboard } from "../results/leaderboard.js";
import type { Comparison } from "../statistics/compareRuns.js";
import { cropsText, databaseTitle, fixed, NO_VALUE, valueText } from "./benchmarkTable.js";

type Rows = readonly (readonly string[])[];

/**
 * The leaderboard, the cross-database matrix and the paired tests as texts; CSV has the leaderboard alone.
 * @param columns  of the terminal that the plain text is for: wider tables go on below
 */
export function formatLeaderboard(
  board: Leaderboard,
  columns = Infinity,
): {
  readonly text: string;
  readonly markdown: string;
  readonly csv: string;
} {
  const sections = sectionsOf(board);
  const plain = sections.map(
    ({ title, keys, rows }) => `${wrapText(title, columns)}\n\n${foldColumns(rows, keys, columns)}`,
  );
  const markdown = sections.map(({ title, rows: [heading = [], ...rows] }) =>
    [`## ${title}`, "", ...[heading, heading.map(() => "---"), ...rows].map(markdownRow)].join("\n"),
  );
  return {
    text: `${[...plain, notes(board, columns)].join("\n\n")}\n`,
    markdown: `# Leaderboard\n\n${[...markdown, notes(board)].join("\n\n")}\n`,
    csv: csvOf(board),
  };
}

function markdownRow(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

/** A line a checkpoint, database and metric; the mean over the databases is the database `mean`. */
function csvOf({ entries }: Leaderboard): string {
  const rows = entries.flatMap(({ rank, checkpoint, mean, databases }) => {
    const line = (database: string, metric: string, json: MetricJson) => {
      const low = json.value === null ? "" : (json.low ?? "");
      const high = json.value === null ? "" : (json.high ?? "");
      return [rank ?? "", checkpoint, database, metric, json.value ?? "", low, high];
    };
    return [
      ...databases.flatMap((one) => MAIN_METRICS.map((metric) => line(one.name, metric, one[metric]))),
      ...CORRELATIONS.map((metric) => line("mean", metric, mean[metric])),
    ];
  });
  return [["rank", "checkpoint", "database", "measure", "value", "low", "high"], ...rows].map(csvRow).join("");
}

/** Sections of the page; `keys` of a table's columns say what a row is about. */
function sectionsOf(board: Leaderboard): { readonly title: string; readonly keys: number; readonly rows: Rows }[] {
  return [
    { title: "Leaderboard: SRCC / PLCC", keys: 2, rows: rankingRows(board) },
    {
      title: "Trained on one thing, tested on another: SRCC, in parentheses what was trained on",
      keys: 1,
      rows: crossRows(board),
    },
    ...board.comparisons.map((comparison) => ({
      title: `${comparison.checkpoint} less ${comparison.against}: difference (95 %), p of the paired bootstrap, Holm's over ${plural(board.comparisons.length, "comparison")}`,
      keys: 1,
      rows: comparisonRows(comparison),
    })),
  ];
}

function rankingRows({ entries, noiseCeilings }: Leaderboard): Rows {
  const names = entries[0]?.databases.map(({ name }) => name) ?? [];
  const pair = (srcc: MetricJson, plcc: MetricJson): string => `${valueText(srcc)} / ${valueText(plcc)}`;
  return [
    ["rank", "checkpoint", ...names, "mean", "realigned", "like"],
    ...entries.map(({ rank, checkpoint, databases, mean, pooled, notToldApart }) => [
      rank === null ? NO_VALUE : String(rank),
      checkpoint,
      ...databases.map(({ srcc, plcc }) => pair(srcc, plcc)),
      pair(mean.srcc, mean.plcc),
      valueText(pooled.srcc),
      placesOf(notToldApart, entries),
    ]),
    ...(noiseCeilings.some(({ value }) => value !== null)
      ? [["", "noise ceiling", ...names.map((name) => ceilingText(noiseCeilings, name)), "", "", ""]]
      : []),
  ];
}

function ceilingText(ceilings: Leaderboard["noiseCeilings"], database: string): string {
  const value = ceilings.find(({ name }) => name === database)?.value ?? null;
  return value === null ? NO_VALUE : fixed(value);
}

/** Lines of the table, from 1, that the named checkpoints stand in. */
function placesOf(checkpoints: readonly string[], entries: Leaderboard["entries"]): string {
  const places = entries.flatMap(({ checkpoint }, i) => (checkpoints.includes(checkpoint) ? [i + 1] : []));
  return places.length === 0 ? NO_VALUE : places.join(" ");
}

function crossRows({ crossDatabase: { testedOn, rows } }: Leaderboard): Rows {
  const comparable = rows.find(({ srcc }) => srcc.some(({ published }) => published !== undefined));
  const ofPaper = comparable?.srcc.map(({ published }) => (published === undefined ? NO_VALUE : fixed(published)));
  return [
    ["checkpoint", "trained on", ...testedOn],
    ...rows.map(({ checkpoint, trainedOn, srcc }) => [
      checkpoint,
      trainedOn === null ? "not known" : trainedOn.join(" "),
      ...srcc.map((cell) => (cell.seen === true ? `(${valueText(cell)})` : valueText(cell))),
    ]),
    ...(ofPaper === undefined ? [] : [["the paper", "kadid10k", ...ofPaper]]),
  ];
}

function comparisonRows({ databases, mean, overSplits }: Comparison): Rows {
  return [
    ["", ...CORRELATIONS.map((metric) => METRICS[metric].title)],
    ...databases.map((one) => [databaseTitle(one), ...CORRELATIONS.map((metric) => differenceText(one[metric]))]),
    ["mean", ...CORRELATIONS.map((metric) => differenceText(mean[metric]))],
    ...(overSplits ?? []).map((one) => [
      `${one.name}, t-test over splits`,
      ...CORRELATIONS.map((metric) => {
        const test = one[metric];
        return test.difference === null ? NO_VALUE : `${signed(test.difference)}, p ${pText(test.p)}`;
      }),
    ]),
  ];
}

function differenceText(json: Comparison["mean"]["srcc"]): string {
  if (json.difference === null) return NO_VALUE;
  if (json.low === null) return signed(json.difference);
  const holm = json.pHolm === undefined ? "" : `, Holm ${pText(json.pHolm)}`;
  return `${signed(json.difference)} (${signed(json.low)} to ${signed(json.high)}), p ${pText(json.p)}${holm}`;
}

/** The protocol, the reasons of cells without a value, and the images that were left out. */
function notes({ protocol, protocolVersion, crops, entries, comparisons }: Leaderboard, columns = Infinity): string {
  const { description } = PROTOCOLS[protocol];
  const reasons = entries.flatMap(({ checkpoint, databases }) =>
    databases.flatMap(({ name, srcc, plcc }) =>
      Object.entries({ SRCC: srcc, PLCC: plcc }).flatMap(([title, json]) =>
        json.value === null ? [`${checkpoint}: ${name}: no ${title}: ${json.reason}`] : [],
      ),
    ),
  );
  const failed = entries.flatMap(({ checkpoint, failed: count }) =>
    count === 0 ? [] : [`${checkpoint}: ${plural(count, "image")} without a score, left out`],
  );
  const leftOut = comparisons.flatMap(({ checkpoint, against, databases }) =>
    databases.flatMap(({ name, leftOut: count }) =>
      count === 0
        ? []
        : [
            `${checkpoint} less ${against}: ${name}: ${plural(count, "image")} that one of them has no score of ${count === 1 ? "is" : "are"} left out`,
          ],
    ),
  );
  const how = `protocol ${protocol} (version ${protocolVersion}): ${description}; ${cropsText(crops)}`;
  const like = comparisons.length === 0 ? [] : ["like: lines of the table whose mean SRCC cannot be told from this one's (Holm's p, 5 % over all comparisons)"]; // prettier-ignore
  return [how, ...like, ...reasons, ...failed, ...leftOut].map((note) => wrapText(note, columns)).join("\n");
}

function signed(value: number): string {
  return `${value < 0 ? "-" : "+"}${fixed(Math.abs(value))}`;
}

function pText(p: number): string {
  return p < 0.001 ? "< .001" : p.toFixed(3).replace(/^0/, "");
}
