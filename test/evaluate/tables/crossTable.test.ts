import { describe, expect, it } from "vitest";
import { crossPage } from "../../../src/evaluate/report/crossPage.js";
import { buildCrossMatrix } from "../../../src/evaluate/results/crossMatrix.js";
import type { DatabaseResults } from "../../../src/evaluate/results/databaseResults.js";
import { crossTable } from "../../../src/evaluate/tables/crossTable.js";
import { alone, between, plainResults, shownResults, without } from "../shown.js";
import { expectedPage, expectedText } from "../support.js";

/** Two checkpoints on three configs: two splits of one database, another one, and the first once more in a config of its own. */
function matrix() {
  const evaluation = (trainedOn: readonly string[] | null, ...databases: DatabaseResults[]) => ({
    trainedOn,
    results: shownResults(databases),
  });
  const split = (number: number, srcc: number, images: number) =>
    plainResults({ name: "live", split: number, images, srcc: between(0, srcc, 1), plcc: alone(srcc / 2) });
  const own = ["live"];
  const spaq = (srcc: number) =>
    plainResults({ name: "spaq", srcc: between(0.25, srcc, 0.9375), krcc: alone(-0.0625), plcc: between(0.5, 1, 1) });
  const again = plainResults({ name: "live", images: 30, srcc: without("constant predictions") });
  return buildCrossMatrix(
    ["runs/own/best", "weights.safetensors"],
    ["configs/live.json", "configs/spaq.json", "other/again.json"],
    [
      [evaluation(own, split(1, 0.5, 10), split(2, 0.75, 12)), evaluation(own, spaq(0.875)), evaluation(own, again)],
      [
        evaluation(null, split(1, 0.25, 10), { ...split(2, 0.5, 12), srcc: without("too few images") }),
        evaluation(null, spaq(-0.5)),
        evaluation(null, again),
      ],
    ],
  );
}

describe("buildCrossMatrix", () => {
  it("has a cell for each test set, of several splits the mean, and none where one of them has no value", () => {
    const { tests, rows, protocol, protocolVersion, crops, confidence } = matrix();
    expect({ protocol, protocolVersion, crops, confidence }).toEqual({ protocol: "vqeg4", protocolVersion: 2, crops: 15, confidence: 0.95 }); // prettier-ignore
    expect(tests).toEqual([
      { config: "configs/live.json", database: "live" },
      { config: "configs/spaq.json", database: "spaq" },
      { config: "other/again.json", database: "live" },
    ]);
    const [first, second] = rows;
    const meanOf2 = { low: null, high: null, intervalReason: "the mean over 2 splits" };
    expect(first?.cells[0]).toEqual({
      ...{
        srcc: { value: 0.625, ...meanOf2 },
        plcc: { value: 0.3125, ...meanOf2 },
        krcc: { value: 0.375, ...meanOf2 },
      },
      ...{ images: 22, isTrainedOn: true },
    });
    expect(first?.cells[1]).toEqual({
      ...{ srcc: between(0.25, 0.875, 0.9375), plcc: between(0.5, 1, 1), krcc: alone(-0.0625) },
      ...{ images: 8, isTrainedOn: false },
    });
    expect(second?.cells.map(({ srcc, isTrainedOn }) => [srcc.value, isTrainedOn])).toEqual([[null, null], [-0.5, null], [null, null]]); // prettier-ignore
    expect(second?.cells[0]?.srcc).toEqual({ value: null, reason: "a split has no value" });
    expect(rows.map(({ checkpoint, trainedOn }) => [checkpoint, trainedOn])).toEqual([["runs/own/best", ["live"]], ["weights.safetensors", null]]); // prettier-ignore
  });

  it("means over the test sets that a checkpoint was not trained on, and not where one has no value", () => {
    const evaluation = (...databases: DatabaseResults[]) => ({ trainedOn: ["live"], results: shownResults(databases) });
    const [a, b] = [0.25, 0.75].map((srcc, i) => plainResults({ name: `other${i}`, srcc: alone(srcc) }));
    if (a === undefined || b === undefined) throw new Error("test: two databases");
    const mean = (...databases: DatabaseResults[]) =>
      buildCrossMatrix(["x"], ["c.json"], [[evaluation(plainResults({ name: "live" }), ...databases)]]).rows[0]
        ?.unseenMean.srcc;
    expect([mean(a, b), mean(a, { ...b, srcc: without("none") }), mean()]).toEqual([0.5, null, null]);
    expect(() => buildCrossMatrix([], [], [])).toThrow("buildCrossMatrix: needs a checkpoint and a config");
  });
});

describe("crossTable", () => {
  it("is the text of cross.txt", async () => {
    await expectedText(crossTable(matrix()), "cross.txt");
  });
});

describe("crossPage", () => {
  it("is the page of crossPage.txt", async () => {
    await expectedPage(crossPage(matrix()), "crossPage.txt");
  });

  it("shades by the value, from the lightest for 0 and less to the darkest for 1", () => {
    const [row] = matrix().rows;
    const [cell] = row?.cells ?? [];
    if (row === undefined || cell === undefined) throw new Error("test: a cell");
    const cells = [-1, 0, 0.1249, 0.125, 0.999, 1].map((value) => ({ ...cell, srcc: alone(value) }));
    const page = crossPage({ ...matrix(), rows: [{ ...row, cells }] });
    const [srcc = ""] = /<section id="srcc"[^]*?<\/section>/.exec(page) ?? [];
    expect([...srcc.matchAll(/<td class="h(\d) right"/g)].map(([, shade]) => shade)).toEqual(["1", "1", "1", "2", "8", "8"]); // prettier-ignore
  });
});
