import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { judgePredictions } from "../../src/api/evaluate/judge.js";
import { leaderboard, predictionLeaderboard } from "../../src/api/evaluate/leaderboard.js";
import type { WorkEvent } from "../../src/api/work.js";
import { ConfigError, DataError } from "../../src/base/errors.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { seededRandom } from "../../src/base/random.js";
import { srcc } from "../../src/evaluate/metrics/correlation.js";
import type { Results } from "../../src/evaluate/results/results.js";
import { temporaryFolder, toyDatabase } from "../support/runs.js";

const folder = temporaryFolder();
const random = seededRandom(1, "judge");
const images = Array.from({ length: 40 }, (_, i) => {
  const mos = 1 + random.uniform() * 4;
  return { image: `pictures/${i}.png`, mos, quality: mos + random.uniform() };
});
const value = srcc(images.map(({ quality }) => quality), images.map(({ mos }) => mos)); // prettier-ignore

function write(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

const list = write("labels.csv", ["image,mos", ...images.map(({ image, mos }) => `${image},${mos}`)].join("\n"));

describe("predictions of any model", () => {
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const csv = ["img_name,score", ...images.map(({ image, quality }) => `${path.basename(image)},${quality}`)].join(
    "\n",
  );
  const jsonLines = images.map(({ image, quality }) => JSON.stringify({ image, prediction: quality })).join("\n");
  const array = JSON.stringify(images.map(({ image, quality }) => ({ filename: image, brisque: quality })));
  it.each([
    ["CSV with names alone", "iqa.csv", csv, undefined],
    ["JSON lines", "model.jsonl", jsonLines, undefined],
    ["a JSON array with a column of its own", "model.json", array, "brisque"],
  ])("are measured from %s, against a list", async (_, name, text, column) => {
    const { results } = await judgePredictions(write(name, text), { list, column });
    const [database] = results.databases;
    expect(database).toMatchObject({ name: "labels", images: 40, failed: [], split: null });
    expect(database?.srcc.value).toBe(value.ok ? value.value : NaN);
    expect(database?.sceneAccuracy).toMatchObject({ value: null });
  });

  it("have a noise ceiling by the deviations of a list, and by those of their own", async () => {
    const labels = images.map(({ image, mos }) => `${image},${mos},0.4`);
    const deviating = write("deviating.csv", ["image,mos,mos_std", ...labels].join("\n"));
    const own = images.map(({ image, quality, mos }) => `${image},${quality},${mos},0.4`);
    const file = write("with-own.csv", ["image,quality,mos,mos_std", ...own].join("\n"));
    const ofList = (await judgePredictions(write("iqa.csv", csv), { list: deviating })).results.databases[0];
    const ofFile = (await judgePredictions(file, {})).results.databases[0];
    for (const database of [ofList, ofFile]) {
      expect(database?.noiseCeiling).toMatchObject({ images: 40, opinions: null });
      expect(database?.noiseCeiling.value).toBeGreaterThan(0.85);
      expect(database?.noiseCeiling.value).toBeLessThan(0.99);
    }
    const bad = write("bad.csv", "image,quality,mos,mos_std\na.png,1,2,-1\n");
    await expect(judgePredictions(bad, {})).rejects.toThrow("bad.csv:2: mos_std must be at least 0, got -1");
  });

  it("are measured by their own labels, one entry a database and split, and nothing is written", async () => {
    const lines = images.map(({ image, mos, quality }, i) => `${image},${quality},${mos},${1 + (i % 2)},mine`);
    const file = write("own.csv", ["image,quality,mos,split,database", ...lines].join("\n"));
    const before = readdirSync(folder);
    const { results } = await judgePredictions(file, {});
    expect(results.databases.map(({ name, split, images: count }) => [name, split, count])).toEqual([
      ["mine", 1, 20],
      ["mine", 2, 20],
    ]);
    expect(readdirSync(folder)).toEqual(before);
  });

  it("name the images that are missing, and those that are too many", async () => {
    const lines = images.slice(2).map(({ image, quality }) => `${image},${quality}`);
    const file = write("some.csv", ["image,quality", ...lines, "other.png,3"].join("\n"));
    const notes: string[] = [];
    const onProgress = (event: WorkEvent) => {
      if (event.kind === "note") notes.push(event.line);
    };
    const { results, failed } = await judgePredictions(file, { list, onProgress });
    expect(failed).toBe(2);
    expect(results.databases[0]?.failed.map(({ error }) => error)).toEqual(["no prediction", "no prediction"]);
    expect(notes).toEqual([
      "labels: images without a prediction: 2 (pictures/0.png, pictures/1.png)",
      "labels: predictions for images that are not in the list: 1 (other.png)",
    ]);
  });

  it("are joined by file name only where both sides have it once, whatever database they name beside a list", async () => {
    const lines = images.slice(1).map(({ image, quality }) => `${image},${quality},elsewhere`);
    const file = write("doubled.csv", ["image,quality,database", ...lines, "a/0.png,1,", "b/0.png,5,"].join("\n"));
    const { results, failed } = await judgePredictions(file, { list });
    expect(failed).toBe(1);
    expect(results.databases[0]?.failed.map(({ image }) => image)).toEqual(["pictures/0.png"]);
  });

  it("of databases and splits that a config does not have are counted and named", async () => {
    const root = await toyDatabase();
    const config = path.join(root, "toys.yaml");
    writeFileSync(
      config,
      `run: toys\nmodel: { preset: vit-tiny, weights: none }\ndata: { root: ${root}, databases: [{ name: toys, imagesPerStep: 4 }] }\n`,
    );
    const own = Array.from({ length: 6 }, (_, i) => `test${i}.png,${i},toys,1`);
    const file = write(
      "strays.csv",
      ["image,quality,database,split", ...own, "x.png,1,koniq10k,1", "test0.png,1,toys,2"].join("\n"),
    );
    const notes: string[] = [];
    const onProgress = (event: WorkEvent) => {
      if (event.kind === "note") notes.push(event.line);
    };
    const { results } = await judgePredictions(file, { config, onProgress });
    expect(results.databases).toMatchObject([{ name: "toys", split: 1, images: 6, srcc: { value: 1 } }]);
    expect(notes).toEqual([
      "predictions of databases or splits without a list: 2 (koniq10k/1/x.png, toys/2/test0.png)",
    ]);
    rmSync(root, { recursive: true, force: true });
  });

  it("are judged on the subset of a config that is asked for, and a list's pictures are where they are said to be", async () => {
    const root = await toyDatabase();
    const config = path.join(root, "toys.yaml");
    const data = `data: { root: ${root}, databases: [{ name: toys, imagesPerStep: 4 }] }`;
    writeFileSync(config, `run: toys\nmodel: { preset: vit-tiny, weights: none }\n${data}\n`);
    const own = ["val", "test"].flatMap((subset, at) =>
      Array.from({ length: 6 }, (_, i) => `${subset}${i}.png,${at === 0 ? -i : i}`),
    );
    const file = write("subsets.csv", ["image,quality", ...own].join("\n"));
    const { results } = await judgePredictions(file, { config, subset: "val" });
    expect(results.databases).toMatchObject([{ subset: "val", images: 6, failed: [], srcc: { value: -1 } }]);
    const labels = write("toys.csv", ["image,mos", ...own.slice(6)].join("\n"));
    const out = path.join(folder, "with-images");
    await judgePredictions(file, { list: labels, images: path.join(root, "toys"), out });
    expect(readFileSync(path.join(out, "report.html"), "utf8")).toContain("data:image/webp");
    rmSync(root, { recursive: true, force: true });
  });

  it("are not judged where the results could not be written in the end", async () => {
    const file = write("one.csv", csv);
    const seen: string[] = [];
    const onProgress = ({ kind }: WorkEvent) => void seen.push(kind);
    await expect(judgePredictions(file, { list, out: file, onProgress })).rejects.toThrow("is there and is no folder");
    expect(seen).not.toContain("results");
  });

  it("are refused with every wrong line at once, without labels, and where an image stands twice", async () => {
    const wrong = write("wrong.csv", "image,quality\na.png,good\nb.png,\nc.png,1");
    await expect(judgePredictions(wrong, { list })).rejects.toThrow(
      /2 problems[^]*wrong\.csv:2: quality must[^]*wrong\.csv:3/,
    );
    await expect(judgePredictions(write("bare.csv", "image,quality\na.png,1"), {})).rejects.toThrow(ConfigError);
    const twice = write("twice.csv", "image,quality\npictures/1.png,1\n./pictures/1.png,2");
    await expect(judgePredictions(twice, { list })).rejects.toThrow("stands in line 2 already");
    await expect(judgePredictions(write("none.csv", "image,rating\na.png,1"), { list })).rejects.toThrow(DataError);
  });

  it("of several models make a leaderboard with paired tests", async () => {
    const worse = images.map(({ image }, i) => `${image},${(i * 7) % 40}`);
    const files = [write("good.csv", csv), write("bad.csv", ["image,quality", ...worse].join("\n"))];
    const board = await predictionLeaderboard(files, { list });
    expect(board.entries.map(({ checkpoint }) => path.basename(checkpoint))).toEqual(["good.csv", "bad.csv"]);
    expect(board.comparisons).toHaveLength(1);
    expect(board.comparisons[0]?.databases[0]).toMatchObject({ images: 40, leftOut: 0 });
  });

  it("of each model are written into a folder of their own, whatever the letters of the files' names", async () => {
    const names = ["模型甲.csv", "模型乙.csv", "a b.csv", "a-b.csv", "leaderboard.csv", `${"deep/".repeat(60)}x.csv`];
    mkdirSync(path.dirname(path.join(folder, names.at(-1) ?? "")), { recursive: true });
    const out = path.join(folder, "compared");
    const files = names.map((name) => write(name, csv));
    await predictionLeaderboard(files, { list, out });
    const folders = readdirSync(out, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const judged = folders.map(({ name }) => {
      const { checkpoint } = JSON.parse(readFileSync(path.join(out, name, "results.json"), "utf8")) as Results;
      return checkpoint;
    });
    expect(judged.sort()).toEqual([...files].sort());
    expect(readdirSync(out)).toContain("leaderboard.csv");
  });

  it("of one file are not compared with themselves, in whichever way it is named", async () => {
    const file = write("once.csv", csv);
    const again = `${folder}/x/../once.csv`;
    await expect(predictionLeaderboard([file, `${folder}/./once.csv`], { list })).rejects.toThrow("is named twice");
    await expect(predictionLeaderboard([file], { against: again, list })).rejects.toThrow(ConfigError);
  });

  it("of other databases or splits than the first file's are refused, and not taken for a fault of the program", async () => {
    const rows = (extra: string) => images.map(({ image, mos, quality }) => `${image},${quality},${mos}${extra}`);
    const own = write("own-1.csv", ["image,quality,mos,split", ...rows(",1")].join("\n"));
    const both = write("own-12.csv", ["image,quality,mos,split", ...rows(",1"), ...rows(",2")].join("\n"));
    const live = write("live.csv", ["image,quality,mos,database", ...rows(",live")].join("\n"));
    const bare = write("no-split.csv", ["image,quality,mos", ...rows("")].join("\n"));
    for (const other of [both, live, bare]) {
      await expect(predictionLeaderboard([own, other], {})).rejects.toThrow(DataError);
    }
    await expect(predictionLeaderboard([live, bare], {})).rejects.toThrow(
      `${bare}: its lists (predictions) are not those of ${live} (live); models are compared on the same databases`,
    );
    await expect(predictionLeaderboard([own, bare], { list })).resolves.toMatchObject({ comparisons: [{}] });
  });
});

describe("leaderboard of checkpoints", () => {
  it("tells checkpoints apart whose names have no letter of ASCII", async () => {
    const inside = temporaryFolder();
    const names = ["模型甲", "模型乙"].map((name) => path.join(inside, name));
    await expect(leaderboard(names, { config: "quickstart", split: 1 })).rejects.toThrow(
      `${names[0] ?? ""}: there is no such file or folder`,
    );
  });

  it("of several splits asks for the one to test on, before any of them is opened", async () => {
    const box = path.join(PACKAGE_ROOT, "models", "liqe-small");
    const state = JSON.parse(readFileSync(path.join(box, "state.json"), "utf8")) as Record<string, unknown>;
    const names = [1, 2].map((split) => {
      const checkpoint = temporaryFolder(); // without weights
      writeFileSync(path.join(checkpoint, "manifest.json"), readFileSync(path.join(box, "manifest.json")));
      writeFileSync(path.join(checkpoint, "state.json"), JSON.stringify({ ...state, split }));
      return checkpoint;
    });
    await expect(leaderboard(names, { config: "quickstart" })).rejects.toThrow(
      `name a split by --split (${names[0] ?? ""} of split 1, ${names[1] ?? ""} of split 2)`,
    );
  });
});
