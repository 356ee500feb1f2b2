import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { checkDatabases } from "../../../src/data/audit/check.js";
import { checkBeforeTraining } from "../../../src/data/audit/beforeTraining.js";
import { DataConfig } from "../../../src/data/config.js";
import { openDatabases } from "../../../src/data/openDatabases.js";
import { PUBLISHED_LABELS } from "../../../src/model/prompts/labels.js";
import { createFolderAtomically, pngOf } from "../files.js";

const PAIRS = "a,b,p,observers\n1.png,2.png,0.75,20\n./2.png,3.png,0,20\n";
const HELD_OUT = "a,b,p\n4.png,5.png,1\n";
const SCORES = "image,mos\n4.png,3\n5.png,4\n";

async function configOf(entry: object, lists: Readonly<Record<string, string>> = {}): Promise<DataConfig> {
  const folder = createFolderAtomically({ "mine/train.csv": PAIRS, ...lists });
  for (let i = 1; i <= 5; i++) writeFileSync(path.join(folder, "mine", `${i}.png`), await pngOf(230, 240, i));
  const database = { name: "mine", pairs: "train.csv", imagesPerStep: 4, ...entry };
  return DataConfig.parse({ root: folder, databases: [database] });
}

const opened = async (config: DataConfig, number = 1) => (await openDatabases(config, number))[0];

const check = async (config: DataConfig) =>
  checkBeforeTraining(config, 1, {
    ...{ tables: PUBLISHED_LABELS, axes: [], needs: { deviationRemedies: [], scaled: null, fewestImages: 2 } },
    ...{ window: 224, note: () => undefined, report: () => undefined },
  });

describe("a database of pairs", () => {
  it("has the pairs that evaluate --pairs reads, the same image once under two spellings", async () => {
    const database = await opened(await configOf({}));
    const pairs = database?.pairs?.train ?? [];
    expect(pairs.map(({ a, b, p }) => [a.image, b.image, p])).toEqual([
      ["1.png", "2.png", 0.75],
      ["2.png", "3.png", 0],
    ]);
    expect(pairs[1]?.a).toBe(pairs[0]?.b);
    expect([database?.train, database?.val, database?.test, database?.pairs?.val]).toEqual([[], [], [], []]);
  });

  it("is validated on pairs or on scores, by what its list holds", async () => {
    const ofPairs = await opened(await configOf({ val: "val.csv" }, { "mine/val.csv": HELD_OUT }));
    expect(ofPairs?.pairs?.val.map(({ p }) => p)).toEqual([1]);
    expect(ofPairs?.val).toEqual([]);
    const scored = await opened(await configOf({ val: "val.csv", test: "val.csv" }, { "mine/val.csv": SCORES }));
    expect([scored?.pairs?.val, scored?.val.map(({ mos }) => mos), scored?.test.length]).toEqual([[], [3, 4], 2]);
  });

  it("has a list for each split, where its name says so", async () => {
    const config = await configOf({ pairs: "{split}.csv" }, { "mine/2.csv": "a,b,p\n1.png,3.png,0.5\n" });
    expect((await opened(config, 2))?.pairs?.train.map(({ b }) => b.image)).toEqual(["3.png"]);
  });

  it("refuses a test list of pairs, and names the command that judges them", async () => {
    const config = await configOf({ test: "val.csv" }, { "mine/val.csv": HELD_OUT });
    await expect(opened(config)).rejects.toThrow(/val\.csv: is a list of pairs, .*evaluate --checkpoint RUN --pairs/);
  });

  it.each([
    ["a share beyond 1", "a,b,p\n1.png,2.png,1.5\n", "train.csv:2: p must be a share"],
    ["an image with itself", "a,b,p\n1.png,./1.png,1\n", "train.csv:2: 1.png is paired with itself"],
    ["a path that leaves the folder", "a,b,p\n1.png,../2.png,1\n", "leaves the database's folder"],
    ["no list of pairs", "image,mos\n1.png,3\n", "has no column a, b, p"],
  ])("refuses %s", async (_, text, message) => {
    await expect(opened(await configOf({}, { "mine/train.csv": text }))).rejects.toThrow(message);
  });

  it.each([
    [
      "too few pairs for a step",
      { imagesPerStep: 6 },
      {},
      "its training list has 2 pairs, fewer than imagesPerStep: 6 asks for, 3 pairs a step",
    ],
    ["an image that is not there", {}, { "mine/train.csv": `${PAIRS}9.png,1.png,1\n` }, "9.png: no file"],
    [
      "a pair whose image is validated on",
      { val: "val.csv" },
      { "mine/val.csv": "a,b,p\n3.png,5.png,1\n" },
      "3.png: stands in",
    ],
    [
      "versions of one photograph in two lists",
      { val: "val.csv", content: { pattern: "^.*$" } },
      { "mine/val.csv": "a,b,p\n4.png,2.png,1\n" },
      "2.png: stands in",
    ],
  ])("is stopped before training by %s", async (_, entry, lists, message) => {
    // prettier-ignore
    await expect(configOf(entry, lists).then(check)).rejects.toThrow(message);
  });

  it("is checked by data check: its images, its leaks, its numbers", async () => {
    const config = await configOf({ val: "val.csv" }, { "mine/val.csv": "a,b,p\n3.png,5.png,1\n4.png,5.png,0\n" });
    const { findings, counts } = await checkDatabases(config, { tables: PUBLISHED_LABELS });
    expect(findings.map(({ kind, image }) => [kind, image])).toContainEqual(["overlap", "3.png"]);
    expect(counts["mine"]).toMatchObject({ images: 5, train: 3, val: 3, test: 0, mos: null });
    const broken = await configOf({}, { "mine/train.csv": "a,b,p\n1.png,2.png,x\n" });
    const { findings: found } = await checkDatabases(broken, { tables: PUBLISHED_LABELS });
    expect(found.map(({ kind }) => kind)).toEqual(["list-missing"]);
  });

  it("is left without the pairs of images that are dropped", async () => {
    const config = await configOf({ imagesPerStep: 2 });
    const lines = Array.from({ length: 120 }, (_, i) => `many/${i}.png,2.png,1\n`).join("");
    const folder = path.join(config.root, "mine");
    writeFileSync(path.join(folder, "train.csv"), `a,b,p\n${lines}gone.png,1.png,1\n`);
    const { mkdirSync, copyFileSync } = await import("node:fs");
    mkdirSync(path.join(folder, "many"));
    for (let i = 0; i < 120; i++) copyFileSync(path.join(folder, "1.png"), path.join(folder, "many", `${i}.png`));
    const [kept] = await check({ ...config, onMissing: "drop" });
    expect(kept?.pairs?.train).toHaveLength(120);
  });
});

describe("DataConfig with pairs", () => {
  const problemsOf = (entry: object, data: object = {}) => {
    const database = { name: "mine", pairs: "train.csv", imagesPerStep: 4, ...entry };
    const { error } = DataConfig.safeParse({ databases: [database], ...data });
    return error?.issues.map(({ path: at, message }) => `${at.join(".")}: ${message}`) ?? [];
  };

  it.each([
    ["another training list", { train: "x.csv" }, {}, "databases.0.train: does not go with pairs"],
    ["a source", { source: "x.csv" }, {}, "databases.0.source: does not go with pairs"],
    ["one list to split", { list: "x.csv", split: "70/10/20" }, {}, "databases.0.list: does not go with pairs"],
    ["half a pair a step", { imagesPerStep: 5 }, {}, "databases.0.imagesPerStep: must be even with pairs"],
    ["a column of contents", { content: { column: "c" } }, {}, "databases.0.content: must be a pattern with pairs"],
    ["other images in place of unreadable ones", {}, { onUnreadable: "replace" }, "onUnreadable: must be stop"],
    [
      "sizes that divide a step",
      { imagesPerStep: undefined },
      { sampling: "temperature", imagesPerStep: 8 },
      "sampling: must be quota",
    ],
  ])("refuses %s", (_, entry, data, message) => {
    // prettier-ignore
    expect(problemsOf(entry, data).join("\n")).toContain(message);
  });

  it("takes a list of pairs with a list of either kind to validate on", () => {
    expect(problemsOf({ val: "val.csv", test: "test.csv", content: { pattern: "^(.*)_" } })).toEqual([]);
  });
});
