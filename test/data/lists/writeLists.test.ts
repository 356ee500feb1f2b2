import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { filesIn } from "../../../src/base/folders.js";
import { type FullyListed, writeLists, writeSplits } from "../../../src/data/lists/writeLists.js";
import { createFolderAtomically } from "../files.js";

async function textsIn(folder: string): Promise<Record<string, string>> {
  const names = await filesIn(folder);
  return Object.fromEntries(names.map((name) => [name, readFileSync(path.join(folder, name), "utf8")]));
}

const one: FullyListed = { image: "a.png", mos: "1", mosStd: null, distortion: "", scenes: [] };
const PLACES = [{ train: [0], val: [], test: [] }];

describe("writeLists", () => {
  it("writes the lists of each split by contents, and the whole, in the published form", async () => {
    const folder = createFolderAtomically();
    const images = [
      { image: "a.png", mos: "1.50", distortion: "blur", scenes: ["human", "", "plant", "animal"], part: "x" },
      { image: "b.png", mos: "2.00", distortion: null, scenes: [], part: "y" },
      { image: "c.png", mos: "3.00", distortion: "", scenes: ["sky"], part: "z" },
    ];
    const splits = [new Map([["x", "train"], ["y", "test"]] as const), new Map([["y", "val"]] as const)]; // prettier-ignore
    await writeLists(images, { folder: path.join(folder, "splits2"), name: "mine", splits });
    const a = "a.png\t1.50\tblur\thuman\tinvalid\tplant\n";
    const b = "b.png\t2.00\tinvalid\tinvalid\tinvalid\tinvalid\n";
    expect(await textsIn(folder)).toEqual({
      "splits2/1/mine_train_clip.txt": a,
      "splits2/1/mine_val_clip.txt": "",
      "splits2/1/mine_test_clip.txt": b,
      "splits2/2/mine_train_clip.txt": "",
      "splits2/2/mine_val_clip.txt": b,
      "splits2/2/mine_test_clip.txt": "",
      "splits2/mine_all_clip.txt": `${a}${b}c.png\t3.00\tinvalid\tsky\tinvalid\tinvalid\n`,
    });
  });
});

describe("writeSplits", () => {
  it("writes the published form with deviations beside it, where there are any", async () => {
    const folder = createFolderAtomically();
    const images = [one, { ...one, image: "b.png", mosStd: "0.5", distortion: "blur", scenes: ["a", "b", "c"] }];
    expect(await writeSplits(images, { folder, name: "m", splits: PLACES })).toBe("published");
    const [a, b] = ["a.png\t1\tinvalid\tinvalid\tinvalid\tinvalid\n", "b.png\t1\tblur\ta\tb\tc\n"];
    expect(await textsIn(folder)).toEqual({
      ...{ "1/m_train_clip.txt": a, "1/m_val_clip.txt": "", "1/m_test_clip.txt": "" },
      ...{ "m_all_clip.txt": `${a}${b}`, "m_all.txt": "b.png\t1\t0.5\n" },
    });
    const alone = createFolderAtomically();
    await writeSplits([one], { folder: alone, name: "m", splits: [] });
    expect(Object.keys(await textsIn(alone))).toEqual(["m_all_clip.txt"]);
  });

  it.each([
    ["four scenes", { scenes: ["a", "b", "c", "d"] }, "a.png,1,,,a|b|c|d\n"],
    ["a tab in a name", { image: "a\tb.png" }, "a\tb.png,1,,,\n"],
    ["a blank before a name", { image: " a.png" }, null],
    ["a blank behind a name", { image: "a.png ", distortion: "blur" }, null],
    ["a blank behind a label", { distortion: "blur " }, null],
    ["a line break in a label", { distortion: "blur\nx" }, 'a.png,1,,"blur\nx",\n'],
  ])("writes CSV with deviations where the published form has no place for %s", async (_, odd, row) => {
    const folder = createFolderAtomically();
    const images = [
      { ...one, mosStd: "2" },
      { ...one, ...odd },
    ];
    expect(await writeSplits(images, { folder, name: "m", splits: PLACES })).toBe("csv");
    const texts = await textsIn(folder);
    expect(Object.keys(texts)).not.toContain("m_all.txt");
    expect(texts["1/m_train_clip.txt"]).toBe("image,mos,mos_std,distortion,scene\na.png,1,2,,\n");
    if (row !== null) expect(texts["m_all_clip.txt"]).toBe(`image,mos,mos_std,distortion,scene\na.png,1,2,,\n${row}`);
  });
});
