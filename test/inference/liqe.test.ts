import { readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { decodeImage, DEFAULT_IMAGE_OPTIONS } from "../../src/data/images/loadImage.js";
import * as tf from "../../src/engine/tf.js";
import { scoreImages, type ScoreOptions } from "../../src/evaluate/scoring/scoreImages.js";
import type { ExportSource } from "../../src/export/exportFormat.js";
import type { ExportDtype } from "../../src/inference/manifest.js";
import { goldenImage } from "../../src/export/golden/goldenImages.js";
import { Liqe, type LiqeScore, type PixelImage } from "../../src/inference/index.js";
import { LiqeModel } from "../../src/model/liqe.js";
import type { Posterior } from "../../src/model/posterior.js";
import type { Image } from "../../src/model/preprocess/image.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import { ModelScorer } from "../../src/model/scorer.js";
import { describeOnEachEngine } from "../support/eachEngine.js";
import { livelySource, TOY_STEM, toySource, toyTfjs } from "../support/exports.js";
import { temporaryFolder, TOY_ARCHITECTURE } from "../support/runs.js";

/** Quality and probabilities of one engine, in batches of other sizes (logits are scaled by 100). */
const SAME_ENGINE = { rtol: 0, atol: 1e-4 };
/** What an export may differ by, as the parity gate has it. */
const STORED: Readonly<Partial<Record<ExportDtype, number>>> = { f16: 1e-2, uint8: 0.1 };

const PHOTO = join(PACKAGE_ROOT, "examples", "photos", "hubble.jpg");
/** Larger than 768 on both sides, so that it is reduced; without loss, so that both readers see the same. */
let large: string;

beforeAll(async () => {
  large = join(temporaryFolder(), "large.png");
  await sharp(join(PACKAGE_ROOT, "examples", "photos", "astronaut.jpg"))
    .resize(1000, 900, { fit: "fill" })
    .toFile(large);
});

const pixelsOf = ({ rows, cols, pixels }: Image): PixelImage => ({ width: cols, height: rows, data: pixels });
const load = (folder: string) => Liqe.load((name) => readFile(join(folder, name)));

/** What `liqe predict` says of a file. */
async function predicted(file: string, { weights, grid }: ExportSource): Promise<Posterior> {
  const model = new LiqeModel(weights, grid);
  try {
    const options: ScoreOptions = { crops: 15, microBatch: 32, order: "given", images: DEFAULT_IMAGE_OPTIONS };
    for await (const scored of scoreImages([file], new ModelScorer(model), options)) {
      if (scored.ok) return scored.posterior;
      throw new Error(scored.error);
    }
    throw new Error("test: no score");
  } finally {
    model.dispose();
  }
}

function expectSame(score: LiqeScore, posterior: Posterior): void {
  expect([score.quality]).toBeAllClose([posterior.quality], SAME_ENGINE);
  for (const axis of ["quality", "scene", "distortion"] as const) {
    const probabilities = Object.values(score.probabilities[axis] ?? {});
    expect(probabilities).toBeAllClose(posterior.probabilities[axis], SAME_ENGINE);
  }
  expect([score.scene, score.distortion]).toEqual([posterior.scene, posterior.distortion]);
}

describeOnEachEngine("Liqe", () => {
  it.each([
    ["CLIP's patches", TOY_ARCHITECTURE],
    ["a stem", TOY_STEM],
  ])("scores photographs as liqe predict does, reduced ones too: %s", async (_, architecture) => {
    const toy = livelySource(architecture);
    const liqe = await load(await toyTfjs("f32", toy));
    const scores: number[] = [];
    for (const file of [PHOTO, large]) {
      const score = await liqe.score(pixelsOf(await decodeImage(file)));
      expectSame(score, await predicted(file, toy.source));
      expect(score.crops).toHaveLength(15);
      scores.push(score.quality);
    }
    // else a model that says the same of everything would pass
    expect(Math.abs((scores[0] ?? NaN) - (scores[1] ?? NaN))).toBeGreaterThan(100 * SAME_ENGINE.atol);
    liqe.dispose();
  });

  it.each(["f16", "uint8"] as const)("differs a little with weights in %s, and no more than it may", async (dtype) => {
    const toy = toySource();
    const liqe = await load(await toyTfjs(dtype, toy));
    const image = await decodeImage(PHOTO);
    const { quality } = await liqe.score(pixelsOf(image));
    const difference = Math.abs(quality - (await predicted(PHOTO, toy.source)).quality);
    expect(difference).toBeGreaterThan(0);
    expect(difference).toBeLessThan(STORED[dtype] ?? NaN);
    liqe.dispose();
  });

  it("leaves out what the prompts do not ask", async () => {
    const toy = toySource(undefined, promptGrid("a photo with {distortion} artifacts, which is of {quality} quality"));
    const liqe = await load(await toyTfjs("f32", toy));
    const score = await liqe.score(pixelsOf(goldenImage(3)));
    expect(score.scene).toBeNull();
    expect(Object.keys(score.probabilities)).toEqual(["quality", "distortion"]);
    liqe.dispose();
  });

  it("keeps its weights until it is disposed of, and nothing of what it scored", async () => {
    const folder = await toyTfjs("uint8");
    const before = tf.memory().numTensors;
    const liqe = await load(folder);
    const loaded = tf.memory().numTensors;
    expect(loaded).toBeGreaterThan(before);
    await liqe.score(pixelsOf(goldenImage(7)));
    await expect(liqe.score({ width: 9, height: 9, data: new Uint8Array(9 * 9 * 3) })).rejects.toThrow("less than 224");
    expect(tf.memory().numTensors).toBe(loaded);
    liqe.dispose();
    liqe.dispose();
    expect(tf.memory().numTensors).toBe(before);
    await expect(liqe.score(pixelsOf(goldenImage(1)))).rejects.toThrow("disposed");
  });
});

describe("Liqe.score", () => {
  let liqe: Liqe;
  beforeAll(async () => {
    liqe = await load(await toyTfjs("f32", livelySource(TOY_STEM)));
    return () => {
      liqe.dispose();
    };
  });

  it("says where its crops lie in the image as it was given, and what each says by itself", async () => {
    const { rows, cols, pixels } = await decodeImage(large);
    const { crops } = await liqe.score({ width: cols, height: rows, data: pixels });
    expect(new Set(crops.map(({ quality }) => quality.toFixed(3))).size).toBeGreaterThan(5);
    // reduced to 853 x 768: 20 x 18 windows of stride 32, every 24th of the 360
    expect(crops[0]).toMatchObject({ left: 0, top: 0 });
    expect(crops[1]?.left).toBeCloseTo(4 * 32 * (1000 / 853), 9);
    expect(crops[1]?.top).toBeCloseTo(32 * (900 / 768), 9);
    expect(crops[0]?.width).toBeCloseTo(224 * (1000 / 853), 9);
    expect(crops[0]?.height).toBeCloseTo(224 * (900 / 768), 9);
  });

  it("takes as many crops as it is asked for, in more than one batch, or all there are", async () => {
    const image = pixelsOf(goldenImage(7)); // 384 x 384: 36 windows
    expect((await liqe.score(image, { crops: 1 })).crops).toHaveLength(1);
    const all = await liqe.score(image, { crops: 100 });
    expect(all.crops).toHaveLength(36);
    const first = await liqe.score(image, { crops: 36 });
    expect([all.quality]).toBeAllClose([first.quality], { rtol: 0, atol: 0 });
    await expect(liqe.score(image, { crops: 0 })).rejects.toThrow(RangeError);
  });

  it("enlarges a small image only when asked to", async () => {
    const image = { width: 100, height: 150, data: new Uint8Array(100 * 150 * 3).fill(90) };
    await expect(liqe.score(image)).rejects.toThrow(
      "100 x 150 pixels are less than 224 on a side; give a larger one, or",
    );
    const { crops } = await liqe.score(image, { small: "resize" });
    expect(crops[0]).toMatchObject({ left: 0, top: 0, width: 100 });
  });
});
