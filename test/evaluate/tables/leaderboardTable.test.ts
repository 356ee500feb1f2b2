import { describe, expect, it } from "vitest";
import { CORRELATIONS, MAIN_METRICS, recordOf } from "../../../src/evaluate/metrics/metrics.js";
import type { Leaderboard } from "../../../src/evaluate/results/leaderboard.js";
import type { Comparison } from "../../../src/evaluate/statistics/compareRuns.js";
import { formatLeaderboard } from "../../../src/evaluate/tables/leaderboardTable.js";
import { alone, between, without } from "../shown.js";
import { expectedText } from "../support.js";

type Difference = Comparison["mean"]["srcc"];

/** Three checkpoints on two databases; the last has no SRCC on one of them, and images without a score. */
function board(): Leaderboard {
  const of = (name: string, srcc: number) => ({
    name,
    ...recordOf(MAIN_METRICS, () => between(0.125, 0.25, 0.375)),
    ...{ srcc: between(srcc - 0.125, srcc, srcc + 0.0625), plcc: alone(srcc - 0.0625) },
  });
  const entry = (checkpoint: string, rank: number | null, srcc: number) => ({
    ...{ rank, checkpoint, trainedOn: null, failed: 0, notToldApart: [] as string[] },
    mean: recordOf(CORRELATIONS, () => between(srcc - 0.25, srcc, srcc + 0.03125)),
    pooled: { srcc: between(0.5, srcc - 0.03125, 0.9) },
    databases: [of("live", srcc), of("spaq", srcc - 0.125)],
  });
  const last = entry("c", null, 0.5);
  const none = without("constant predictions");
  const entries: Leaderboard["entries"] = [
    { ...entry("runs/a|b/best", 1, 0.9375), notToldApart: ["b", "c"] },
    { ...entry("b", 2, 0.875), trainedOn: ["kadid10k", "live"], notToldApart: ["runs/a|b/best"] },
    {
      ...{ ...last, failed: 3, trainedOn: ["kadid10k"] },
      mean: { ...last.mean, srcc: without("1 of 2 have no value: constant predictions"), krcc: alone(0.75) },
      databases: [{ ...of("live", 0.5), srcc: none, plcc: none }, of("spaq", 0.25)],
    },
  ];
  const apart: Difference = { difference: 0.0625, low: 0.03125, high: 0.09375, p: 0.00099, pHolm: 0.0029 };
  const alike: Difference = { difference: -0.015625, low: -0.0625, high: 0.03125, p: 0.001 };
  const same: Difference = { difference: 0, low: null, high: null, p: null, intervalReason: "one unit" };
  const nothing: Difference = { difference: null, reason: "constant predictions" };
  const compared = (name: string, split: number | null, leftOut: number) => ({
    ...{ name, split, images: 8, leftOut, resampled: "images" as const },
    ...recordOf(MAIN_METRICS, () => alike),
    ...{ srcc: apart, plcc: same, krcc: nothing },
  });
  const test = { difference: 0.125, t: 3, degreesOfFreedom: 2, p: 0.0456, testToTrain: 0.25 };
  const comparisons: Comparison[] = [
    {
      ...{ checkpoint: "runs/a|b/best", against: "b", mean: { srcc: apart, plcc: alike, krcc: same } },
      databases: [compared("live", 1, 0), compared("spaq", null, 2)],
      overSplits: [
        {
          name: "live",
          ...recordOf(MAIN_METRICS, () => test),
          ...{ plcc: { ...test, difference: -0.125, p: 1 }, krcc: { difference: null, reason: "one" } },
        },
      ],
    },
    { checkpoint: "b", against: "c", mean: { srcc: nothing, plcc: alike, krcc: alike }, databases: [] },
  ];
  return {
    ...{ protocol: "liqe", protocolVersion: 3, crops: 15, seed: 1, confidence: 0.95, splits: [1] },
    noiseCeilings: [{ name: "live", value: null }, { name: "spaq", value: 0.96875 }], // prettier-ignore
    entries,
    crossDatabase: {
      testedOn: ["live", "spaq"],
      rows: [
        { checkpoint: "runs/a|b/best", trainedOn: null, srcc: [{ ...alone(0.9375), seen: null }, { ...alone(0.8125), seen: null }] }, // prettier-ignore
        { checkpoint: "b", trainedOn: ["kadid10k", "live"], srcc: [{ ...alone(0.875), seen: true }, { ...alone(0.75), seen: false }] }, // prettier-ignore
        { checkpoint: "c", trainedOn: ["kadid10k"], srcc: [{ ...without("constant predictions"), seen: false, published: 0.904 }, { ...alone(0.25), seen: false }] }, // prettier-ignore
      ],
    },
    comparisons,
  };
}

describe("formatLeaderboard", () => {
  it("is the text of leaderboard.txt, without a bound on its width", async () => {
    await expectedText(formatLeaderboard(board()).text, "leaderboard.txt");
  });

  it("is the text of leaderboard80.txt in a terminal of 80 columns, which no table passes", async () => {
    const { text } = formatLeaderboard(board(), 80);
    await expectedText(text, "leaderboard80.txt");
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("counts one comparison, and one image that is left out, as one", () => {
    const [first] = board().comparisons;
    if (first === undefined) throw new Error("a board has comparisons");
    const databases = first.databases.map((one) => ({ ...one, leftOut: 1 }));
    const { text } = formatLeaderboard({ ...board(), comparisons: [{ ...first, databases }] });
    expect(text).toContain("Holm's over 1 comparison\n");
    expect(text).toContain("live: 1 image that one of them has no score of is left out\n");
  });

  it("has the same tables in Markdown, where a bar in a name ends no cell", async () => {
    await expectedText(formatLeaderboard(board()).markdown, "leaderboard.md.txt");
  });

  it("has a line a checkpoint, database and measure in CSV, empty where there is no value", async () => {
    await expectedText(formatLeaderboard(board()).csv, "leaderboard.csv.txt");
  });

  it("shows no ceiling, no figures of the paper and no word on comparisons where there are none", () => {
    const { crossDatabase, entries, ...others } = board();
    const { text } = formatLeaderboard({
      ...{ ...others, entries: entries.slice(0, 1), comparisons: [] },
      noiseCeilings: [{ name: "live", value: null }],
      crossDatabase: { ...crossDatabase, rows: crossDatabase.rows.slice(0, 2) },
    });
    expect(text).not.toMatch(/ceiling|the paper|like:|less/);
    const empty = formatLeaderboard({ ...board(), entries: [], comparisons: [] });
    expect(empty.text).toMatch(/^Leaderboard: SRCC \/ PLCC\n\nrank +checkpoint +mean +realigned +like\n/);
  });
});
