/** A leaderboard for people: plain text, Markdown and CSV, from the same rows. */
import { csvRow } from "../../base/text.js";
import { PROTOCOLS } from "../protocols.js";
import type { Comparison } from "../results/compareRuns.js";
import type { Leaderboard } from "../results/leaderboard.js";
import { LEADERBOARD_MEASURES } from "../results/leaderboard.js";
import type { MetricJson } from "../results/metricJson.js";
import { fixed } from "./benchmarkTable.js";

type Rows = readonly (readonly string[])[];

const NOTHING = "-";

/** The leaderboard, the cross-database matrix and the paired tests, in columns. */
export function leaderboardTable(board: Leaderboard): string {
  const sections = sectionsOf(board).map(({ title, rows }) => `${title}\n\n${columns(rows)}`);
  return `${[...sections, ...notes(board)].join("\n\n")}\n`;
}

export function leaderboardMarkdown(board: Leaderboard): string {
  const sections = sectionsOf(board).map(({ title, rows: [heading = [], ...rows] }) =>
    [`## ${title}`, "", ...[heading, heading.map(() => "---"), ...rows].map(markdownRow)].join("\n"),
  );
  return `# Leaderboard\n\n${[...sections, ...notes(board)].join("\n\n")}\n`;
}

/** A line a checkpoint, database and measure; the mean over the databases is the database `mean`. */
export function leaderboardCsv({ entries }: Leaderboard): string {
  const rows = entries.flatMap(({ rank, checkpoint, mean, databases }) => {
    const line = (database: string, measure: string, json: MetricJson) => {
      const low = json.value === null ? "" : (json.low ?? "");
      const high = json.value === null ? "" : (json.high ?? "");
      return [rank ?? "", checkpoint, database, measure, json.value ?? "", low, high];
    };
    return [
      ...databases.flatMap((one) => LEADERBOARD_MEASURES.map((measure) => line(one.name, measure, one[measure]))),
      ...(["srcc", "plcc", "krcc"] as const).map((measure) => line("mean", measure, mean[measure])),
    ];
  });
  return [["rank", "checkpoint", "database", "measure", "value", "low", "high"], ...rows].map(csvRow).join("");
}

function sectionsOf(board: Leaderboard): { readonly title: string; readonly rows: Rows }[] {
  return [
    { title: "Leaderboard: SRCC / PLCC", rows: rankingRows(board) },
    {
      title: "Trained on one thing, tested on another: SRCC, in parentheses what was trained on",
      rows: crossRows(board),
    },
    ...board.comparisons.map((comparison) => ({
      title: `${comparison.checkpoint} less ${comparison.against}: difference (95 %), p of the paired bootstrap`,
      rows: comparisonRows(comparison),
    })),
  ];
}

function rankingRows({ entries }: Leaderboard): Rows {
  const names = entries[0]?.databases.map(({ name }) => name) ?? [];
  const pair = (srcc: MetricJson, plcc: MetricJson): string => `${valueText(srcc)} / ${valueText(plcc)}`;
  return [
    ["rank", "checkpoint", ...names, "mean", "realigned"],
    ...entries.map(({ rank, checkpoint, databases, mean, pooled }) => [
      rank === null ? NOTHING : String(rank),
      checkpoint,
      ...databases.map(({ srcc, plcc }) => pair(srcc, plcc)),
      pair(mean.srcc, mean.plcc),
      valueText(pooled.srcc),
    ]),
  ];
}

function crossRows({ crossDatabase: { testedOn, rows } }: Leaderboard): Rows {
  const hasPublished = rows.some(({ srcc }) => srcc.some(({ published }) => published !== undefined));
  return [
    ["checkpoint", "trained on", ...testedOn],
    ...rows.map(({ checkpoint, trainedOn, srcc }) => [
      checkpoint,
      trainedOn === null ? "not known" : trainedOn.join(" "),
      ...srcc.map((cell) => (cell.seen === true ? `(${valueText(cell)})` : valueText(cell))),
    ]),
    ...(hasPublished
      ? rows
          .filter(({ srcc }) => srcc.some(({ published }) => published !== undefined))
          .map(({ srcc }) => [
            "the paper",
            "kadid10k",
            ...srcc.map(({ published }) => (published === undefined ? NOTHING : fixed(published))),
          ])
          .slice(0, 1)
      : []),
  ];
}

const SHOWN = ["srcc", "plcc", "krcc"] as const;

function comparisonRows({ databases, mean, overSplits }: Comparison): Rows {
  return [
    ["", ...SHOWN.map((measure) => measure.toUpperCase())],
    ...databases.map((one) => [
      one.split === null ? one.name : `${one.name}, split ${one.split}`,
      ...SHOWN.map((measure) => differenceText(one[measure])),
    ]),
    ["mean", ...SHOWN.map((measure) => differenceText(mean[measure]))],
    ...(overSplits ?? []).map((one) => [
      `${one.name}, t-test over splits`,
      ...SHOWN.map((measure) => {
        const test = one[measure];
        return test.difference === null ? NOTHING : `${signed(test.difference)}, p ${pText(test.p)}`;
      }),
    ]),
  ];
}

function differenceText(json: Comparison["mean"]["srcc"]): string {
  if (json.difference === null) return NOTHING;
  if (json.low === null) return signed(json.difference);
  return `${signed(json.difference)} (${signed(json.low)} to ${signed(json.high)}), p ${pText(json.p)}`;
}

/** What the tables leave out: how it was measured, and why there are dashes. */
function notes({ protocol, protocolVersion, crops, entries, comparisons }: Leaderboard): string[] {
  const { description } = PROTOCOLS[protocol];
  const reasons = entries.flatMap(({ checkpoint, databases }) =>
    databases.flatMap(({ name, srcc, plcc }) =>
      Object.entries({ SRCC: srcc, PLCC: plcc }).flatMap(([title, json]) =>
        json.value === null ? [`${checkpoint}: ${name}: no ${title}: ${json.reason}`] : [],
      ),
    ),
  );
  const failed = entries.flatMap(({ checkpoint, failed: count }) =>
    count === 0 ? [] : [`${checkpoint}: ${count} images have no score and are left out`],
  );
  const leftOut = comparisons.flatMap(({ checkpoint, against, databases }) =>
    databases.flatMap(({ name, leftOut: count }) =>
      count === 0
        ? []
        : [`${checkpoint} less ${against}: ${name}: ${count} images that one of them has no score of are left out`],
    ),
  );
  const how = `protocol ${protocol} (version ${protocolVersion}): ${description}; ${crops} crops an image`;
  return [[how, ...reasons, ...failed, ...leftOut].join("\n")];
}

function columns(rows: Rows): string {
  const widths = (rows[0] ?? []).map((_, c) => rows.reduce((most, row) => Math.max(most, row[c]?.length ?? 0), 0));
  return rows.map((row) => row.map((cell, c) => cell.padEnd(widths[c] ?? 0)).join("  ").trimEnd()).join("\n"); // prettier-ignore
}

function markdownRow(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function valueText(json: MetricJson): string {
  return json.value === null ? NOTHING : fixed(json.value);
}

function signed(value: number): string {
  return `${value < 0 ? "-" : "+"}${fixed(Math.abs(value))}`;
}

function pText(p: number): string {
  return p < 0.001 ? "< .001" : p.toFixed(3).replace(/^0/, "");
}
