import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { keyOf, measureDatabases } from "../../../src/evaluate/evaluate.js";
import { buildLeaderboard } from "../../../src/evaluate/results/leaderboard.js";
import { buildResults } from "../../../src/evaluate/results/results.js";
import type { EvaluatedDatabase, Prediction } from "../../../src/evaluate/scoring/predictions.js";
import { compareRuns, pairedDifference, resampledTTest } from "../../../src/evaluate/statistics/compareRuns.js";
import { formatLeaderboard } from "../../../src/evaluate/tables/leaderboardTable.js";
import { LABELS, prediction } from "../support.js";

const OPTIONS = { protocol: "liqe", labels: LABELS, seed: 3, resamples: 200 } as const;

/** Predictions of the same 80 images by a model of some noise, which shares part of its errors with every other. */
function evaluated(run: string, noise: number, split = 1, name = "kadid10k"): EvaluatedDatabase {
  const own = seededRandom(1, run, split);
  const shared = seededRandom(2, "images", split);
  const predictions = Array.from({ length: 80 }, (_, i) => {
    const mos = 100 * shared.uniform();
    const quality = 1 + (4 * (mos + 20 * shared.normal() + noise * own.normal())) / 100;
    return prediction({ database: name, image: `${i}.png`, mos, quality });
  });
  return { name, split, subset: "test", predictions, failed: [] };
}

function run(checkpoint: string, databases: readonly EvaluatedDatabase[]) {
  return { checkpoint, measured: measureDatabases(databases, OPTIONS) };
}

describe("resampledTTest", () => {
  const differences = [0.02, 0.03, 0.01, 0.04];

  it("is Student's paired test where no images are shared, and less sure the more are tested on", () => {
    // scipy.stats.ttest_1samp([.02, .03, .01, .04], 0): t 3.872983346207417, p 0.030466291662170977
    expect(resampledTTest(differences, 0)).toMatchObject({ degreesOfFreedom: 3 });
    const student = resampledTTest(differences, 0);
    const values = student.difference === null ? [] : [student.difference, student.t, student.p];
    expect(values).toBeAllClose([0.025, 3.872983346207417, 0.030466291662170977]);
    const corrected = resampledTTest(differences, 0.25);
    // By hand: the variance of the mean is (1/4 + 1/4) s² instead of s²/4.
    expect([corrected.difference === null ? NaN : corrected.t]).toBeAllClose([3.872983346207417 / Math.SQRT2]);
  });

  it("has a reason where one split, or no spread, allows no test, and p = 1 where nothing differs", () => {
    expect(resampledTTest([0.1], 0.2)).toEqual({ difference: null, reason: "fewer than two splits" });
    expect(resampledTTest([0.5, 0.5], 0.2)).toEqual({ difference: null, reason: "the same difference in every split" });
    expect(resampledTTest([0, 0, 0], 0.2)).toMatchObject({ difference: 0, t: 0, p: 1 });
  });
});

describe("compareRuns", () => {
  it("tells a better run from a worse one, and gives the opposite difference the other way round", () => {
    const [good, bad] = [run("good", [evaluated("good", 2)]), run("bad", [evaluated("bad", 40)])];
    const { databases, mean } = compareRuns(good, bad, OPTIONS);
    const srcc = databases[0]?.srcc;
    if (srcc?.difference == null || srcc.low === null) throw new Error(JSON.stringify(srcc));
    expect(srcc.low).toBeGreaterThan(0);
    expect(srcc.p).toBeGreaterThan(0);
    expect(srcc.p).toBeLessThan(2 / 201); // which counted resamples could not be
    expect(mean.srcc).toEqual(srcc);
    const back = compareRuns(bad, good, OPTIONS).databases[0]?.srcc;
    if (back?.difference == null || back.low === null) throw new Error(JSON.stringify(back));
    expect([back.difference, back.low, back.high, back.p]).toBeAllClose([
      -srcc.difference,
      -srcc.high,
      -srcc.low,
      srcc.p,
    ]);
  });

  it("pairs the resamples: of two runs with the same errors the difference is 0 in each", () => {
    const same = compareRuns(run("a", [evaluated("a", 9)]), run("b", [evaluated("a", 9)]), OPTIONS);
    expect(same.databases[0]?.srcc).toEqual({ difference: 0, low: 0, high: 0, p: 1 });
  });

  it("has an interval that is narrower than that of two runs resampled apart", () => {
    const [a, b] = [run("a", [evaluated("a", 3)]), run("b", [evaluated("b", 3)])];
    const paired = compareRuns(a, b, OPTIONS).databases[0]?.srcc;
    const others = measureDatabases([evaluated("b", 3)], { ...OPTIONS, seed: 99 })[0];
    const [own] = a.measured;
    if (own === undefined || others === undefined) throw new Error("no measures");
    const apart = pairedDifference(own.metrics.srcc, others.metrics.srcc, 80);
    const width = (one: typeof apart | undefined) => (one?.difference == null || one.low === null ? NaN : one.high - one.low); // prettier-ignore
    expect(width(paired)).toBeLessThan(0.8 * width(apart));
  });

  it("leaves out what one of them has no score of, and counts it", () => {
    const one = evaluated("a", 5);
    const failing = { ...one, predictions: one.predictions.filter((_, i) => i !== 3) };
    const { databases } = compareRuns(run("a", [failing]), run("b", [evaluated("b", 5)]), OPTIONS);
    expect(databases[0]).toMatchObject({ images: 79, leftOut: 1 });
    const without = ({ predictions, ...rest }: EvaluatedDatabase): EvaluatedDatabase => ({ ...rest, predictions: predictions.filter((_: Prediction, i) => i !== 3) }); // prettier-ignore
    const expected = compareRuns(run("a", [failing]), run("b", [without(evaluated("b", 5))]), OPTIONS);
    expect(databases[0]?.srcc).toEqual(expected.databases[0]?.srcc);
  });

  it("tests over splits with the share of test images, and says why where the training lists are not known", () => {
    const of = (name: string, noise: number) => run(name, [1, 2, 3].map((split) => evaluated(name, noise, split))); // prettier-ignore
    const [a, b] = [of("a", 2), of("b", 30)];
    const sizes = new Map(a.measured.map(({ database }) => [keyOf(database), 320]));
    const { databases, overSplits } = compareRuns(a, b, { ...OPTIONS, trainingSizes: sizes });
    const differences = databases.map(({ srcc }) => srcc.difference ?? NaN);
    expect(overSplits?.[0]?.srcc).toEqual(resampledTTest(differences, 80 / 320));
    const unknown = compareRuns(a, b, {
      ...OPTIONS,
      trainingSizes: new Map([[keyOf(evaluated("a", 2)), { reason: "no lists" }]]),
    });
    expect(unknown.overSplits?.[0]?.srcc).toEqual({ difference: null, reason: "no lists" });
  });

  it("refuses runs on different lists", () => {
    const [a, b] = [run("a", [evaluated("a", 2)]), run("b", [evaluated("b", 2, 1, "bid")])];
    expect(() => compareRuns(a, b, OPTIONS)).toThrow("a and b were measured on different lists");
  });
});

describe("buildLeaderboard", () => {
  const entrant = (checkpoint: string, noise: number, trainedOn: readonly string[] | null) => {
    const databases = [evaluated(checkpoint, noise), evaluated(checkpoint, noise + 5, 1, "bid")];
    const measured = measureDatabases(databases, OPTIONS);
    return { checkpoint, trainedOn, results: buildResults(measured, { ...OPTIONS, checkpoint, crops: 15 }), measured };
  };
  const worse = entrant("worse", 60, null);
  const better = entrant("better", 2, ["kadid10k"]);
  const board = buildLeaderboard([worse, better], [compareRuns(worse, better, OPTIONS)]);

  it("ranks by the mean SRCC, with the results' own figures", () => {
    expect(board.entries.map(({ rank, checkpoint }) => [rank, checkpoint])).toEqual([[1, "better"], [2, "worse"]]); // prettier-ignore
    expect(board.entries[0]?.mean).toEqual(better.results.mean);
    expect(board.entries.map(({ notToldApart }) => notToldApart)).toEqual([[], []]);
    expect(board.entries[0]?.databases.map(({ srcc }) => srcc)).toEqual(better.results.databases.map(({ srcc }) => srcc)); // prettier-ignore
  });

  it("names the checkpoints that cannot be told apart, by Holm's p over all comparisons", () => {
    const [a, b, c] = [entrant("a", 9, null), entrant("b", 9.1, null), entrant("c", 90, null)];
    const pairs = [compareRuns(b, a, OPTIONS), compareRuns(c, a, OPTIONS), compareRuns(c, b, OPTIONS)];
    const { entries, comparisons } = buildLeaderboard([a, b, c], pairs);
    const like = new Map(entries.map(({ checkpoint, notToldApart }) => [checkpoint, notToldApart]));
    expect(Object.fromEntries(like)).toEqual({ a: ["b"], b: ["a"], c: [] });
    const ps = comparisons.map(({ mean: { srcc } }) =>
      srcc.difference === null || srcc.low === null ? NaN : [srcc.p, srcc.pHolm ?? NaN],
    );
    expect(ps.flat()).toHaveLength(6);
    for (const pair of ps) if (Array.isArray(pair)) expect(pair[1]).toBeGreaterThanOrEqual(pair[0] ?? NaN);
  });

  it("says which cells of the cross-database matrix were trained on, and nothing of the paper's for other lists", () => {
    const [first, second] = board.crossDatabase.rows;
    expect(board.crossDatabase.testedOn).toEqual(["kadid10k", "bid"]);
    expect(first?.srcc.map(({ seen, published }) => [seen, published])).toEqual([[true, undefined], [false, undefined]]); // prettier-ignore
    expect(second?.srcc.map(({ seen }) => seen)).toEqual([null, null]);
  });

  it("is JSON without NaN, and says the same as a table, as Markdown and as CSV", () => {
    expect(JSON.parse(JSON.stringify(board))).toEqual(board);
    const value = (better.results.databases[1]?.srcc.value ?? NaN).toFixed(3);
    const figures = (cells: (typeof board.crossDatabase.rows)[number]["srcc"]) =>
      cells.map((cell, i) => (i === 1 ? { ...cell, published: 0.677 } : cell));
    const rows = board.crossDatabase.rows.map((one) => ({ ...one, srcc: figures(one.srcc) }));
    const crossDatabase = { ...board.crossDatabase, rows };
    const { text: table, markdown, csv } = formatLeaderboard({ ...board, crossDatabase });
    expect(table).toMatch(/^rank {2}checkpoint {2}kadid10k/m);
    expect(table).toMatch(new RegExp(`^better +kadid10k +\\(\\.?0?\\.\\d{3}\\) +${value}$`, "m"));
    expect(table).toMatch(/^the paper +kadid10k +- +0\.677$/m);
    expect(markdown).toContain("| rank | checkpoint | kadid10k | bid | mean | realigned | like |\n| --- |");
    const lines = csv.trimEnd().split("\n");
    expect(lines).toHaveLength(1 + 2 * (2 * 6 + 3));
    expect(lines.find((line) => line.startsWith("1,better,bid,srcc,"))).toContain(String(better.results.databases[1]?.srcc.value)); // prettier-ignore
  });
});
