import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEFAULT_IMAGE_OPTIONS } from "../../../src/data/images/loadImage.js";
import { predictSamples } from "../../../src/evaluate/scoring/predictions.js";
import {
  type ConcurrentScorer,
  type CropScorer,
  type ScoredImage,
  scoreImages,
  type ScoreOptions,
} from "../../../src/evaluate/scoring/scoreImages.js";
import { jointEntropy } from "../../../src/model/posterior.js";
import { CROP_BYTES } from "../../../src/model/preprocess/crops.js";
import { AXES, LABELS } from "../support.js";

let folder = "";
const at = (name: string) => path.join(folder, name);
const OPTIONS: ScoreOptions = { crops: 4, microBatch: 5, order: "given", images: DEFAULT_IMAGE_OPTIONS };

/** Its logits depend on a crop's mean alone, and it notes how many crops it saw at once. */
class MeanScorer implements CropScorer {
  readonly axes = AXES;
  readonly window = 224;
  readonly batches: number[] = [];

  logits(pixels: Uint8Array): Float32Array {
    const crops = pixels.length / CROP_BYTES;
    this.batches.push(crops);
    const means = Array.from({ length: crops }, (_, c) => {
      const crop = pixels.subarray(c * CROP_BYTES, (c + 1) * CROP_BYTES);
      return crop.reduce((sum, value) => sum + value, 0) / CROP_BYTES;
    });
    return Float32Array.from(means.flatMap((mean) => Array.from({ length: 12 }, (_, p) => (mean * p) / 255)));
  }
}

/** The same, of three batches at once: the sooner one is begun, the later it is looked at and answered. */
class LateScorer extends MeanScorer implements ConcurrentScorer {
  readonly atOnce = 3;
  underWay = 0;
  mostUnderWay = 0;

  async logitsLater(pixels: Uint8Array): Promise<Float32Array> {
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    await setTimeout(60 - 20 * this.underWay);
    this.underWay--;
    return this.logits(pixels);
  }
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "score-"));
  const picture = async (name: string, width: number, height: number, gray: number) => {
    const create = { width, height, channels: 3 as const, background: { r: gray, g: gray, b: gray } };
    await sharp({ create }).png().toFile(at(name));
  };
  await picture("dark.png", 224, 224, 10); // one window
  await picture("light.png", 300, 260, 240); // six windows
  await picture("middle.png", 260, 260, 128); // four windows
  await picture("tiny.png", 100, 300, 128);
  await writeFile(at("text.jpg"), "not an image");
});
afterAll(() => rm(folder, { recursive: true }));

async function score(names: readonly string[], scorer: CropScorer, options = OPTIONS): Promise<ScoredImage[]> {
  const scored: ScoredImage[] = [];
  for await (const one of scoreImages(names.map(at), scorer, options)) scored.push(one);
  return scored;
}

function qualities(scored: readonly ScoredImage[]): number[] {
  return scored.map((one) => (one.ok ? one.posterior.quality : NaN));
}

describe("scoreImages", () => {
  it("averages an image's logits over its crops before the softmax", async () => {
    const [dark, light] = qualities(await score(["dark.png", "light.png"], new MeanScorer()));
    const expected = (gray: number) => {
      const powers = Array.from({ length: 12 }, (_, p) => Math.exp((gray * p) / 255));
      const total = powers.reduce((a, b) => a + b);
      return 1 + powers.slice(6).reduce((a, b) => a + b) / total;
    };
    expect([dark ?? NaN, light ?? NaN]).toBeAllClose([expected(10), expected(240)]);
  });

  it("says of each window where it lies and what it would score alone, and how undecided the model is", async () => {
    const [dark, middle] = await score(["dark.png", "middle.png"], new MeanScorer());
    if (dark?.ok !== true || middle?.ok !== true) throw new Error("not scored");
    expect(dark.crops).toEqual({
      rows: 224,
      cols: 224,
      window: 224,
      scores: [{ top: 0, left: 0, quality: dark.posterior.quality }],
    });
    expect(middle.crops).toMatchObject({ rows: 260, cols: 260 });
    const places = middle.crops.scores.map(({ top, left }) => [top, left]);
    expect(places).toEqual([[0, 0], [0, 32], [32, 0], [32, 32]]); // prettier-ignore
    // The picture is of one grey, so that every window says what all of them do.
    const own = middle.crops.scores.map(({ quality }) => quality);
    expect(own).toBeAllClose([1, 2, 3, 4].map(() => middle.posterior.quality));
    const logits = Array.from({ length: 12 }, (_, p) => (128 * p) / 255);
    expect([middle.entropy]).toBeAllClose([jointEntropy(logits)]);
    expect(dark.entropy).toBeGreaterThan(middle.entropy); // its logits differ less
  });

  it("shows the model batches of one size, crops of several images together, and at the end what is left", async () => {
    const scorer = new MeanScorer();
    await score(["dark.png", "light.png", "middle.png"], scorer); // 1 + 4 + 4 crops
    expect(scorer.batches).toEqual([5, 4]);
    await score(["dark.png"], scorer);
    expect(scorer.batches).toEqual([5, 4, 1]);
  });

  it("gives every image the same score in another order and with another micro-batch", async () => {
    const names = ["dark.png", "light.png", "middle.png"];
    const expected = qualities(await score(names, new MeanScorer()));
    expect(qualities(await score(names.toReversed(), new MeanScorer())).toReversed()).toEqual(expected);
    for (const microBatch of [1, 3, 64]) {
      expect(qualities(await score(names, new MeanScorer(), { ...OPTIONS, microBatch }))).toEqual(expected);
    }
  });

  it("gives the same scores in the same order where batches overlap and end out of turn", async () => {
    const names = ["light.png", "dark.png", "text.jpg", "middle.png", "light.png", "dark.png", "middle.png"];
    const options = { ...OPTIONS, microBatch: 2 };
    const late = new LateScorer();
    expect(await score(names, late, options)).toEqual(await score(names, new MeanScorer(), options));
    expect(late.mostUnderWay).toBe(3);
  });

  it("passes on what a batch that overlaps others fails with", async () => {
    const late = new LateScorer();
    late.logits = () => {
      throw new Error("no memory");
    };
    await expect(score(["light.png", "middle.png"], late, { ...OPTIONS, microBatch: 2 })).rejects.toThrow("no memory");
  });

  it.each(["given", "name"] as const)("hands images out as they are listed, sharing batches by %s", async (order) => {
    const names = ["middle.png", "text.jpg", "dark.png", "light.png", "dark.png"];
    const scored = await score(names, new MeanScorer(), { ...OPTIONS, order });
    expect(scored.map(({ file }) => file)).toEqual(names.map(at));
    expect(qualities(scored).map((quality) => quality.toFixed(1))).toEqual(["2.0", "NaN", "1.6", "2.0", "1.6"]);
  });

  it("gives images batches by name, where a crop's place in its batch decides its last bits", async () => {
    const placed = new MeanScorer();
    const plain = placed.logits.bind(placed);
    placed.logits = (pixels) => plain(pixels).map((logit, i) => logit + 1e-4 * i);
    const names = ["dark.png", "light.png", "middle.png"];
    const reversed = async (order: ScoreOptions["order"]) => {
      const found = await score(names.toReversed(), placed, { ...OPTIONS, order });
      return qualities(found).toReversed();
    };
    const expected = qualities(await score(names, placed, { ...OPTIONS, order: "name" }));
    expect(await reversed("name")).toEqual(expected);
    expect(await reversed("given")).not.toEqual(expected);
  });

  it("goes on past a file that is no image, a small one and a missing one, each with its reason", async () => {
    const names = ["text.jpg", "dark.png", "tiny.png", "missing.png", "light.png"];
    const scored = await score(names, new MeanScorer());
    expect(scored.map(({ file, ok }) => [path.basename(file), ok])).toEqual([
      ["text.jpg", false],
      ["dark.png", true],
      ["tiny.png", false],
      ["missing.png", false],
      ["light.png", true],
    ]);
    const [text, , tiny, missing] = scored.map((one) => (one.ok ? "" : one.error));
    expect(text).toContain("not an image");
    expect(tiny).toContain("100 x 300 pixels are less than 224");
    expect(missing).toContain("cannot be read");
  });

  it("ends with the reason of a signal that is aborted on the way, and scores no more", async () => {
    const controller = new AbortController();
    const scorer = new MeanScorer();
    const scoring = scoreImages(
      ["dark.png", "light.png", "middle.png", "light.png"].map(at),
      scorer,
      { ...OPTIONS, crops: 1, microBatch: 1, signal: controller.signal },
      ({ done }) => {
        if (done === 2) controller.abort("SIGINT");
      },
    );
    const scored: string[] = [];
    const all = (async () => {
      for await (const { file } of scoring) scored.push(file);
    })();
    await expect(all).rejects.toBe("SIGINT");
    expect(scored).toEqual([at("dark.png"), at("light.png")]);
    expect(scorer.batches.length).toBeLessThan(4);
  });

  it("takes a score that is not finite for a failure", async () => {
    const broken = new MeanScorer();
    broken.logits = (pixels) => new Float32Array((pixels.length / CROP_BYTES) * 12).fill(NaN);
    const [scored] = await score(["dark.png"], broken);
    expect(scored).toMatchObject({ ok: false });
    expect(scored?.ok === false && scored.error).toContain("the model's score is NaN; its weights may be broken");
  });
});

describe("predictSamples", () => {
  it("pairs scores with their own lines around a file that failed, and names the failed one", async () => {
    const samples = ["dark.png", "text.jpg", "light.png"].map((image, i) => ({
      ...{ database: "mine", image, file: at(image), folder, mos: 10 * i, mosStd: null },
      ...{ distortion: i === 0 ? null : i, scenes: i === 0 ? [] : [0, 1], list: "list.tsv", line: i + 1 },
    }));
    const { predictions, failed } = await predictSamples(samples, new MeanScorer(), { ...OPTIONS, labels: LABELS });
    expect(predictions).toMatchObject([
      { image: "dark.png", mos: 0, sceneLabels: [], distortionLabel: null },
      { image: "light.png", mos: 20, sceneLabels: ["animal", "night"], distortionLabel: "other" },
    ]);
    expect(failed).toMatchObject([{ database: "mine", image: "text.jpg" }]);
  });
});
