import { rmSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { AugmentConfig } from "../../../src/data/augment/config.js";
import { DEFAULT_IMAGE_OPTIONS } from "../../../src/data/images/loadImage.js";
import { type AugmentOptions, type BatchOptions, createLoader } from "../../../src/data/loader/loader.js";
import type { Database } from "../../../src/data/sample.js";
import { CROP_BYTES } from "../../../src/model/preprocess/crops.js";
import { createFolderAtomically, pngOf } from "../files.js";

const CROPS = 2;
const CLASS = 7;
const IMAGES = { ...DEFAULT_IMAGE_OPTIONS, cacheMB: 0, onUnreadable: "replace" } as const;
const OPTIONS: BatchOptions = { seed: 1, cropsPerImage: CROPS, stepsPerEpoch: 3, scenes: 9, images: IMAGES };

function augment(config: Partial<AugmentConfig> = {}): AugmentOptions {
  const seen = { contents: 2, versions: 3, ...config };
  return { ...AugmentConfig.parse(seen), distortionOf: () => CLASS };
}

let folder = "";
beforeEach(async () => {
  const pngs = await Promise.all([230, 240, 256, 270, 290].map((cols, i) => pngOf(226 + i, cols, i * 40)));
  folder = createFolderAtomically(Object.fromEntries(pngs.map((png, i) => [`${i}.png`, png])));
});

function databases(): Database[] {
  const train = [0, 1, 2, 3, 4].map((i) => {
    const labels = { mos: i, mosStd: null, distortion: i, scenes: [i], list: "l", line: i + 1 };
    return { database: "a", image: `${i}.png`, file: path.join(folder, `${i}.png`), folder, ...labels };
  });
  return [{ name: "a", imagesPerStep: 3, folder, train, val: [], test: [] }];
}

async function batchOf(options: Partial<BatchOptions>, epoch = 0, step = 0) {
  const source = createLoader(databases(), { ...OPTIONS, ...options });
  const batch = await source.get(epoch, step);
  source.close();
  return batch;
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

describe("trainingBatches with augment", () => {
  it("adds versions behind the databases' images, and leaves those as they are without it", async () => {
    const plain = await batchOf({});
    const added = await batchOf({ augment: augment() });
    expect(plain.rankings.groups).toEqual([]);
    expect(added.pixels).toHaveLength((3 + 2 * 3) * CROPS * CROP_BYTES);
    expect(base64(added.pixels.subarray(0, plain.pixels.length))).toBe(base64(plain.pixels));
    expect({ mos: added.mos, databases: added.databases }).toEqual({ mos: plain.mos, databases: plain.databases });
    expect(added.distortions.subarray(0, 3)).toEqual(plain.distortions);
    expect(added.files.slice(0, 3)).toEqual(plain.files);
  });

  it("carries the content's scenes and the new distortion's class from `labelFrom` on", async () => {
    const { files, scenes, distortions, rankings } = await batchOf({ augment: augment({ labelFrom: 3, versions: 5 }) });
    expect(rankings.groups.map(({ levels }) => levels)).toEqual([
      [1, 2, 3, 4, 5],
      [1, 2, 3, 4, 5],
    ]);
    expect([...distortions.subarray(3)]).toEqual([-1, -1, CLASS, CLASS, CLASS, -1, -1, CLASS, CLASS, CLASS]);
    files.slice(3).forEach((file, i) => {
      const content = Number(path.parse(file).name);
      expect(files.slice(0, 3)).toContain(file);
      expect(scenes[(3 + i) * 9 + content]).toBe(1);
      expect(scenes.subarray((3 + i) * 9, (4 + i) * 9).reduce((sum, x) => sum + x, 0)).toBe(1);
    });
    expect(new Set(files.slice(3)).size).toBe(2);
  });

  it("has no class where the run's own labels do not know the type", async () => {
    const unknown = { ...augment(), distortionOf: () => null };
    expect([...(await batchOf({ augment: unknown })).distortions.subarray(3)]).toEqual(Array(6).fill(-1));
  });

  it("gives the same bytes whatever is read ahead, remembered or asked before, and others in other steps", async () => {
    const options = { augment: augment() };
    const source = createLoader(databases(), {
      ...OPTIONS,
      ...options,
      stepsAhead: 3,
      images: { ...IMAGES, cacheMB: 9 },
    });
    const seen = new Set<string>();
    for (const [epoch, step] of [
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 0],
    ] as const) {
      const batch = await source.get(epoch, step);
      const alone = await batchOf({ ...options, stepsAhead: 0 }, epoch, step);
      expect({ ...batch, pixels: base64(batch.pixels) }).toEqual({ ...alone, pixels: base64(alone.pixels) });
      seen.add(base64(batch.pixels.subarray(3 * CROPS * CROP_BYTES)));
    }
    source.close();
    expect(seen.size).toBe(4);
  });

  it("cuts all versions of a content at the same place, the stronger the farther from each other", async () => {
    const options = { augment: augment({ contents: 1, versions: 5, kinds: ["single"], types: ["impulse"] }) };
    const { pixels } = await batchOf(options);
    const version = (i: number) => pixels.subarray((3 + i) * CROPS * CROP_BYTES, (4 + i) * CROPS * CROP_BYTES);
    const differing = (i: number) => version(i).filter((x, at) => x !== version(0)[at]).length / version(0).length;
    expect([1, 2, 3, 4].map(differing)).toBeAllClose([0.004, 0.009, 0.019, 0.029], { rtol: 0.3, atol: 0 }); // the densities' differences; blue is 0 already in some pictures
  });

  it("makes versions of the image that has taken an unreadable one's place", async () => {
    const whole = await batchOf({ augment: augment({ contents: 3 }) });
    rmSync(whole.files[0] ?? "");
    const mended = await batchOf({ augment: augment({ contents: 3 }) });
    expect(mended.unreadable).toHaveLength(1);
    expect(mended.files).toHaveLength(3 + 9);
    expect(new Set(mended.files)).toEqual(new Set(mended.files.slice(0, 3)));
    expect(mended.files).not.toContain(whole.files[0]);
  });

  it("refuses more contents than a step has images", () => {
    expect(() => createLoader(databases(), { ...OPTIONS, augment: augment({ contents: 4 }) })).toThrow(
      "augment.contents: 4 images are to be distorted, a step has 3; lower it",
    );
  });
});
