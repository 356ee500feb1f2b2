import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { basename, join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { predict, type Prediction } from "../../../src/api/predict.js";
import { journalFile } from "../../../src/api/predictions/journal.js";
import { partOf, predictShard, type ShardOptions, type ShardRun } from "../../../src/api/predictions/predictShard.js";
import { partsOf, processToken } from "../../../src/base/processes.js";
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

/** Scores a shard as a whole, and has its progress say so. */
async function scoreShard(paths: readonly string[], more: Partial<ShardOptions> = {}): Promise<Prediction[]> {
  return predictShard(paths, options(more), async ({ predictions, finish }) => {
    const found = await all(predictions);
    await finish();
    return found;
  });
}

/** Scores the first images of a shard, and ends as a process that fails does: nothing is finished. */
async function scoreSome(images: number, paths: readonly string[], more: Partial<ShardOptions>): Promise<Prediction[]> {
  const found: Prediction[] = [];
  const failing = predictShard(paths, options(more), async ({ predictions }) => {
    for await (const one of predictions ?? []) {
      found.push(one);
      if (found.length === images) throw new Error("the disk is gone");
    }
  });
  await expect(failing).rejects.toThrow("the disk is gone");
  return found;
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
        const more = options({ shard: { index, count }, readList });
        const found = await predictShard(paths, more, async ({ predictions, images }) => {
          const found = await all(predictions);
          expect(found).toHaveLength(images);
          return found;
        });
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
    const before = await scoreSome(4, [photos], { out });
    appendFileSync(journalFile(out), '{"image":"half a li');
    const notes: string[] = [];
    const onProgress: ShardOptions["onProgress"] = (event) => {
      if (event.kind === "note") notes.push(event.line);
    };
    const found = await scoreShard([photos], { out, onProgress });
    const kept = notes.find((line) => line.includes("scored before"));
    expect(kept).toMatch(/: [45] of 8 images scored before; going on$/);
    expect(found.slice(0, 4)).toEqual(before);
    expect(found.map(({ image }) => basename(image))).toEqual(readdirSync(photos).sort());
    const whole = await all(predict([photos], options()));
    for (const [i, one] of whole.entries()) {
      if ("quality" in one) expect(Math.abs(qualityOf(found[i]) - one.quality)).toBeLessThan(OTHER_BATCHES);
      else expect(found[i]).toEqual(one);
    }
    writeFileSync(out, "the predictions");
    const third = (run: ShardRun) => Promise.resolve(run);
    expect(await predictShard([photos], options({ out }), third)).toMatchObject({
      predictions: null,
      images: 8,
      failed: 1,
    });
    rmSync(out);
    expect(await scoreShard([photos], { out })).toHaveLength(8);
  });

  it.skipIf(!existsSync("/proc/self/fd"))(
    "closes its progress and takes its lock away where the work fails",
    async () => {
      const out = join(folder, "closed", "scores.jsonl");
      await scoreSome(2, [photos], { out });
      const open = readdirSync("/proc/self/fd").flatMap((fd) => {
        try {
          return [readlinkSync(`/proc/self/fd/${fd}`)];
        } catch {
          return []; // that of the list itself
        }
      });
      expect(open.filter((file) => file.includes("closed"))).toEqual([]);
      expect(readdirSync(join(out, ".."))).toEqual([basename(journalFile(out))]);
    },
  );

  it("refuses a file that another process works on, and not the others of its folder", async () => {
    const out = join(folder, "locked", "part-0.csv");
    await scoreShard([photos], { out: join(folder, "locked", "part-1.csv") });
    const started = readFileSync(`/proc/${process.ppid}/stat`, "latin1").split(") ").at(-1)?.split(" ")[19] ?? "";
    const lock = join(
      folder,
      "locked",
      `.part-0.csv.running-${partsOf(processToken()).host}-${process.ppid}-${started}`,
    );
    writeFileSync(lock, "");
    writeFileSync(lock, String(statSync(lock).ino)); // as that process would
    await expect(scoreShard([photos], { out })).rejects.toThrow(`${out}: process ${process.ppid} is at work on it`);
    expect(existsSync(journalFile(out))).toBe(false);
    expect(await scoreShard([photos], { out: join(folder, "locked", "part-2.csv") })).toHaveLength(8);
    rmSync(lock);
    expect(await scoreShard([photos], { out })).toHaveLength(8);
  });

  it("refuses the progress of other work until it is finished, and begins anew then", async () => {
    const out = join(folder, "other.csv");
    await scoreSome(1, [photos], { out });
    await expect(scoreShard([photos], { out, crops: 1 })).rejects.toThrow(ConfigError);
    await expect(scoreShard([photos], { out, activation: "gelu" })).rejects.toThrow(ConfigError);
    const config = join(weights, "..", "config.json"); // beside the weights, which do not say all themselves
    writeFileSync(config, "{}");
    await expect(scoreShard([photos], { out })).rejects.toThrow(ConfigError);
    rmSync(config);
    await expect(scoreShard([tar], { out })).rejects.toThrow("has the progress of other images");
    await scoreShard([photos], { out });
    expect(await scoreShard([photos], { out, crops: 1 })).toHaveLength(8);
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
