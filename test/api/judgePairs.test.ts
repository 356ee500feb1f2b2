import { symlinkSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { judgePairs } from "../../src/api/evaluate/judgePairs.js";
import { createFolderAtomically } from "../data/files.js";

const SCORES = "image,quality\na.png,3\nb.png,2\nc.png,1\n";

describe("judgePairs", () => {
  it("judges a file of scores by the pairs, and names images without a score", async () => {
    const folder = createFolderAtomically({ "scores.csv": SCORES, "pairs.csv": "a,b,p,observers\na.png,b.png,0.75,20\nc.png,b.png,1,20\nx.png,a.png,0,20\n" }); // prettier-ignore
    const found = await judgePairs(path.join(folder, "pairs.csv"), { predictions: path.join(folder, "scores.csv") });
    expect(found).toMatchObject({ pairs: 2, images: 3, twoAlternative: 0.375, accuracy: 0.5, ceiling: 0.875 });
    expect(found.failed.map(({ image }) => image)).toEqual(["x.png"]);
  });

  it("takes two spellings of a path for one image, and refuses scores that name one twice", async () => {
    const twice = `database,image,quality\nlive,a.png,9\nlive,b.png,1\ncsiq,a.png,0\n`;
    const pairs = "a,b,p\na.png,b.png,0.75\n./a.png,c.png,0.5\n";
    const folder = createFolderAtomically({ "scores.csv": SCORES, "twice.csv": twice, "pairs.csv": pairs });
    const judged = (name: string) => judgePairs(path.join(folder, "pairs.csv"), { predictions: path.join(folder, name) }); // prettier-ignore
    expect(await judged("scores.csv")).toMatchObject({ pairs: 2, images: 3, failed: [] });
    await expect(judged("twice.csv")).rejects.toThrow("twice.csv:4: a.png stands in line 2 already");
  });

  it("refuses links that lead out of the images' folder where it may not follow them, before it opens a model", async () => {
    const elsewhere = createFolderAtomically({ "secret.png": "" });
    const folder = createFolderAtomically({ "pairs.csv": "a,b,p\na.png,b.png,1\n", "a.png": "" });
    symlinkSync(path.join(elsewhere, "secret.png"), path.join(folder, "b.png"));
    const judging = judgePairs(path.join(folder, "pairs.csv"), { checkpoint: "nowhere", followLinks: false });
    await expect(judging).rejects.toThrow("pairs.csv:2: b.png: leads out of the database's folder");
  });

  it.each([
    ["a,b\na.png,b.png\n", "pairs.csv:1: has no column p"],
    ["a,b,p\n", "pairs.csv: holds no pair"],
    ["a,b,p\na.png,b.png,1.5\n", 'pairs.csv:2: p must be a share from 0 to 1 of those who prefer a, got "1.5"'],
    ["a,b,p\na.png,b.png,\n", 'pairs.csv:2: p must be a share from 0 to 1 of those who prefer a, got ""'],
    ["a,b,p\na.png,../b.png,1\n", 'pairs.csv:2: the path "../b.png" leaves'],
    ["a,b,p\na.png,a.png,1\n", "pairs.csv:2: a.png is paired with itself"],
    ["a,b,p\nx.png,y.png,1\n", "pairs.csv: no pair has a score of both images"],
  ])("refuses %j", async (text, message) => {
    const folder = createFolderAtomically({ "scores.csv": SCORES, "pairs.csv": text });
    const judging = judgePairs(path.join(folder, "pairs.csv"), { predictions: path.join(folder, "scores.csv") });
    await expect(judging).rejects.toThrow(message);
  });
});
