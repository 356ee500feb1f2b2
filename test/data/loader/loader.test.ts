import { rmSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_IMAGE_OPTIONS } from "../../../src/data/images/loadImage.js";
import { type BatchOptions, type Batch, createLoader } from "../../../src/data/loader/loader.js";
import type { Database, Sample } from "../../../src/data/sample.js";
import { CROP_BYTES } from "../../../src/model/preprocess/crops.js";
import { createFolderAtomically, pngOf } from "../files.js";

const IMAGES = { ...DEFAULT_IMAGE_OPTIONS, cacheMB: 0, onUnreadable: "stop" } as const;
const OPTIONS: BatchOptions = { seed: 1, cropsPerImage: 2, stepsPerEpoch: 3, scenes: 9, images: IMAGES };

let folder = "";
beforeEach(async () => {
  const sizes = [230, 240, 256, 270, 290];
  const pngs = await Promise.all(sizes.map((cols, i) => pngOf(226 + i, cols, i * 40)));
  folder = createFolderAtomically(Object.fromEntries(pngs.map((png, i) => [`${i}.png`, png])));
});

function sample(database: string, i: number, labels: Partial<Sample> = {}): Sample {
  const image = `${i}.png`;
  const label = { mos: i, mosStd: i / 10, distortion: i, scenes: [i, i + 1] };
  return { database, image, file: path.join(folder, image), folder, list: "l", line: i + 1, ...label, ...labels };
}

function twoDatabases(): Database[] {
  const all = (name: string, extra?: Partial<Sample>) => [0, 1, 2, 3, 4].map((i) => sample(name, i, extra));
  const nothing = { folder, val: [], test: [] };
  return [
    { ...nothing, name: "a", imagesPerStep: 2, train: all("a") },
    { ...nothing, name: "b", imagesPerStep: 3, train: all("b", { mosStd: null, distortion: null, scenes: [] }) },
  ];
}

/** Everything that a batch says, for comparing. */
const facts = (batch: Batch) => ({ ...batch, pixels: Buffer.from(batch.pixels).toString("base64") });

async function steps(options: BatchOptions, order: readonly (readonly [number, number])[]) {
  const source = createLoader(twoDatabases(), options);
  const batches = new Map<string, ReturnType<typeof facts>>();
  for (const [epoch, step] of order) batches.set(`${epoch}:${step}`, facts(await source.get(epoch, step)));
  source.close();
  return batches;
}

const FORWARD = [
  [0, 0],
  [0, 1],
  [0, 2],
  [1, 0],
  [1, 1],
] as const;

describe("trainingBatches", () => {
  it("gives the same bytes whatever is read ahead, remembered or asked before", async () => {
    const plain = await steps({ ...OPTIONS, stepsAhead: 0 }, FORWARD);
    const ahead = await steps({ ...OPTIONS, stepsAhead: 3, images: { ...IMAGES, cacheMB: 1 } }, FORWARD);
    const backward = await steps(OPTIONS, FORWARD.toReversed());
    for (const [place, batch] of plain) {
      expect(ahead.get(place)).toEqual(batch);
      expect(backward.get(place)).toEqual(batch);
    }
    expect(new Set([...plain.values()].map(({ pixels }) => pixels)).size).toBe(5);
  });

  it("reads the pixels of some places alone, with the labels of all", async () => {
    const bytes = 2 * CROP_BYTES;
    const partOf = async (places?: { start: number; end: number }) => {
      const source = createLoader(twoDatabases(), { ...OPTIONS, places });
      const { pixels, ...labels } = await source.get(0, 1);
      source.close();
      return { pixels: Buffer.from(pixels), labels };
    };
    const [all, first, second] = [
      await partOf(),
      await partOf({ start: 0, end: 2 }),
      await partOf({ start: 2, end: 5 }),
    ];
    expect([first.pixels.length, second.pixels.length]).toEqual([2 * bytes, 3 * bytes]);
    expect(Buffer.concat([first.pixels, second.pixels]).equals(all.pixels)).toBe(true);
    for (const { labels } of [first, second]) expect(labels).toEqual(all.labels);
  });

  it("cuts other crops under another seed, and of the same image in another step", async () => {
    const [first] = await steps(OPTIONS, [[0, 0]]).then((batches) => [...batches.values()]);
    const [other] = await steps({ ...OPTIONS, seed: 2 }, [[0, 0]]).then((batches) => [...batches.values()]);
    expect(other?.files.join() === first?.files.join() && other?.pixels === first?.pixels).toBe(false);
    const one = twoDatabases().map((database) => ({ ...database, imagesPerStep: 5 }));
    const source = createLoader(one, { ...OPTIONS, cropsPerImage: 1 });
    const cropOf = async (step: number) => {
      const { files, pixels } = await source.get(0, step);
      const at = files.indexOf(path.join(folder, "4.png")) * CROP_BYTES;
      return Buffer.from(pixels.subarray(at, at + CROP_BYTES)).toString("base64");
    };
    const crops = new Set([await cropOf(0), await cropOf(1), await cropOf(2), await cropOf(3)]);
    source.close();
    expect(crops.size).toBeGreaterThan(1);
  });

  it("lays out databases as blocks, crops by image, with labels and what is missing of them", async () => {
    const source = createLoader(twoDatabases(), OPTIONS);
    const batch = await source.get(0, 0);
    source.close();
    expect(batch.databases).toEqual([
      { name: "a", images: 2, mosSpan: 4, mosLowest: 0 }, // scores 0 to 4
      { name: "b", images: 3, mosSpan: 4, mosLowest: 0 },
    ]);
    expect(batch.pixels).toHaveLength(5 * 2 * CROP_BYTES);
    expect(batch.files).toHaveLength(5);
    batch.files.forEach((file, i) => {
      const number = Number(path.parse(file).name);
      const isLabelled = i < 2;
      expect(batch.mos[i]).toBe(number);
      expect(batch.mosStd[i]).toBe(isLabelled ? number / 10 : null);
      expect(batch.distortions[i]).toBe(isLabelled ? number : -1);
      const scenes = Array.from({ length: 9 }, (_, s) => (isLabelled && (s === number || s === number + 1) ? 1 : 0));
      expect([...batch.scenes.subarray(i * 9, i * 9 + 9)]).toEqual(scenes);
      // blue carries the image's tint: both crops stand where the image does
      for (const crop of [2 * i, 2 * i + 1]) {
        expect(Math.floor((batch.pixels[crop * CROP_BYTES + 2] ?? NaN) / 40)).toBe(number);
      }
    });
  });

  it("goes through each database evenly, across epochs, without a short batch", async () => {
    const batches = await steps({ ...OPTIONS, cropsPerImage: 1 }, FORWARD);
    const files = [...batches.values()].flatMap((batch) => batch.files.slice(2)); // b: 5 steps of 3 = 3 passes of 5
    const counts = [0, 1, 2, 3, 4].map((i) => files.filter((file) => file.endsWith(`${i}.png`)).length);
    expect(counts).toEqual([3, 3, 3, 3, 3]);
  });

  it("reports an unreadable image at the step that needs it, not before", async () => {
    const options = { ...OPTIONS, cropsPerImage: 1, stepsAhead: 4 };
    const planned = [...(await steps(options, FORWARD)).values()].map(({ files }) => files);
    const late = planned.flat().find((file) => !planned[0]?.includes(file)) ?? "";
    const guilty = planned.findIndex((files) => files.includes(late));
    rmSync(late);
    const source = createLoader(twoDatabases(), options);
    for (const [epoch, step] of FORWARD.slice(0, guilty)) await source.get(epoch, step);
    const [epoch, step] = FORWARD[guilty] ?? [NaN, NaN];
    await expect(source.get(epoch, step)).rejects.toThrow(`${late}: cannot be read (ENOENT`);
    source.close();
  });

  it("refuses a database with fewer images than it gives to a step", () => {
    const greedy = twoDatabases().map((database) => ({ ...database, imagesPerStep: 6 }));
    expect(() => createLoader(greedy, OPTIONS)).toThrow(
      "data.databases: a: its training list has 5 images, fewer than imagesPerStep: 6; lower that",
    );
  });
});
