import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { MAIN_METRICS, type MainMetric } from "../../../src/evaluate/metrics/metrics.js";
import { readResults, type SplitDatabase, summarizeSplits } from "../../../src/evaluate/results/splitSummary.js";
import { splitTable } from "../../../src/evaluate/tables/splitTable.js";
import { temporaryFolder } from "../../support/runs.js";
import { expectedText } from "../support.js";

type Given = Partial<Record<MainMetric, number | null>> & Partial<Pick<SplitDatabase, "published">>;

/** LIQE's figures of KADID-10k, which its published lists bring. */
const KADID = { published: { srcc: 0.93, plcc: 0.931 } };

/** One database's results in one split, each measure the same value where nothing else is given. */
function result(name: string, split: number, { published = null, ...given }: Given = {}): SplitDatabase {
  const measures = MAIN_METRICS.map((measure) => {
    const value = given[measure];
    return [measure, { value: value === undefined ? 0.5 : value }];
  });
  return { name, split, published, ...Object.fromEntries(measures) } as SplitDatabase; // MAIN_METRICS are its other keys
}

describe("summarizeSplits", () => {
  it("gives mean, median, deviation with n - 1 and standard error over the splits", () => {
    const values = [0.9, 0.93, 0.96, 0.97]; // by hand: mean .94, squares .0016 + .0001 + .0004 + .0009 = .003
    const summary = summarizeSplits(values.map((srcc, i) => result("mine", 4 - i, { srcc })));
    const [mine] = summary.databases;
    if (mine === undefined || mine.srcc.mean === null) throw new Error("no summary");
    const { mean, median, standardDeviation, standardError } = mine.srcc;
    expect([mean, median, standardDeviation ?? NaN, standardError ?? NaN]).toBeAllClose(
      [0.94, 0.945, Math.sqrt(0.001), Math.sqrt(0.001) / 2],
      { rtol: 1e-12, atol: 0 },
    );
    expect(mine.splits).toEqual([1, 2, 3, 4]);
    expect(mine.srcc.values).toEqual([0.97, 0.96, 0.93, 0.9]); // in the order of the splits
    expect(mine.srcc).not.toHaveProperty("published");
  });

  it("calls a mean consistent within two errors that are corrected for shared images, and only there", () => {
    // KADID: published .930. Three splits, deviation .01: the corrected error is .01 √(1/3 + 2/7) = .0078680, twice .0157.
    const around = (middle: number) => [middle - 0.01, middle, middle + 0.01];
    const compared = (middle: number) => {
      const summary = summarizeSplits(around(middle).map((srcc, i) => result("kadid10k", i + 1, { srcc, ...KADID })));
      return summary.databases[0]?.srcc;
    };
    expect(compared(0.9457)).toMatchObject({ published: 0.93, isConsistent: true });
    expect(compared(0.9143)).toMatchObject({ isConsistent: true });
    expect(compared(0.9458)).toMatchObject({ isConsistent: false });
    expect(compared(0.9142)).toMatchObject({ isConsistent: false });
  });

  it("compares with nothing where one of the lists is not a published one", () => {
    const lists = [1, 2, 3].map((split) => result("kadid10k", split, split === 2 ? {} : KADID));
    expect(summarizeSplits(lists).databases[0]?.srcc).not.toHaveProperty("published");
  });

  it("cannot say of one split alone whether it is consistent with anything", () => {
    const [kadid] = summarizeSplits([result("kadid10k", 1, { srcc: 0.93, ...KADID })]).databases;
    expect(kadid?.srcc).toMatchObject({ mean: 0.93, standardDeviation: null, standardError: null, isConsistent: null });
  });

  it("has no mean where a split has no value, and says so", () => {
    const summary = summarizeSplits([result("mine", 1, { plcc: null }), result("mine", 2)]);
    expect(summary.databases[0]?.plcc).toEqual({ mean: null, reason: "1 of 2 splits have no value" });
    expect(summary.mean.plcc).toEqual({ mean: null, reason: "1 of 2 splits have no value" });
    expect(summary.mean.srcc.mean).toBe(0.5);
  });

  it("takes the mean of the databases in each split, then over the splits", () => {
    const summary = summarizeSplits([
      result("a", 1, { srcc: 0.2 }),
      result("b", 1, { srcc: 0.4 }),
      result("a", 2, { srcc: 0.6 }),
      result("b", 2, { srcc: 0.8 }),
    ]);
    if (summary.mean.srcc.mean === null) throw new Error("no mean");
    expect(summary.mean.srcc.values).toBeAllClose([0.3, 0.7]);
    expect([summary.mean.srcc.mean]).toBeAllClose([0.5]);
    expect(summary.databases.map(({ name }) => name)).toEqual(["a", "b"]);
  });
});

describe("splitTable", () => {
  const results = [1, 2, 3].flatMap((split) => [
    result("kadid10k", split, { srcc: 0.92 + split / 200, plcc: 0.8 + split / 100, sceneAccuracy: null, ...KADID }),
    result("of-a-very-long-name", split),
  ]);
  const text = splitTable(summarizeSplits(results));

  it("shows means, medians and deviations, and beside them what is published and whether it was met", () => {
    expect(text.split("\n").slice(0, 8)).toEqual([
      "over 3 splits: 1, 2, 3",
      "database                  SRCC       PLCC       KRCC       scene acc. dist. acc.",
      "-".repeat(80),
      "kadid10k      mean        0.930      0.820      0.500      -          0.500",
      "              median      0.930      0.820      0.500      -          0.500",
      "              deviation   0.005      0.010      0.000      -          0.000",
      "              published   0.930      0.931",
      "                          consistent differs",
    ]);
    expect(text.split("\n").slice(8, 10)).toEqual([
      "of-a-very-long-name",
      "              mean        0.500      0.500      0.500      0.500      0.500",
    ]);
  });

  it("fits 80 columns, and says why there is a dash", () => {
    const lines = text.split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBe(80); // the rule's
    expect(text).toContain("kadid10k: no scene acc.: no split has a value");
  });

  it("is the text of splits.txt: values, what is published, and why there is none", async () => {
    const none = { srcc: null, plcc: null };
    const lists = [
      ...[1, 2].map((split) => result("a-long-name-14", split, { srcc: 0.5 * split, krcc: -0.25 * split })), // as wide as its column
      ...[1, 2].map((split) => result("thirteen-wide", split, { srcc: 0.7 + 0.1 * split, ...(split === 2 ? none : {}), ...KADID })), // prettier-ignore
    ];
    await expectedText(splitTable(summarizeSplits([...lists, ...results.slice(0, 1)])), "splits.txt");
  });

  it("has no mean of one database, and no mark where one split allows none", () => {
    const one = splitTable(summarizeSplits([result("mine", 3, { srcc: 0.93, ...KADID })]));
    expect(one.split("\n")).toEqual([
      "over 1 split: 3",
      "database                  SRCC       PLCC       KRCC       scene acc. dist. acc.",
      "-".repeat(80),
      "mine          mean        0.930      0.500      0.500      0.500      0.500",
      "              median      0.930      0.500      0.500      0.500      0.500",
      "              deviation   -          -          -          -          -",
      "              published   0.930      0.931",
      "",
      ...one.split("\n").slice(8),
    ]);
    expect(splitTable(summarizeSplits([result("mine", 3)]))).not.toMatch(/published|consistent|\nmean/);
  });
});

describe("readResults", () => {
  const folder = temporaryFolder();
  const file = path.join(folder, "results.json");
  const again = "evaluate that split again: liqe evaluate --checkpoint";
  const measures = Object.fromEntries(MAIN_METRICS.map((measure) => [measure, { value: 0.5, low: null, high: 0.75 }]));
  const database = { name: "mine", split: null, subset: "test", images: 8, ...measures };
  const saved = { protocol: "liqe", protocolVersion: 3, checkpoint: "best", crops: null, databases: [database] };
  const read = (text: string) => {
    writeFileSync(file, text);
    return readResults(file);
  };

  it("reads what it needs, without figures where earlier versions have none", async () => {
    expect(await read(JSON.stringify({ ...saved, seed: 1 }))).toEqual({ ...saved, databases: [{ ...database, published: null }] }); // prettier-ignore
  });

  it("says what is wrong, and what to do", async () => {
    await expect(read("{")).rejects.toThrow(`${file}: cannot be read as JSON; ${again}`);
    await expect(read("{")).rejects.toMatchObject({ cause: expect.any(SyntaxError) as unknown });
    const broken = { ...saved, crops: 1.5, databases: [{ ...database, images: "8", srcc: undefined }] };
    await expect(read(JSON.stringify(broken))).rejects.toThrow(
      `${file}: crops: Invalid input: expected int, received number; databases.0.images: Invalid input: expected number, received string; databases.0.srcc: Invalid input: expected object, received undefined; ${again}`,
    );
  });
});
