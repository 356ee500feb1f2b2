import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { predict, type Prediction } from "../../../src/api/predict.js";
import { journalFile } from "../../../src/api/predictions/journal.js";
import { partOf, predictShard, type ShardOptions } from "../../../src/api/predictions/predictShard.js";
import { ConfigError } from "../../../src/base/errors.js";
import { STANDARD_INPUT } from "../../../src/base/text.js";
import { createTarWriter } from "../../../src/data/archives/writeTar.js";
import { parseShard } from "../../../src/cli/arguments.js";
import { temporaryFolder, toyWeights } from "../../support/runs.js";

/** Quality in other batches: CLIP's scale of 100 turns 1e-7 in features into 1e-5 in logits. */
const OTHER_BATCHES = 1e-4;

const weights = await toyWeights();
const folder = temporaryFolder();
const photos = join(folder, "photos");
mkdirSync(photos);
for (let i = 0; i < 7; i++) {
  const create = { width: 240 + 8 * i, height: 230, channels: 3 as const, background: { r: 30 * i, g: 90, b: 20 } };
  await sharp({ create })
    .png()
    .toFile(join(photos, `${i}.png`));
}
writeFileSync(join(photos, "broken.jpg"), "no picture");
const tar = join(folder, "shard.tar");
const handle = await open(tar, "w");
const writer = createTarWriter(handle);
for (const name of readdirSync(photos).sort()) await writer.add(name, readFileSync(join(photos, name)));
await writer.end();
await handle.close();

async function all(predictions: AsyncIterable<Prediction> | null): Promise<Prediction[]> {
  const found: Prediction[] = [];
  for await (const one of predictions ?? []) found.push(one);
  return found;
}

function qualityOf(one: Prediction | undefined): number {
  return one !== undefined && "quality" in one ? one.quality : NaN;
}

function options(more: Partial<ShardOptions> = {}): ShardOptions {
  return { checkpoint: weights, shard: { index: 0, count: 1 }, crops: 2, ...more };
}

describe("predictShard", () => {
  it.each([
    ["a folder, a tar and a missing file", [photos, tar, join(folder, "missing.png")]],
    ["a list", ["\0list"]],
  ])("has shards of %s that one after the other are what predict yields", async (_, given) => {
    const list = readdirSync(photos).sort().map((name) => join(photos, name)).join("\n"); // prettier-ignore
    const isList = given.length === 1;
    const paths = isList ? [STANDARD_INPUT] : given;
    const readList = () => Promise.resolve(list);
    const whole = await all(predict(paths, { ...options(), readList }));
    for (const count of [1, 3, 20]) {
      const parts: Prediction[] = [];
      for (let index = 0; index < count; index++) {
        const run = await predictShard(paths, options({ shard: { index, count }, readList }));
        const found = await all(run.predictions);
        expect(found).toHaveLength(run.images);
        parts.push(...found);
      }
      expect(parts.map(({ image }) => image)).toEqual(whole.map(({ image }) => image));
      const errors = (found: readonly Prediction[]) => found.flatMap((one) => ("error" in one ? [one] : []));
      expect(errors(parts)).toEqual(errors(whole));
      for (const [i, one] of whole.entries()) {
        if ("quality" in one) expect(Math.abs(qualityOf(parts[i]) - one.quality)).toBeLessThan(OTHER_BATCHES);
      }
    }
  });

  it("goes on after a kill with the images that have no score yet, and scores none again once it is finished", async () => {
    const out = join(folder, "out", "scores.jsonl");
    const first = await predictShard([photos], options({ out }));
    const before: Prediction[] = [];
    for await (const one of first.predictions ?? []) {
      before.push(one);
      if (before.length === 4) break; // as a kill would: the file is not written, nothing is finished
    }
    appendFileSync(journalFile(out), '{"image":"half a li');
    const notes: string[] = [];
    const onProgress: ShardOptions["onProgress"] = (event) => {
      if (event.kind === "note") notes.push(event.line);
    };
    const second = await predictShard([photos], options({ out, onProgress }));
    const found = await all(second.predictions);
    const kept = notes.find((line) => line.includes("scored before"));
    expect(kept).toMatch(/: [45] of 8 images were scored before; going on$/);
    expect(found.slice(0, 4)).toEqual(before);
    expect(found.map(({ image }) => basename(image))).toEqual(readdirSync(photos).sort());
    writeFileSync(out, "the predictions");
    await second.finish();
    expect(await predictShard([photos], options({ out }))).toMatchObject({ predictions: null, images: 8, failed: 1 });
    rmSync(out);
    const anew = await predictShard([photos], options({ out }));
    expect(await all(anew.predictions)).toHaveLength(8);
  });

  it("refuses the progress of other work until it is finished, and begins anew then", async () => {
    const out = join(folder, "other.csv");
    const first = await predictShard([photos], options({ out }));
    await expect(predictShard([photos], options({ out, crops: 1 }))).rejects.toThrow(ConfigError);
    await expect(predictShard([photos], options({ out, activation: "gelu" }))).rejects.toThrow(ConfigError);
    const config = join(weights, "..", "config.json"); // beside the weights, which do not say all themselves
    writeFileSync(config, "{}");
    await expect(predictShard([photos], options({ out }))).rejects.toThrow(ConfigError);
    rmSync(config);
    await expect(predictShard([tar], options({ out }))).rejects.toThrow("has the progress of other images");
    await all(first.predictions);
    await first.finish();
    const again = await predictShard([photos], options({ out, crops: 1 }));
    expect(await all(again.predictions)).toHaveLength(8);
    await again.finish();
    expect(existsSync(journalFile(out))).toBe(true);
    expect(basename(journalFile(out))).toMatch(/^\./); // left out by data engines
  });
});

describe("partOf", () => {
  it("shares out every image once, numbers that differ by one at most, and the problems to the first", () => {
    const files = Array.from({ length: 10 }, (_, i) => String(i));
    const problems = [{ file: "none", error: "none: matches no image" }];
    const parts = [0, 1, 2, 3].map((index) => partOf({ files, problems, notes: ["note"] }, { index, count: 4 }));
    expect(parts.flatMap((part) => part.files)).toEqual(files);
    expect(parts.map((part) => part.files.length)).toEqual([2, 3, 2, 3]);
    expect(parts.map((part) => part.problems.length + part.notes.length)).toEqual([2, 0, 0, 0]);
  });
});

describe("parseShard", () => {
  it("takes i/n with i from 0, and refuses others", () => {
    expect(parseShard("3/4")).toEqual({ index: 3, count: 4 });
    for (const wrong of ["4/4", "1/0", "1", "a/b", "-1/2", "1/2/3", ""])
      expect(() => parseShard(wrong)).toThrow(ConfigError);
  });
});
