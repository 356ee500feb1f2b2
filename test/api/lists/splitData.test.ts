import { readFileSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { describeData } from "../../../src/api/describeData.js";
import { splitData } from "../../../src/api/lists/splitData.js";
import { ConfigError, DataError } from "../../../src/base/errors.js";
import { seededRandom } from "../../../src/base/random.js";
import { DataConfig } from "../../../src/data/config.js";
import { openDatabases } from "../../../src/data/openDatabases.js";
import { SUBSETS } from "../../../src/data/sample.js";
import { createFolderAtomically } from "../../data/files.js";

const ROWS = Array.from({ length: 40 }, (_, i) => ({ image: `images/p${i}.png`, mos: 1 + i / 10, std: 0.5, scene: `s${i % 8}` })); // prettier-ignore
const LIST = `image,mos,mos_std,group\n${ROWS.map(({ image, mos, std, scene }) => `${image},${mos},${std},${scene}\n`).join("")}`;
const IMAGES = Object.fromEntries(ROWS.map(({ image }) => [image, "x"]));

/** Lines of a list by its subset. */
function linesOf(folder: string, name: string, split = 1) {
  return SUBSETS.map((subset) => {
    const file = path.join(folder, "splits2", String(split), `${name}_${subset}_clip.txt`);
    return readFileSync(file, "utf8").trim().split("\n");
  });
}

/** A photograph of soft random shapes, as JPEG of a quality. */
async function photograph(seed: number, quality: number): Promise<Buffer> {
  const random = seededRandom(seed, "photograph");
  const pixels = Uint8Array.from({ length: 12 * 12 * 3 }, () => random.integer(256));
  const small = sharp(pixels, { raw: { width: 12, height: 12, channels: 3 } });
  return small.resize(240, 240, { kernel: "cubic" }).jpeg({ quality }).toBuffer();
}

describe("splitData", () => {
  it("writes lists in the published layout, in which no group stands on two sides", async () => {
    const folder = createFolderAtomically({ ...IMAGES, "list.csv": LIST });
    const out = path.join(folder, "parted");
    const told = await splitData(path.join(folder, "list.csv"), { out, by: "group", ratios: "50/25/25", splits: 2 });
    expect(told).toMatchObject({ name: "parted", images: 40, groups: 8, largestGroup: 5, clusters: null });
    expect(told.splits).toEqual(Array(2).fill({ train: 20, val: 10, test: 10 }));
    const sceneOf = new Map(ROWS.map(({ image, scene }) => [image, scene]));
    for (const split of [1, 2]) {
      const sides = linesOf(out, "parted", split).map((lines) => new Set(lines.map((line) => sceneOf.get(line.split("\t")[0] ?? "")))); // prettier-ignore
      expect(sides.map((side) => side.size)).toEqual([4, 2, 2]);
      expect(new Set(sides.flatMap((side) => [...side])).size).toBe(8);
    }
  });

  it("writes lists that are a source with the same scores and deviations", async () => {
    const folder = createFolderAtomically({ ...IMAGES, "list.csv": LIST });
    const out = path.join(folder, "parted");
    await splitData(path.join(folder, "list.csv"), { out, splits: 2 });
    const described = await describeData(out, { images: folder });
    expect(described).toMatchObject({ format: "published", images: 40, missingImages: 0, deviations: { mean: 0.5 } });
    expect(described.splits).toHaveLength(2);
    const data = DataConfig.parse({ databases: [{ name: "mine", source: out, folder, imagesPerStep: 2 }] });
    const [database] = await openDatabases(data, 2);
    const samples = SUBSETS.flatMap((subset) => database?.[subset] ?? []);
    const byImage = new Map(samples.map(({ image, mos, mosStd }) => [image, [mos, mosStd]]));
    expect(byImage).toEqual(new Map(ROWS.map(({ image, mos, std }) => [image, [mos, std]])));
  });

  it("writes lists that are found in a folder named as a subset, and a command that mends their deviations", async () => {
    const list = `image,mos,mos_std\n${ROWS.map(({ image, mos }) => `${image},${20 * mos},0.2\n`).join("")}`;
    const folder = createFolderAtomically({ ...IMAGES, "list.csv": list });
    const out = path.join(folder, "my-test");
    const told = await splitData(path.join(folder, "list.csv"), { out, splits: 2 });
    expect(told.name).toBe("my");
    const described = await describeData(out, { images: folder });
    expect([described.images, described.splits.length, described.ambiguities]).toEqual([40, 2, []]);
    const [, entries = ""] = /data\.databases=(\[.*\])'$/.exec(told.command) ?? [];
    const data = DataConfig.parse({ databases: JSON.parse(entries) as unknown });
    expect(data.databases[0]?.mosStdFactor).toBe(25);
    const [database] = await openDatabases(data, 2);
    expect(SUBSETS.map((subset) => database?.[subset].length)).toEqual([28, 4, 8]);
    expect(database?.train[0]?.mosStd).toBeCloseTo(5);
  });

  it.each([{ few: 0 }, { splits: 0 }, { few: 1.5 }])("refuses %j", async (wrong) => {
    const folder = createFolderAtomically({ ...IMAGES, "list.csv": LIST });
    const splitting = splitData(path.join(folder, "list.csv"), { out: path.join(folder, "parted"), ...wrong });
    await expect(splitting).rejects.toThrow(ConfigError);
  });

  it("names images from the lists' folder where that holds them, so that its name and folder are enough", async () => {
    const folder = createFolderAtomically({ ...Object.fromEntries(ROWS.map(({ image }) => [`mine/${image}`, "x"])), "mine/list.csv": LIST }); // prettier-ignore
    const out = path.join(folder, "mine");
    await splitData(path.join(out, "list.csv"), { out, splits: 1 });
    const data = DataConfig.parse({ root: folder, databases: [{ name: "mine", imagesPerStep: 2 }] });
    const [database] = await openDatabases(data, 1);
    expect(SUBSETS.map((subset) => database?.[subset].length)).toEqual([30, 5, 5]);
    expect(database?.train[0]?.mosStd).toBe(0.5);
  });

  it("keeps near-duplicates on one side, transitively, and shows them on a page", async () => {
    const files: Record<string, Uint8Array> = {};
    const qualities = [95, 60, 30];
    for (let seed = 0; seed < 12; seed++)
      for (const quality of seed < 4 ? qualities : [95]) files[`q${seed}-${quality}.jpg`] = await photograph(seed, quality); // prettier-ignore
    const names = Object.keys(files);
    const list = `image,mos\n${names.map((name, i) => `${name},${i}\n`).join("")}`;
    const folder = createFolderAtomically({ ...files, "list.csv": list });
    const out = path.join(folder, "parted");
    const told = await splitData(path.join(folder, "list.csv"), { out, by: "pixels", splits: 3, ratios: "60/20/20" });
    expect(told.clusters).toEqual([0, 1, 2, 3].map((seed) => qualities.map((quality) => `q${seed}-${quality}.jpg`)));
    for (const split of [1, 2, 3]) {
      const sides = linesOf(out, "parted", split).map((lines) => new Set(lines.map((line) => line.split("-")[0])));
      expect(sides.reduce((sum, { size }) => sum + size, 0)).toBe(12);
    }
    const page = readFileSync(path.join(out, "clusters.html"), "utf8");
    expect(page.match(/data:image\/webp/g)).toHaveLength(12);
    for (const name of told.clusters?.flat() ?? []) expect(page).toContain(name);
    expect(page).not.toContain("q5-95.jpg");
  });

  it("writes the same lists for the same seed, and others for another", async () => {
    const folder = createFolderAtomically({ ...IMAGES, "list.csv": LIST });
    const listsOf = async (out: string, seed: number) => {
      await splitData(path.join(folder, "list.csv"), { out: path.join(folder, out, "x"), seed, splits: 1 });
      return linesOf(path.join(folder, out, "x"), "x");
    };
    const first = await listsOf("a", 5);
    expect(await listsOf("b", 5)).toEqual(first);
    expect(await listsOf("c", 6)).not.toEqual(first);
  });

  it("writes CSV where the published form cannot hold the labels", async () => {
    const scenes = "human|animal|plant|cityscape";
    const list = `image,mos,mos_std,scene\n${ROWS.map(({ image, mos }) => `${image},${mos},0.5,${scenes}\n`).join("")}`;
    const folder = createFolderAtomically({ ...IMAGES, "list.csv": list });
    const out = path.join(folder, "parted");
    expect((await splitData(path.join(folder, "list.csv"), { out, splits: 1 })).form).toBe("csv");
    const data = DataConfig.parse({ root: folder, databases: [{ name: "mine", folder, train: "parted/splits2/1/parted_train_clip.txt", val: "parted/splits2/1/parted_val_clip.txt", test: "parted/splits2/1/parted_test_clip.txt", imagesPerStep: 2 }] }); // prettier-ignore
    const [database] = await openDatabases(data, 1);
    expect(database?.train.every(({ scenes: told, mosStd }) => told.length === 4 && mosStd === 0.5)).toBe(true);
  });

  it("refuses what it would overwrite, shares that are no whole, and a column of groups that is not there", async () => {
    const folder = createFolderAtomically({ ...IMAGES, "list.csv": LIST.replaceAll(/,s\d\n|,group\n/g, "\n") });
    const list = path.join(folder, "list.csv");
    await splitData(list, { out: path.join(folder, "a"), splits: 1 });
    await expect(splitData(list, { out: path.join(folder, "a") })).rejects.toThrow(/has splits2 already/);
    const out = path.join(folder, "b");
    await expect(splitData(list, { out, ratios: "70/20/20" })).rejects.toThrow(ConfigError);
    await expect(splitData(list, { out, by: "group" })).rejects.toThrow(/no column tells groups/);
    await expect(splitData(list, { out, by: "pixels" })).rejects.toThrow(DataError);
  });
});
