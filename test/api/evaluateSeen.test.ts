import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evaluate } from "../../src/api/evaluate.js";
import { train } from "../../src/api/train/train.js";
import { DataError } from "../../src/base/errors.js";
import { toyDatabase, toyWeights } from "../support/runs.js";

const TEST_LIST = path.join("toys", "splits2", "1", "toys_test_clip.txt");

/** A finished run over a toy database whose test list names a copy of a training image, under another name. */
async function trainToys(): Promise<{ readonly root: string; readonly run: string; readonly weights: string }> {
  const root = await toyDatabase();
  copyFileSync(path.join(root, "toys", "train3.png"), path.join(root, "toys", "test2.png"));
  const weights = await toyWeights();
  const config = {
    run: "toys",
    model: { weights },
    data: { root, databases: [{ name: "toys", imagesPerStep: 4 }] },
    prompts: { template: "a photo with {distortion} artifacts, which is of {quality} quality" },
    train: { epochs: 1, stepsPerEpoch: 2, cropsPerImage: 1, learningRate: 1e-3 },
    evaluate: { crops: 1, validationCrops: 1 },
  };
  const { folder } = await train(config, { out: path.join(root, "run") });
  return { root, run: folder, weights };
}

describe("evaluate, on images that the checkpoint was trained on", () => {
  let toys = { root: "", run: "", weights: "" };
  const resultsOf = () => readFileSync(path.join(toys.run, "split-1", "results.json"), "utf8");
  beforeAll(async () => {
    toys = await trainToys();
  });
  afterAll(() => {
    rmSync(toys.root, { recursive: true, force: true });
    rmSync(path.dirname(toys.weights), { recursive: true, force: true });
  });

  it("leaves them out at the end of training, counted", () => {
    const { databases } = JSON.parse(resultsOf()) as { databases: { images: number; seen: unknown }[] };
    expect(databases.map(({ images, seen }) => ({ images, seen }))).toEqual([
      { images: 5, seen: { images: 1, policy: "drop" } },
    ]);
  });

  it("refuses them by default, whatever their names, and names them", async () => {
    const scoring = evaluate(toys.run);
    await expect(scoring).rejects.toThrow(DataError);
    await expect(scoring).rejects.toThrow("1 of 6 images were trained on: test2.png (toys/train3.png)");
  });

  it("scores them where it is told to, and all of a training list", async () => {
    const seenOf = async (options: Parameters<typeof evaluate>[1]) =>
      (await evaluate(toys.run, options)).databases.map(({ images, seen }) => ({ images, seen }));
    expect(await seenOf({ seen: "keep" })).toEqual([{ images: 6, seen: { images: 1, policy: "keep" } }]);
    expect(await seenOf({ subset: "train" })).toEqual([{ images: 12, seen: { images: 12, policy: "keep" } }]);
  });

  it("says of weights without a record that it does not know", async () => {
    const { databases } = await evaluate(toys.weights, { config: path.join(toys.run, "split-1", "config.yaml") });
    expect(databases.map(({ seen }) => seen)).toEqual([null]);
  });

  it("inherits the record of the run that it begins with", async () => {
    const config = readFileSync(path.join(toys.run, "split-1", "config.yaml"), "utf8");
    const folder = path.join(toys.root, "second");
    mkdirSync(folder);
    const file = path.join(folder, "second.yaml");
    writeFileSync(file, config.replace(toys.weights, toys.run).replace("run: toys", "run: second"));
    await train(file, { out: path.join(folder, "run") });
    const { training } = JSON.parse(readFileSync(path.join(folder, "run", "split-1", "best", "seen.json"), "utf8")) as {
      training: unknown[];
    };
    expect(training).toHaveLength(24); // those of the first run, and its own
  });

  it("never overwrites the run's own results by those of another list, protocol or number of crops", async () => {
    const own = resultsOf();
    const folders = () => readdirSync(path.join(toys.run, "split-1", "evaluations")).toSorted();
    const options = { save: true, seen: "drop" } as const;
    await evaluate(toys.run, { ...options, protocol: "raw" });
    await evaluate(toys.run, { ...options, crops: 2 });
    await evaluate(toys.run, {
      ...options,
      list: path.join(toys.root, TEST_LIST),
      images: path.join(toys.root, "toys"),
    });
    const first = folders();
    expect(first).toHaveLength(3);
    expect(first.every((name) => /^toys-[0-9a-f]{8}$/.test(name))).toBe(true);
    await evaluate(toys.run, { ...options, protocol: "raw" });
    expect(folders()).toEqual(first);
    expect(resultsOf()).toBe(own);
    await evaluate(toys.run, options);
    expect(folders()).toEqual(first);
    expect(resultsOf()).toBe(own);
    expect(existsSync(path.join(toys.run, "split-1", "evaluations", first[0] ?? "", "report.html"))).toBe(true);
  });
});
