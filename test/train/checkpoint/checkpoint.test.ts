import { createHash, randomUUID } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../../src/base/errors.js";
import { seededRandom } from "../../../src/base/random.js";
import {
  loadCheckpoint,
  loadLast,
  saveCheckpoint,
  saveLast,
  sweepStaging,
} from "../../../src/train/checkpoint/checkpoint.js";
import { checkpointAfter } from "../../support/checkpoints.js";
import { temporaryFolder } from "../../support/runs.js";

/** A run's folder with a whole `previous`, of step 1, and a whole `last`, of step 2. */
async function savedTwice(): Promise<string> {
  const run = temporaryFolder();
  await saveLast(run, checkpointAfter(1));
  await saveLast(run, checkpointAfter(2));
  return run;
}

const FILES = ["model.safetensors", "optimizer.safetensors", "state.json", "seen.json", "manifest.json"];

/** The file with one bit turned over. */
function flip(bytes: Buffer, byte: number, bit: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[byte] = (flipped[byte] ?? 0) ^ (1 << bit);
  return flipped;
}

const run = await savedTwice();

describe("saveCheckpoint", () => {
  it("records the size and hash that each of its files really has, and no others", async () => {
    const folder = join(temporaryFolder(), "best");
    const large = Float32Array.from({ length: 300_000 }, (_, i) => Math.sin(i)); // written in more than one piece
    const raw = new Map([["large", { shape: [300, 1000], values: large }]]);
    await saveCheckpoint(folder, { ...checkpointAfter(3), raw });
    const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as { files: object };
    const names = readdirSync(folder).filter((name) => name !== "manifest.json");
    expect(names).toContain("raw.safetensors");
    const found = names.toSorted().map((name) => {
      const bytes = readFileSync(join(folder, name));
      return [name, { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") }];
    });
    expect(Object.entries(manifest.files)).toEqual(found);
  });

  it("asks for each array once, when the one before it is in the file", async () => {
    const folder = join(temporaryFolder(), "best");
    const asked: (readonly [string, number])[] = [];
    /** Bytes of the model's file under its passing name. */
    const written = () => {
      const [staged = ""] = readdirSync(join(folder, "..")).filter((name) => name.startsWith(".tmp-"));
      return statSync(join(folder, "..", staged, "model.safetensors")).size;
    };
    const array = (name: string) => ({
      shape: [25_000],
      get values() {
        asked.push([name, written()]);
        return new Float32Array(25_000);
      },
    });
    const names = ["a", "b", "c"];
    const weights = new Map(names.map((name) => [name, array(name)]));
    await saveCheckpoint(folder, { ...checkpointAfter(1), weights });
    const header = statSync(join(folder, "model.safetensors")).size - 300_000;
    expect(asked).toEqual(names.map((name, i) => [name, header + 100_000 * i]));
  });
});

describe("loadCheckpoint", () => {
  it.each(FILES)("refuses %s with any one of its bits turned over, and names the file", async (name) => {
    const folder = join(temporaryFolder(), "last");
    cpSync(join(run, "last"), folder, { recursive: true });
    expect(readdirSync(folder).toSorted()).toEqual(FILES.toSorted());
    const file = join(folder, name);
    const bytes = readFileSync(file);
    const random = seededRandom(1, "bit", name);
    for (let byte = 0; byte < bytes.length; byte++) {
      writeFileSync(file, flip(bytes, byte, random.integer(8)));
      const refused = await loadCheckpoint(folder).then(
        () => `byte ${byte} was taken`,
        (error: unknown) => error,
      );
      expect(refused).toBeInstanceOf(CheckpointError);
      expect(String(refused)).toContain(name === "manifest.json" ? folder : file); // its bytes may say another file's sum
    }
    writeFileSync(file, bytes);
    expect((await loadCheckpoint(folder)).state.optimizerSteps).toBe(2);
  });

  it.each(FILES)("refuses %s cut short", async (name) => {
    const folder = join(temporaryFolder(), "last");
    cpSync(join(run, "last"), folder, { recursive: true });
    writeFileSync(join(folder, name), readFileSync(join(folder, name)).subarray(0, -1));
    const isManifest = name === "manifest.json"; // its last byte is a line's end
    if (isManifest) writeFileSync(join(folder, name), readFileSync(join(folder, name)).subarray(0, -1));
    await expect(loadCheckpoint(folder)).rejects.toThrow(CheckpointError);
  });
});

describe("loadLast", () => {
  it.each(FILES)("goes on from `previous` where %s of `last` is damaged, and names both", async (name) => {
    const damaged = temporaryFolder();
    cpSync(run, damaged, { recursive: true });
    const file = join(damaged, "last", name);
    writeFileSync(file, flip(readFileSync(file), 20, 3));
    const found = await loadLast(damaged);
    expect(found?.checkpoint.state.optimizerSteps).toBe(1);
    expect(found?.notice).toContain(join(damaged, "last"));
    expect(found?.notice).toContain(`going on from ${join(damaged, "previous")}`);
  });

  it("refuses a run whose two checkpoints are both damaged, instead of beginning anew", async () => {
    const damaged = temporaryFolder();
    cpSync(run, damaged, { recursive: true });
    for (const name of ["last", "previous"]) {
      const file = join(damaged, name, "model.safetensors");
      writeFileSync(file, flip(readFileSync(file), 90, 0));
    }
    const refused = loadLast(damaged);
    await expect(refused).rejects.toThrow(CheckpointError);
    await expect(refused).rejects.toThrow("no whole checkpoint is left in the run");
  });

  it("has nothing to go on from in a new run, and says nothing about a whole one", async () => {
    expect(await loadLast(temporaryFolder())).toBeNull();
    expect((await loadLast(run))?.notice).toBeNull();
  });
});

describe("sweepStaging", () => {
  it("gives a checkpoint its name back where the save that replaced it was killed between its renames", async () => {
    const folder = temporaryFolder();
    await saveCheckpoint(join(folder, "best"), checkpointAfter(1));
    renameSync(join(folder, "best"), join(folder, `.tmp-was-best-${randomUUID()}`));
    await sweepStaging(folder);
    expect(readdirSync(folder)).toEqual(["best"]);
    expect((await loadCheckpoint(join(folder, "best"))).state.optimizerSteps).toBe(1);
  });

  it("removes it where the new one had come, and every half-written one", async () => {
    const folder = temporaryFolder();
    await saveCheckpoint(join(folder, "best"), checkpointAfter(2));
    await saveCheckpoint(join(folder, `.tmp-was-best-${randomUUID()}`), checkpointAfter(1));
    mkdirSync(join(folder, `.tmp-${randomUUID()}`));
    mkdirSync(join(folder, `.tmp-was-best-average-${randomUUID()}`)); // without a manifest
    writeFileSync(join(folder, `.tmp-config.yaml-${randomUUID()}`), "ru");
    await sweepStaging(folder);
    expect(readdirSync(folder)).toEqual(["best"]);
    expect((await loadCheckpoint(join(folder, "best"))).state.optimizerSteps).toBe(2);
  });
});
