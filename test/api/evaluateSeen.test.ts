import { createHash } from "node:crypto";
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evaluate } from "../../src/api/evaluate/evaluate.js";
import { load } from "../../src/api/load.js";
import { train } from "../../src/api/train/train.js";
import { DataError } from "../../src/base/errors.js";
import { encoder, picture } from "../data/audit/pictures.js";
import { toyDatabase, toyWeights } from "../support/runs.js";

const TEST_LIST = path.join("toys", "splits2", "1", "toys_test_clip.txt");

/** A finished run over a toy database whose test list names a copy of a training image, under another name. */
async function trainToys(): Promise<{ readonly root: string; readonly run: string; readonly weights: string }> {
  const root = await toyDatabase();
  for (let i = 0; i < 12; i++) {
    await encoder(picture(`train${i}`))
      .png()
      .toFile(path.join(root, "toys", `train${i}.png`));
  }
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
      { images: 5, seen: { images: 1, policy: "drop", nearCopies: 0 } },
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
    expect(await seenOf({ seen: "keep" })).toEqual([{ images: 6, seen: { images: 1, policy: "keep", nearCopies: 0 } }]);
    expect(await seenOf({ subset: "train" })).toEqual([
      { images: 12, seen: { images: 12, policy: "keep", nearCopies: 0 } },
    ]);
  });

  it("says of weights without a record that it does not know", async () => {
    const { databases } = await evaluate(toys.weights, { config: path.join(toys.run, "split-1", "config.yaml") });
    expect(databases.map(({ seen }) => seen)).toEqual([null]);
  });

  it("counts and names near copies of the pictures that training decoded, and scores them", async () => {
    const { training } = JSON.parse(readFileSync(path.join(toys.run, "split-1", "best", "seen.json"), "utf8")) as {
      training: { path: string; look?: string }[];
    };
    expect(training.filter(({ look }) => look !== undefined)).toHaveLength(8); // of 12: two steps of four
    const first = (isDrawn: boolean) => training.find(({ look }) => (look !== undefined) === isDrawn)?.path ?? "";
    const folder = path.join(toys.root, "near");
    mkdirSync(folder);
    const copies = [first(true), first(false)];
    for (const [i, copied] of copies.entries()) {
      const smaller = encoder(picture(path.basename(copied, ".png"))).resize({ width: 235, height: 226 });
      await smaller.jpeg({ quality: 40 }).toFile(path.join(folder, `${i}.jpg`));
    }
    await encoder(picture("another")).png().toFile(path.join(folder, "2.png"));
    const list = path.join(folder, "list.csv");
    writeFileSync(list, "image,mos\n0.jpg,1\n1.jpg,2\n2.png,3\n");
    const notes: string[] = [];
    const onProgress: NonNullable<Parameters<typeof evaluate>[1]>["onProgress"] = (event) => {
      if (event.kind === "note") notes.push(event.line);
    };
    const { databases } = await evaluate(toys.run, { list, images: folder, onProgress });
    expect(databases.map(({ images, seen }) => [images, seen])).toEqual([
      [3, { images: 0, policy: "refuse", nearCopies: 1 }],
    ]);
    const note = `near: 1 of 3 images are near copies of training images, scored all the same: 0.jpg (${copies[0] ?? ""})`;
    expect(notes.filter((text) => text.includes("near copies"))).toEqual([note]);
  });

  it("says of a record without looks that near copies are not known", async () => {
    const folder = path.join(toys.root, "old");
    cpSync(path.join(toys.run, "split-1", "best"), folder, { recursive: true });
    const file = path.join(folder, "seen.json");
    const text = readFileSync(file, "utf8").replaceAll(/,"look":"[^"]*"/g, "");
    writeFileSync(file, text);
    const manifest = JSON.parse(readFileSync(path.join(folder, "manifest.json"), "utf8")) as {
      files: Record<string, { bytes: number; sha256: string }>;
    };
    manifest.files["seen.json"] = { bytes: text.length, sha256: createHash("sha256").update(text).digest("hex") };
    writeFileSync(path.join(folder, "manifest.json"), JSON.stringify(manifest));
    const { databases } = await evaluate(folder, { seen: "keep" });
    expect(databases.map(({ seen }) => seen)).toEqual([{ images: 1, policy: "keep", nearCopies: null }]);
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

  it("nor by those of other prompts; a model that is loaded takes no choices of loading", async () => {
    const own = resultsOf();
    const prompts = path.join(toys.root, "prompts.yaml");
    writeFileSync(prompts, "template: an image with {distortion} artifacts, of {quality} quality\n");
    await evaluate(toys.run, { save: true, seen: "drop", prompts });
    expect(resultsOf()).toBe(own);
    const model = await load(toys.run);
    await expect(evaluate(model, { seen: "drop", prompts, heads: 2 })).rejects.toThrow(
      "evaluate: prompts, heads: the model is loaded already; give these to load",
    );
    model.dispose();
  });
});
