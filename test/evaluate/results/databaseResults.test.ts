import { describe, expect, it } from "vitest";
import type { Result } from "../../../src/base/types.js";
import { meanValue } from "../../../src/evaluate/results/databaseResults.js";
import { buildLeaderboard } from "../../../src/evaluate/results/leaderboard.js";
import { plainResults, shownResults, without } from "../shown.js";

const known = (value: number): Result => ({ ok: true, value });
const none = (reason: string): Result => ({ ok: false, reason });

describe("meanValue", () => {
  const of = (result: Result, ...resampled: Result[]) => ({ result, resampled });

  it("means values and their resamples, as many as all lists have", () => {
    const { result, resampled } = meanValue([of(known(1), known(2), known(3)), of(known(4), known(6))]);
    expect([result, resampled]).toEqual([known(2.5), [known(4)]]);
  });

  it("has the first reason where a value is missing, and the share of lists where they are several", () => {
    expect(meanValue([of(none("a"))]).result).toEqual(none("a"));
    expect(meanValue([of(known(1)), of(none("a")), of(none("b"))]).result).toEqual(none("2 of 3 have no value: a"));
    expect(meanValue([])).toEqual(of(none("no database")));
  });
});

describe("buildLeaderboard", () => {
  const entrant = (checkpoint: string, srcc: number | null) => {
    const results = shownResults([
      plainResults({ name: "a", split: 1, noiseCeiling: { value: 0.5, images: 8, opinions: null } }),
      plainResults({ name: "a", split: 2, noiseCeiling: { value: 0.75, images: 8, opinions: null } }),
      plainResults({ name: "b", split: 1, noiseCeiling: { value: 0.9, images: 8, opinions: null }, failed: [{ image: "x", error: "" }] }), // prettier-ignore
      plainResults({ name: "b", split: 2, failed: [{ image: "x", error: "" }] }),
    ]);
    const mean = {
      ...results.mean,
      srcc: srcc === null ? without("none") : ({ value: srcc, low: 0, high: 1 } as const),
    };
    return { checkpoint, trainedOn: null, results: { ...results, mean }, measured: [] };
  };

  it("ranks by the mean, equal ones alike, none without a mean, and counts what failed", () => {
    const { entries, splits, noiseCeilings } = buildLeaderboard(
      [entrant("none", null), entrant("low", -0.5), entrant("one", 0.5), entrant("two", 0.5), entrant("best", 0.75)],
      [],
    );
    expect(entries.map(({ checkpoint, rank, failed }) => [checkpoint, rank, failed])).toEqual([
      ["best", 1, 2],
      ["one", 2, 2],
      ["two", 2, 2],
      ["low", 4, 2],
      ["none", null, 2],
    ]);
    expect(splits).toEqual([1, 2]);
    expect(noiseCeilings).toEqual([{ name: "a", value: 0.625 }, { name: "b", value: null }]); // prettier-ignore
    expect(() => buildLeaderboard([], [])).toThrow("buildLeaderboard: no checkpoint; name at least one");
  });

  it("tells two apart below 5 % by Holm's p, and not where there is no interval", () => {
    const told = { difference: 0.5, low: 0.25, high: 0.75 };
    const alone = { difference: 0.5, low: null, high: null, p: null, intervalReason: "" };
    const compared = (checkpoint: string, against: string, p: number | null) => {
      const srcc = p === null ? alone : { ...told, p };
      return { checkpoint, against, databases: [], mean: { srcc, plcc: alone, krcc: alone } };
    };
    const like = (...comparisons: ReturnType<typeof compared>[]) =>
      buildLeaderboard([entrant("x", 0.75), entrant("y", 0.5), entrant("z", 0.25)], comparisons).entries.map(({ notToldApart }) => notToldApart.join(" ")); // prettier-ignore
    expect(like(compared("x", "y", 0.049))).toEqual(["", "", ""]);
    expect(like(compared("x", "y", 0.05))).toEqual(["y", "x", ""]);
    expect(like(compared("x", "y", 0.03), compared("x", "z", 0.03))).toEqual(["y z", "x", "x"]); // 0.03 twice
    expect(like(compared("y", "z", null))).toEqual(["", "z", "y"]);
  });
});
