import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { checkDatabases } from "../../../src/data/audit/check.js";
import { DataConfig } from "../../../src/data/config.js";
import { drawSplits, splitContents } from "../../../src/data/lists/randomSplit.js";
import { openDatabases, recordRandomSplits } from "../../../src/data/openDatabases.js";
import type { Sample } from "../../../src/data/sample.js";
import { PUBLISHED_LABELS } from "../../../src/model/prompts/labels.js";
import { createFolderAtomically } from "../files.js";

/** Twenty photographs with three versions each. */
const ROWS = Array.from({ length: 60 }, (_, i) => `p${i % 20}_v${Math.floor(i / 20)}.png,${i % 7},photo ${i % 20}`);
const LIST = `image,mos,photograph\n${ROWS.join("\n")}\n`;

function config(root: string, database: object = { content: { column: "photograph" } }) {
  const mine = { name: "mine", list: "scores.csv", split: "70/10/20", imagesPerStep: 2, ...database };
  return DataConfig.parse({ root, databases: [mine] });
}
const rootOf = (list = LIST) => createFolderAtomically({ "mine/scores.csv": list });
const imagesOf = (samples: readonly Sample[]) => samples.map(({ image }) => image);
const photographsOf = (samples: readonly Sample[]) => new Set(imagesOf(samples).map((image) => image.split("_")[0]));

async function open(data: DataConfig, split = 1) {
  const [database] = await openDatabases(data, split);
  if (database === undefined) throw new Error("no database");
  return database;
}

describe("a database with list and split", () => {
  it("parts the list by content, 70/10/20, with no photograph in two parts", async () => {
    const { train, val, test } = await open(config(rootOf()));
    expect([train.length, val.length, test.length]).toEqual([42, 6, 12]);
    const parts = [train, val, test].map(photographsOf);
    expect(new Set(parts.flatMap((part) => [...part])).size).toBe(20);
    expect(parts.map((part) => part.size)).toEqual([14, 2, 4]);
    expect(train[0]?.content).toMatch(/^photo \d+$/);
  });

  it("takes contents from a pattern on the path too, and each image for one without either", async () => {
    const byPattern = rootOf(LIST.replaceAll(/,photo.*$/gm, ""));
    const { test } = await open(config(byPattern, { content: { pattern: "^(p\\d+)_" } }));
    expect([test.length, photographsOf(test).size]).toEqual([12, 4]);
    const { test: single } = await open(config(byPattern, {}));
    expect([single.length, photographsOf(single).size > 4]).toEqual([12, true]);
  });

  it("draws the same from the same seed and number, another from another, whatever the order of the lines", async () => {
    const first = await open(config(rootOf()));
    const reordered = `image,mos,photograph\n${[...ROWS].reverse().join("\n")}\n`;
    expect(new Set(imagesOf((await open(config(rootOf(reordered)))).test))).toEqual(new Set(imagesOf(first.test)));
    expect(imagesOf((await open(config(rootOf()), 2)).test)).not.toEqual(imagesOf(first.test));
    const other = config(rootOf(), { content: { column: "photograph" }, splitSeed: 2 });
    expect(imagesOf((await open(other)).test)).not.toEqual(imagesOf(first.test));
  });

  it("keeps to what was written down when the list loses images, and stops at contents that came later", async () => {
    const root = rootOf();
    const data = config(root);
    const before = await open(data);
    await recordRandomSplits(data, [before], 1);
    const list = path.join(root, "mine/scores.csv");
    const record = path.join(root, "mine/splits2/1/mine_contents.json");
    expect(Object.keys(JSON.parse(readFileSync(record, "utf8")) as object)).toEqual([
      "settings",
      "train",
      "val",
      "test",
    ]);
    writeFileSync(list, `image,mos,photograph\n${ROWS.filter((row) => !row.startsWith("p3_")).join("\n")}\n`);
    const after = await open(data);
    expect(imagesOf(after.test)).toEqual(imagesOf(before.test).filter((image) => !image.startsWith("p3_")));
    writeFileSync(list, `${LIST}new_v0.png,3,photo 99\n`);
    await expect(open(data)).rejects.toThrow(
      /mine_contents\.json: 1 content of the list \(photo 99\) came after this split was drawn; move the file away/,
    );
    const { findings } = await checkDatabases(data, { tables: PUBLISHED_LABELS, depth: "lists" });
    expect(findings.filter(({ severity }) => severity === "error").map(({ kind }) => kind)).toEqual(["split"]);
  });

  it("refuses a record of other settings or none at all, and writes over neither", async () => {
    const root = rootOf();
    const data = config(root);
    await recordRandomSplits(data, [await open(data)], 1);
    const other = config(root, { content: { column: "photograph" }, split: "80/10/10" });
    await expect(open(other)).rejects.toThrow('holds a split of other settings (split "70/10/20", now "80/10/10")');
    writeFileSync(path.join(root, "mine/splits2/1/mine_contents.json"), "{}");
    await expect(open(data)).rejects.toThrow("is no split that was written down here");
  });

  it.skipIf(process.getuid?.() === 0)("says so where the split cannot be written down", async () => {
    const root = rootOf();
    const data = config(root);
    chmodSync(path.join(root, "mine"), 0o500);
    await expect(recordRandomSplits(data, [await open(data)], 1)).rejects.toThrow("make the folder writable");
  });

  it("is checked as one list, without writing anything", async () => {
    const root = rootOf();
    const { findings, counts } = await checkDatabases(config(root), { tables: PUBLISHED_LABELS, depth: "lists" });
    expect(findings.map(({ kind, severity }) => `${severity} ${kind}`)).toEqual(["note unlabelled"]);
    expect(counts["mine"]).toMatchObject({ images: 60, train: 42, val: 6, test: 12 });
    expect(existsSync(path.join(root, "mine/splits2"))).toBe(false);
  });

  it("names lines whose content is not told", async () => {
    const gap = rootOf(LIST.replace("p1_v0.png,1,photo 1\n", "p1_v0.png,1,\n"));
    await expect(open(config(gap))).rejects.toThrow(/scores\.csv:3: no content is told by its column for p1_v0\.png/);
    await expect(open(config(rootOf(), { content: { column: "scene_id" } }))).rejects.toThrow('no column "scene_id"');
    const tabs = rootOf("a.png\t1\tblur\thuman\tinvalid\tinvalid\n");
    await expect(open(config(tabs))).rejects.toThrow('a tab-separated list has no column "photograph"');
    await expect(open(config(rootOf("image,mos,photograph\na.png,1,x\nb.png,2,y\n")))).rejects.toThrow("at least 3");
  });
});

describe("splitContents", () => {
  const letters = (count: number) => Array.from({ length: count }, (_, i) => String.fromCharCode(97 + i));
  const sizes = (count: number, shares?: { train: number; val: number; test: number }) => {
    const options = shares === undefined ? { seed: 1, split: 1 } : { seed: 1, split: 1, shares };
    const parts = splitContents(letters(count), options);
    const all = [...parts.train, ...parts.val, ...parts.test];
    expect(all.sort()).toEqual(letters(count)); // each once
    return [parts.train.length, parts.val.length, parts.test.length];
  };

  it("gives each part its share of whole contents, and none of them nothing", () => {
    expect([3, 4, 5, 10, 12, 20].map((count) => sizes(count))).toEqual([
      ...[[1, 1, 1], [2, 1, 1], [3, 1, 1], [7, 1, 2], [9, 1, 2], [14, 2, 4]], // prettier-ignore
    ]);
    expect(sizes(10, { train: 2, val: 49, test: 49 })).toEqual([1, 4, 5]);
    expect(sizes(10, { train: 1, val: 98, test: 1 })).toEqual([1, 8, 1]);
    expect(sizes(10, { train: 1, val: 1, test: 98 })).toEqual([1, 1, 8]);
  });

  it("draws these parts, sorted, from seed and split", () => {
    const { train, val, test } = splitContents(letters(10), { seed: 3, split: 2 });
    expect([train, val, test].map((part) => part.join(""))).toEqual(["abeghij", "f", "cd"]);
    const told = drawSplits(letters(5), 3, 2).map((subsets) => [...subsets].map(([one, subset]) => `${one} ${subset}`));
    expect(told.map((lines) => lines.join(", "))).toEqual([
      "b train, c train, d train, a val, e test",
      "a train, c train, d train, e val, b test",
    ]);
  });

  it("refuses fewer than three", () => {
    expect(() => splitContents(["a", "b"], { seed: 1, split: 1 })).toThrow(
      "splitContents: 2 photograph(s) cannot be parted into train, val and test; give at least 3",
    );
  });
});

describe("the record of a split", () => {
  it("is this text, beside the list, and is told from one of other settings", async () => {
    const root = rootOf();
    const data = config(root);
    const before = await open(data);
    await recordRandomSplits(data, [before], 1);
    const record = path.join(root, "mine/splits2/1/mine_contents.json");
    const text = readFileSync(record, "utf8");
    const photographs = (samples: readonly Sample[]) => [...new Set(samples.map(({ content }) => content))].sort();
    const written = { train: photographs(before.train), val: photographs(before.val), test: photographs(before.test) };
    const settings = { list: "scores.csv", split: "70/10/20", splitSeed: 1, content: { column: "photograph" } };
    expect(text).toBe(`${JSON.stringify({ settings, ...written }, null, 2)}\n`);
    await recordRandomSplits(data, [{ ...before, train: [] }], 1);
    expect(readFileSync(record, "utf8")).toBe(text); // an existing one stays
    const other = config(root, { content: { column: "photograph" }, split: "80/10/10", splitSeed: 5 });
    await expect(open(other)).rejects.toThrow(
      `${record}: holds a split of other settings (split "70/10/20", now "80/10/10"; splitSeed 1, now 5); give those, or move the file away to draw anew`,
    );
    writeFileSync(record, "{}");
    await expect(open(data)).rejects.toThrow(
      `${record}: is no split that was written down here; move it away to draw anew`,
    );
    rmSync(record);
    mkdirSync(record);
    await expect(open(data)).rejects.toThrow(
      /mine_contents\.json: cannot be read \(EISDIR.*\); check its permissions$/,
    );
  });

  it("names the first three contents that came after it", async () => {
    const root = rootOf();
    const data = config(root);
    await recordRandomSplits(data, [await open(data)], 1);
    writeFileSync(
      path.join(root, "mine/scores.csv"),
      `${LIST}${[1, 2, 3, 4].map((i) => `new${i}.png,3,q${i}\n`).join("")}`,
    );
    await expect(open(data)).rejects.toThrow(
      /: 4 contents of the list \(q1, q2, q3\) came after this split was drawn; move the file away to draw anew, or leave them out$/,
    );
  });
});

describe("the config of a database with list and split", () => {
  const problemsOf = (database: object) =>
    DataConfig.safeParse({ databases: [{ name: "mine", imagesPerStep: 2, ...database }] }).error?.issues.map(
      ({ path: place, message }) => `${place.slice(2).join(".")}: ${message}`,
    );

  it.each([
    [{ list: "a.csv" }, "split: is missing; a list needs it, as in 70/10/20"],
    [{ split: "70/10/20" }, "list: is missing; split parts the images of one list"],
    [{ list: "a.csv", split: "70/10/20", test: "t.csv" }, "list: is in place of train, val and test; give either"],
    [{ list: "a.csv", split: "70/20/20" }, "split: must be three parts above 0 that sum up to 100"],
    [{ list: "a.csv", split: "80/20" }, "split: must be three parts of 100"],
    [{ list: "a.csv", split: "70/10/20", content: {} }, "content: must be one of"],
    [{ list: "a.csv", split: "70/10/20", content: { column: "a", pattern: "b" } }, "content: must be one of"],
    [{ list: "a.csv", split: "70/10/20", content: { pattern: "(" } }, "content.pattern: is no regular expression"],
  ])("refuses %j", (database, message) => {
    expect(problemsOf(database)?.[0]).toContain(message);
  });
});
