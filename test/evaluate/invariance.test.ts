import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OpenedModel, openModel } from "../../src/api/openModel.js";
import { seededRandom } from "../../src/base/random.js";
import { DEFAULT_IMAGE_OPTIONS } from "../../src/data/images/loadImage.js";
import * as tf from "../../src/engine/tf.js";
import { scoreImages, type ScoreOptions } from "../../src/evaluate/scoring/scoreImages.js";
import type { Posterior } from "../../src/model/posterior.js";
import { IS_BUILT, liqe } from "../cli/liqe.js";
import { toyWeights } from "../support/runs.js";

/** Quality under other batch sizes or thread counts: sums in another order. */
const OTHER_BATCHES = { rtol: 0, atol: 1e-4 };
/** Another engine has other kernels. */
const OTHER_ENGINE = { rtol: 0, atol: 1e-3 };
const CROPS = 5;

const weights = await toyWeights();
let folder = "";
let files: string[] = [];
let opened: OpenedModel | undefined;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "invariance-"));
  // 224 x 224 has one window, the others more than CROPS: batches of every size mix the crops of several images.
  const sizes = [[224, 224], [400, 300], [300, 520], [224, 224], [640, 480], [260, 420], [330, 330]] as const; // prettier-ignore
  files = await Promise.all(sizes.map(([width, height], i) => picture(`${i}.png`, width, height)));
  opened = await openModel(weights);
});
afterAll(async () => {
  opened?.dispose();
  await rm(folder, { recursive: true });
});

/** Coarse random patches, so that windows differ. */
async function picture(name: string, width: number, height: number): Promise<string> {
  const random = seededRandom(9, name);
  const patches = Uint8Array.from({ length: 9 * 7 * 3 }, () => random.integer(256));
  const file = path.join(folder, name);
  const raw = { width: 9, height: 7, channels: 3 } as const;
  await sharp(patches, { raw }).resize(width, height, { fit: "fill", kernel: "nearest" }).png().toFile(file);
  return file;
}

/** By file name, of the files as they are listed. */
async function posteriors(
  listed: readonly string[],
  microBatch: number,
  order: ScoreOptions["order"] = "name",
): Promise<Map<string, Posterior>> {
  if (opened === undefined) throw new Error("the model was not opened");
  const found = new Map<string, Posterior>();
  const options: ScoreOptions = { crops: CROPS, microBatch, order, images: DEFAULT_IMAGE_OPTIONS };
  for await (const one of scoreImages(listed, opened.scorer, options)) {
    if (!one.ok) throw new Error(one.error);
    found.set(one.file, one.posterior);
  }
  return found;
}

function qualities(found: ReadonlyMap<string, Posterior>): number[] {
  return files.map((file) => found.get(file)?.quality ?? NaN);
}

/** What the program itself says of the files. */
function predicted(options: readonly string[]): number[] {
  const { exitCode, output } = liqe(["predict", ...files, "--checkpoint", weights, "--crops", String(CROPS), "--json", ...options]); // prettier-ignore
  expect(exitCode).toBe(0);
  return output.trimEnd().split("\n").map((line) => (JSON.parse(line) as { quality: number }).quality); // prettier-ignore
}

describe("an image's score", () => {
  it.each([1, 4, 5, 7, 32])("is the same to the last bit in any order of the list, %i crops at once", async (crops) => {
    const straight = await posteriors(files, crops);
    const random = seededRandom(3, "order", crops);
    const withOneWindowFirst = [files[3] ?? "", ...files.filter((_, i) => i !== 3)];
    for (const listed of [files.toReversed(), withOneWindowFirst, random.shuffle(files), random.shuffle(files)]) {
      const other = await posteriors(listed, crops);
      expect([...other.keys()]).toEqual(listed);
      for (const file of files) expect(other.get(file)).toEqual(straight.get(file));
    }
  });

  it("is within 1e-4 in any order where neighbours in the list share batches", async () => {
    const straight = await posteriors(files, 4, "given");
    for (const listed of [files.toReversed(), seededRandom(3, "order").shuffle(files)]) {
      expect(qualities(await posteriors(listed, 4, "given"))).toBeAllClose(qualities(straight), OTHER_BATCHES);
    }
    const spread = Math.max(...qualities(straight)) - Math.min(...qualities(straight));
    expect(spread).toBeGreaterThan(1e-2); // else all the tests of this file would pass on constants
  });

  it.each([1, 2, 7, 32, 100])("is within 1e-4 with %i crops at once", async (microBatch) => {
    const expected = qualities(await posteriors(files, 4));
    expect(qualities(await posteriors(files, microBatch))).toBeAllClose(expected, OTHER_BATCHES);
  });

  it("is within 1e-4 where an image is scored alone", async () => {
    const expected = qualities(await posteriors(files, 4));
    const alone = await Promise.all(files.map(async (file) => (await posteriors([file], 4)).get(file)?.quality ?? NaN));
    expect(alone).toBeAllClose(expected, OTHER_BATCHES);
  });

  it.runIf(IS_BUILT && tf.getBackend() === "tensorflow")(
    "is within 1e-4 with one thread and with two, and within 1e-3 on WebAssembly",
    () => {
      const one = predicted(["--engine", "native", "--threads", "1"]);
      expect(predicted(["--engine", "native", "--threads", "2"])).toBeAllClose(one, OTHER_BATCHES);
      expect(predicted(["--engine", "wasm"])).toBeAllClose(one, OTHER_ENGINE);
    },
  );
});
