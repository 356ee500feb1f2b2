import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.js";
import { loadCheckpoint } from "../../src/train/checkpoint/checkpoint.js";
import { startLiqe, toyConfig } from "../support/disturbed.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";
import { SEED } from "./settings.js";

const FLIPS = 100; // a file

let checkpoint = "";
beforeAll(async () => {
  const run = join(temporaryFolder(), "run");
  const config = toyConfig(await toyDatabase(), await toyWeights(), { train: ", epochs: 1, stepsPerEpoch: 2" });
  expect(await startLiqe(["train", "--config", config, "--out", run]).ended).toMatchObject({ code: 0 });
  checkpoint = join(run, "split-1", "last");
});

const sumOf = (value: unknown) =>
  createHash("sha256")
    .update(JSON.stringify(value, (_, part: unknown) => (part instanceof Float32Array ? [...part] : part)))
    .digest("hex");

describe(`a checkpoint with one wrong bit (seed ${SEED})`, () => {
  it("is refused by the file's name, whatever the file and the bit", async () => {
    const whole = sumOf(await loadCheckpoint(checkpoint));
    const files = readdirSync(checkpoint);
    expect(files.sort()).toEqual([
      "manifest.json",
      "model.safetensors",
      "optimizer.safetensors",
      "seen.json",
      "state.json",
    ]);
    for (const name of files) {
      const file = join(checkpoint, name);
      const bytes = readFileSync(file);
      const random = seededRandom(SEED, "flips", name);
      for (let i = 0; i < FLIPS; i++) {
        const [at, bit] = [random.integer(bytes.length), random.integer(8)];
        const damaged = Buffer.from(bytes);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
        writeFileSync(file, damaged);
        const where = `${name}, byte ${at}, bit ${bit}`;
        const outcome = await loadCheckpoint(checkpoint).then(sumOf, (error: unknown) => error as Error);
        // A bit of the manifest's own layout may leave its meaning: then nothing else is loaded than was saved
        if (typeof outcome === "string") expect([where, name, outcome]).toEqual([where, "manifest.json", whole]);
        else expect([where, outcome.name, outcome.message]).toEqual([where, "CheckpointError", expect.stringContaining(name === "manifest.json" ? checkpoint : file)]); // prettier-ignore
      }
      writeFileSync(file, bytes);
    }
    expect(sumOf(await loadCheckpoint(checkpoint))).toBe(whole);
  });
});
