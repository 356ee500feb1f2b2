import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { convertData } from "../../../src/api/lists/convertData.js";
import { softLevels } from "../../../src/base/distributions.js";
import { ConfigError, DataError } from "../../../src/base/errors.js";
import { openImages, type SourceImages } from "../../../src/data/lists/formats/readSource.js";
import { WRITTEN_FORMS, type WrittenForm } from "../../../src/data/lists/formats/names.js";
import { SUBSETS } from "../../../src/data/sample.js";
import { createFolderAtomically } from "../../data/files.js";

const ROWS = Array.from({ length: 12 }, (_, i) => ({
  ...{ image: `images/p${i}.png`, mos: 1.25 + 0.3 * i, std: 0.4 + 0.01 * i, group: `content${i % 4}` },
  ...{ distortion: ["gaussian blur", "jpeg compression", "white noise", ""][i % 4] ?? "", scene: ["human|animal", "plant", ""][i % 3] ?? "" }, // prettier-ignore
}));
const SPLITS = [
  { train: [0, 1, 2, 3, 4, 5, 6], val: [7, 8], test: [9, 10, 11] },
  { train: [5, 6, 7, 8, 9, 10, 11], val: [3, 4], test: [0, 1, 2] },
];

/** A source of these images in our own CSV, with so many of the splits. */
function sourceOf(splits: number, columns: readonly string[] = ["mos_std", "distortion", "scene", "group"]) {
  const names = SPLITS.slice(0, splits).map((_, i) => `official_split_0${i + 1}`);
  const cells = (row: (typeof ROWS)[number], i: number) => [
    ...[row.image, row.mos],
    ...columns.map((column) => ({ mos_std: row.std, distortion: row.distortion, scene: row.scene, group: row.group })[column] ?? ""), // prettier-ignore
    ...names.map((_, n) => SUBSETS.find((subset) => SPLITS[n]?.[subset].includes(i)) ?? ""),
  ];
  const header = ["image", "mos", ...columns, ...names].join(",");
  const list = `${header}\n${ROWS.map((row, i) => cells(row, i).join(",")).join("\n")}\n`;
  const images = Object.fromEntries(ROWS.map(({ image }) => [image, `bytes of ${image}`]));
  return createFolderAtomically({ ...images, "list.csv": list });
}

/** What lists say of their images, by the images' names, and the names of each split's subsets. */
function told({ entries, splits }: SourceImages) {
  const nameOf = (image: string) => path.posix.basename(image.split("::").at(-1) ?? image);
  const known = (labels: readonly string[]) => labels.filter((label) => label !== "" && label !== "invalid");
  const images = entries.map((one) => {
    const { mos, mosStd, content } = one;
    const labels = { distortion: known([one.distortion]), scenes: known(one.scenes), content };
    return [
      nameOf(one.image),
      { mos: Number(mos), mosStd: mosStd === null ? null : Number(mosStd), ...labels },
    ] as const;
  });
  const names = (places: readonly number[]) => places.map((at) => nameOf(entries[at]?.image ?? "")).sort();
  return {
    images: Object.fromEntries(images),
    splits: splits.map(({ train, val, test }) => [names(train), names(val), names(test)]),
  };
}

/** Facts that a form has no place for. */
const LACKS: Readonly<Partial<Record<WrittenForm, readonly ("distortion" | "scenes" | "content")[]>>> = {
  published: ["content"],
  "visualquality-r1": ["distortion", "scenes"],
};

describe("convertData", () => {
  for (const splits of [0, 1, 2]) {
    it.each(WRITTEN_FORMS)(`writes %s with ${splits} splits, which is read as the same`, async (to) => {
      const folder = sourceOf(splits);
      const out = path.join(folder, "written");
      const from = await openImages(path.join(folder, "list.csv"), { images: folder });
      expect(from.splits).toHaveLength(splits);
      const converted = await convertData(path.join(folder, "list.csv"), { to, out, images: folder });
      const lacks = LACKS[to] ?? [];
      expect(converted.notes.filter((note) => note.includes("no place"))).toHaveLength(lacks.length);
      const again = await openImages(out, to === "webdataset" ? {} : { images: folder });
      const expected = told(from);
      const without = {
        ...(lacks.includes("distortion") ? { distortion: [] } : {}),
        ...(lacks.includes("scenes") ? { scenes: [] } : {}),
        ...(lacks.includes("content") ? { content: null } : {}),
      };
      const images = Object.entries(expected.images).map(([name, one]) => [name, { ...one, ...without }] as const);
      expect(told(again)).toEqual({ ...expected, images: Object.fromEntries(images) });
      expect(again.entries.every(({ isThere }) => isThere)).toBe(true);
    });

    it.each(WRITTEN_FORMS)(`writes %s of scores alone with ${splits} splits, which is read as the same`, async (to) => {
      const folder = sourceOf(splits, []);
      const out = path.join(folder, "written");
      const from = await openImages(path.join(folder, "list.csv"), { images: folder });
      await convertData(path.join(folder, "list.csv"), { to, out, images: folder });
      expect(told(await openImages(out, to === "webdataset" ? {} : { images: folder }))).toEqual(told(from));
    });
  }

  it("writes DeQA-Score's soft levels, the excellent one first, its scores and its split", async () => {
    const folder = sourceOf(1);
    const out = path.join(folder, "written");
    await convertData(path.join(folder, "list.csv"), { to: "deqa-score", out, images: folder });
    const read = (name: string) => JSON.parse(readFileSync(path.join(out, name), "utf8")) as unknown;
    const items = read("written_train.json") as { gt_score_norm: number; std_norm: number; level_probs: number[] }[];
    expect(items).toHaveLength(SPLITS[0]?.train.length ?? NaN);
    for (const { gt_score_norm: score, std_norm: deviation, level_probs: levels } of items) {
      expect(levels.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 10);
      expect(levels.reduce((sum, p, i) => sum + p * (5 - i), 0)).toBeCloseTo(score, 1); // as far as DeQA's rule lets it be
      expect(levels).toEqual(softLevels(score, deviation, 5).toReversed());
    }
    expect(items[0]?.level_probs.at(-1)).toBeGreaterThan(0.5); // the lowest score of all
    expect(Object.keys(read("metas/mos.json") as object)).toEqual(ROWS.map(({ image }) => image));
    const names = (places: readonly number[]) => places.map((at) => `p${at}.png`);
    expect(read("metas/split.json")).toEqual({ train: names(SPLITS[0]?.train ?? []), val: names([7, 8]), test: names([9, 10, 11]) }); // prettier-ignore
  });

  it("refuses a folder that holds something, and names that rows with blanks cannot hold", async () => {
    const folder = createFolderAtomically({
      "list.csv": "image,mos\na b.png,1\nc.png,2\n",
      "a b.png": "x",
      "c.png": "x",
    });
    const list = path.join(folder, "list.csv");
    await expect(convertData(list, { to: "csv", out: folder })).rejects.toThrow(ConfigError);
    const out = path.join(folder, "out");
    await expect(convertData(list, { to: "visualquality-r1", out })).rejects.toThrow(DataError);
    await expect(convertData(list, { to: "visualquality-r1", out })).rejects.toThrow('the name "a b.png" has a blank');
  });
});
