import { createHash, randomUUID } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../../src/base/errors.js";
import { seededRandom } from "../../../src/base/random.js";
import {
  loadCheckpoint,
  loadLast,
  saveCheckpoint,
  saveLast,
  setAsideDamaged,
  sweepStaging,
  type TrainingState,
} from "../../../src/train/checkpoint/checkpoint.js";
import { readWithMetadata } from "../../../src/model/weights/safetensors.js";
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

describe("what loadCheckpoint says", () => {
  /** A whole checkpoint, and what is said of it once `damage` has changed it. */
  async function refusal(damage: (folder: string) => void): Promise<string> {
    const folder = join(temporaryFolder(), "last");
    cpSync(join(run, "last"), folder, { recursive: true });
    damage(folder);
    const error: unknown = await loadCheckpoint(folder).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CheckpointError);
    return String(error).replace("CheckpointError: ", "").replaceAll(`${folder}/`, "");
  }

  /** Writes another state, and a manifest that fits it. */
  async function withState(change: (state: TrainingState) => object): Promise<string> {
    const folder = join(temporaryFolder(), "last");
    const checkpoint = checkpointAfter(1);
    await saveCheckpoint(folder, { ...checkpoint, state: change(checkpoint.state) as TrainingState });
    const error: unknown = await loadCheckpoint(folder).catch((reason: unknown) => reason);
    return String(error).replaceAll(`${folder}/`, "");
  }

  it("is which file is missing, of another size, or changed", async () => {
    expect(await refusal((folder) => { rmSync(join(folder, "seen.json")); })).toBe("seen.json: is missing"); // prettier-ignore
    const { size } = statSync(join(run, "last", "state.json"));
    expect(
      await refusal((folder) => {
        appendFileSync(join(folder, "state.json"), " ");
      }),
    ).toBe(
      // prettier-ignore
      `state.json: has ${size + 1} bytes, ${size} were written`,
    );
    const text = readFileSync(join(run, "last", "state.json"), "utf8");
    expect(
      await refusal((folder) => {
        writeFileSync(join(folder, "state.json"), text.replace("0.0.0", "0.0.1"));
      }),
    ).toBe("state.json: was changed since it was written");
  });

  it("is whether a manifest is none, no JSON, or not there", async () => {
    const manifest = (text: string) => (folder: string) => {
      writeFileSync(join(folder, "manifest.json"), text);
    };
    expect(await refusal(manifest('{"half'))).toBe("manifest.json: is not JSON");
    for (const other of [
      {},
      { files: { "a.json": { bytes: -1, sha256: "0".repeat(64) } } },
      { files: { "a.json": { bytes: 1, sha256: "0".repeat(63) } } },
      { files: {}, more: 1 },
    ]) {
      expect(await refusal(manifest(JSON.stringify(other)))).toBe("manifest.json: is not a checkpoint's manifest");
    }
    expect(await refusal((folder) => { rmSync(join(folder, "manifest.json")); })).toBe("manifest.json: cannot be read"); // prettier-ignore
  });

  it("is every part of a state that another version wrote", async () => {
    const wrong = await withState((state) => ({ ...state, seed: 0.5, engine: { backend: "native" } }));
    expect(wrong).toMatch(
      /^CheckpointError: state\.json: seed: [^;]+; engine\.threads: [^;]+; was it written by another version\?$/,
    );
    expect(await withState((state) => ({ ...state, format: 2 }))).toContain("state.json: format: ");
    expect(await withState((state) => ({ ...state, more: 2 }))).toContain("state.json: ");
    const negative = await withState((state) => ({
      ...state,
      logBytes: { metrics: -1, events: -1 },
      progress: { ...state.progress, skippedSteps: -1, epochsWithoutRise: -1 },
    }));
    for (const part of ["logBytes.metrics", "logBytes.events", "progress.skippedSteps", "progress.epochsWithoutRise"]) {
      expect(negative).toContain(`${part}: `);
    }
  });
});

describe("a state of the first versions", () => {
  it("is read with what they did not write as it began", async () => {
    const folder = join(temporaryFolder(), "last");
    const checkpoint = checkpointAfter(1);
    const { averageUntouchedDecay, trainingLists, progress, ...state } = checkpoint.state;
    expect([averageUntouchedDecay, trainingLists]).toEqual([null, ["/data/train.txt"]]);
    const later = ["weights", "weighting", "epochsWithoutRise", "skippedSteps"];
    const old = Object.fromEntries(Object.entries(progress).filter(([key]) => !later.includes(key)));
    const oldState = { ...state, progress: old } as unknown as TrainingState; // as it was then
    await saveCheckpoint(folder, { ...checkpoint, state: oldState, seen: null });
    const found = await loadCheckpoint(folder);
    expect(found.state).toEqual({ ...checkpoint.state, trainingLists: [] });
    expect(found.state.progress).toMatchObject({ weights: {}, weighting: null, epochsWithoutRise: 0, skippedSteps: 0 });
    expect(found.seen).toBeNull();
  });
});

describe("a checkpoint that is read back", () => {
  it("is what was saved, with everything to go on from or without it", async () => {
    const folder = join(temporaryFolder(), "last");
    const raw = new Map([["weight", { shape: [2], values: Float32Array.of(1, 2) }]]);
    const saved = { ...checkpointAfter(3), raw };
    await saveCheckpoint(folder, saved);
    const found = await loadCheckpoint(folder);
    expect(found).toEqual({ ...saved, kind: found.kind, tokenizer: null });
    expect(found.kind).toMatchObject(saved.kind);
    const evaluated = await loadCheckpoint(folder, { withOptimizer: false });
    expect(evaluated).toEqual({ ...found, raw: null, optimizer: null });
    const { metadata } = await readWithMetadata(join(folder, "model.safetensors"));
    expect(metadata).toMatchObject({ format: "pt" });
    expect((await readWithMetadata(join(folder, "raw.safetensors"))).metadata).toEqual({ format: "pt" });
  });

  it("replaces the one before it whole, and leaves nothing beside it where it cannot be written", async () => {
    const folder = temporaryFolder();
    await saveCheckpoint(join(folder, "best"), checkpointAfter(1));
    await saveCheckpoint(join(folder, "best"), checkpointAfter(2));
    expect(readdirSync(folder)).toEqual(["best"]);
    const weights = new Map([
      [
        "weight",
        {
          shape: [1],
          get values(): Float32Array {
            throw new Error("the device is gone");
          },
        },
      ],
    ]);
    const failing = saveCheckpoint(join(folder, "best"), { ...checkpointAfter(3), weights });
    await expect(failing).rejects.toThrow("the device is gone");
    expect(readdirSync(folder)).toEqual(["best"]);
    expect((await loadCheckpoint(join(folder, "best"))).state.optimizerSteps).toBe(2);
  });
});

describe("setAsideDamaged", () => {
  it("renames the damaged `last` over an earlier one, so that the next save does not take it for the one before", async () => {
    const folder = temporaryFolder();
    cpSync(run, folder, { recursive: true });
    await saveCheckpoint(join(folder, "damaged"), checkpointAfter(9));
    await setAsideDamaged(folder);
    expect(readdirSync(folder).toSorted()).toEqual(["damaged", "previous"]);
    expect((await loadCheckpoint(join(folder, "damaged"))).state.optimizerSteps).toBe(2);
    await saveLast(folder, checkpointAfter(3));
    const steps = async (name: string) => (await loadCheckpoint(join(folder, name))).state.optimizerSteps;
    expect([await steps("previous"), await steps("last")]).toEqual([1, 3]);
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
