import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DiskError, NoSpaceError } from "../../src/base/errors.js";
import * as tf from "../../src/engine/tf.js";
import { loadParameters } from "../../src/model/weights/loadParameters.js";
import { loadCheckpoint } from "../../src/train/checkpoint/checkpoint.js";
import type { EpochMetrics, StepMetrics } from "../../src/train/logs/metricsLog.js";
import type { RunPlan } from "../../src/train/plan.js";
import { trainSplit } from "../../src/train/run.js";
import { validate } from "../../src/train/validate.js";
import { stopWhen, temporaryFolder, toyDatabase, toyPlan } from "../support/runs.js";

const root = await toyDatabase();

/** Ports that validate for real and stop when `steps` steps were taken (never by default). */
function ports(plan: RunPlan, steps = Infinity) {
  const { config, labels, databases } = plan;
  const names = { scenes: labels.scenes, distortions: Object.keys(labels.distortions) };
  let taken = 0;
  return {
    validate: (model: Parameters<typeof validate>[0]) =>
      validate(model, databases, { names, scoring: { crops: 1, microBatch: 4, order: "name", images: config.data } }),
    signal: stopWhen(() => ++taken >= steps),
  };
}

/** What a run leaves that must not depend on its interruptions. */
function remains(folder: string) {
  const bytes = (file: string) =>
    createHash("sha256")
      .update(readFileSync(join(folder, file)))
      .digest("hex");
  const lines = readFileSync(join(folder, "metrics.jsonl"), "utf8").trimEnd().split("\n");
  return {
    model: bytes("last/model.safetensors"),
    optimizer: bytes("last/optimizer.safetensors"),
    best: bytes("best/model.safetensors"),
    metrics: lines.map((line) => {
      const measured = JSON.parse(line) as StepMetrics | EpochMetrics; // our own file
      return { ...measured, time: null, memory: null };
    }),
  };
}

const TRAIN = { epochs: 3, saveEverySteps: 2 };

describe("runTraining", () => {
  it("resumes after any step to the weights, moments, best and metrics of the undisturbed run, bit for bit", async () => {
    const whole = await toyPlan(root, temporaryFolder(), TRAIN);
    expect((await trainSplit(whole, ports(whole))).finished).toBe(true);
    const expected = remains(whole.folder);
    expect(expected.metrics.filter(({ kind }) => kind === "step")).toHaveLength(9);
    for (const stopAfter of [1, 3, 5]) {
      const plan = await toyPlan(root, temporaryFolder(), TRAIN);
      const stopped = await trainSplit(plan, ports(plan, stopAfter));
      expect(stopped.finished).toBe(false);
      expect((await trainSplit(plan, ports(plan))).finished).toBe(true);
      expect(remains(plan.folder)).toEqual(expected);
    }
  });

  it("drops what a killed process logged past its checkpoint", async () => {
    const whole = await toyPlan(root, temporaryFolder(), { ...TRAIN, epochs: 1 });
    await trainSplit(whole, ports(whole));
    const expected = remains(whole.folder);
    const plan = await toyPlan(root, temporaryFolder(), { ...TRAIN, epochs: 1 });
    await trainSplit(plan, ports(plan, 2));
    appendFileSync(join(plan.folder, "metrics.jsonl"), '{"kind":"step","epoch":0,"step":2,"lo');
    await trainSplit(plan, ports(plan));
    expect(remains(plan.folder)).toEqual(expected);
  });

  it("goes on from `previous` where `last` is damaged, and says so", async () => {
    const notes: string[] = [];
    const plan = await toyPlan(root, temporaryFolder(), { ...TRAIN, epochs: 2 });
    await trainSplit(plan, ports(plan, 4));
    rmSync(join(plan.folder, "last", "optimizer.safetensors"));
    const noting = { ...plan, reporter: { ...plan.reporter, note: (line: string) => notes.push(line) } };
    expect((await trainSplit(noting, ports(plan))).finished).toBe(true);
    expect(notes.join("\n")).toMatch(/optimizer\.safetensors: is missing; going on from .*previous/);
  });

  it("keeps `previous` whole in the place of a damaged `last`, which it sets aside", async () => {
    const plan = await toyPlan(root, temporaryFolder(), { ...TRAIN, epochs: 2 });
    await trainSplit(plan, ports(plan, 4));
    const previous = (await loadCheckpoint(join(plan.folder, "previous"))).state;
    rmSync(join(plan.folder, "last", "optimizer.safetensors"));
    let asked = 0;
    const dying = {
      ...ports(plan),
      // Before anything of this process is saved: the whole checkpoint is where it was
      signal: stopWhen(() => {
        if (asked++ === 0) throw new Error("killed");
        return false;
      }),
    };
    await expect(trainSplit(plan, dying)).rejects.toThrow("killed");
    expect(existsSync(join(plan.folder, "damaged", "model.safetensors"))).toBe(true);
    expect((await loadCheckpoint(join(plan.folder, "previous"))).state).toEqual(previous);
    await trainSplit(plan, ports(plan, 1)); // saves once
    await loadCheckpoint(join(plan.folder, "last"));
    expect((await loadCheckpoint(join(plan.folder, "previous"))).state).toEqual(previous);
  });

  it("gives a validation up where asked to stop, and resumes to the undisturbed run bit for bit", async () => {
    const train = { ...TRAIN, epochs: 2, emaDecay: 0.9 };
    const whole = await toyPlan(root, temporaryFolder(), train);
    await trainSplit(whole, ports(whole));
    const plan = await toyPlan(root, temporaryFolder(), train);
    const reached = await trainSplit(plan, { ...ports(plan), validate: () => Promise.resolve(null) });
    expect(reached).toMatchObject({ finished: false, position: { epoch: 0, step: 3 } });
    expect(existsSync(join(plan.folder, "best"))).toBe(false);
    await trainSplit(plan, ports(plan));
    expect(remains(plan.folder)).toEqual(remains(whole.folder));
  });

  it("leaves no tensor behind: as many after epoch 3 as after epoch 2, and none when it is over", async () => {
    const before = tf.memory().numTensors;
    const plan = await toyPlan(root, temporaryFolder(), TRAIN);
    const after: number[] = [];
    const counting = {
      ...ports(plan),
      validate: (model: Parameters<typeof validate>[0]) => {
        after.push(tf.memory().numTensors);
        return ports(plan).validate(model);
      },
    };
    await trainSplit(plan, counting);
    expect(after).toHaveLength(3);
    expect(after[2]).toBe(after[1]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("goes on with a finished run whose epochs were raised", async () => {
    const folder = temporaryFolder();
    const short = await toyPlan(root, folder, { epochs: 1 });
    await trainSplit(short, ports(short));
    const long = await toyPlan(root, folder, { epochs: 2 });
    const reached = await trainSplit(long, ports(long));
    expect(reached.position).toEqual({ epoch: 2, step: 0 });
    expect(remains(folder).metrics.filter(({ kind }) => kind === "step")).toHaveLength(6);
  });

  it("keeps a frozen tower bit for bit, and trains the other", async () => {
    const plan = await toyPlan(root, temporaryFolder(), { epochs: 1, freeze: ["text"] });
    await trainSplit(plan, ports(plan));
    const before = (await loadParameters(plan.config.model.weights)).parameters;
    const { weights: after } = await loadCheckpoint(join(plan.folder, "last"));
    const isSame = (name: string) => Buffer.compare(bytesOf(before, name), bytesOf(after, name)) === 0;
    const names = [...before.keys()].filter((name) => name !== "logit_scale");
    for (const name of names) expect([name, isSame(name)]).toEqual([name, !name.startsWith("visual.")]);
  });
});

function bytesOf(arrays: ReadonlyMap<string, { values: Float32Array }>, name: string): Uint8Array {
  const { buffer, byteOffset, byteLength } = arrays.get(name)?.values ?? new Float32Array();
  return new Uint8Array(buffer, byteOffset, byteLength);
}

describe("what a run says", () => {
  it("is what a full or failing disk leaves, how to go on, and that another engine does", async () => {
    const notes: string[] = [];
    const toy = await toyPlan(root, temporaryFolder(), { epochs: 2, stepsPerEpoch: 1 });
    const plan = { ...toy, reporter: { ...toy.reporter, note: (line: string) => notes.push(line) } };
    const { folder } = plan;
    const fault = (code: string) => Promise.reject(Object.assign(new Error(`${code}: write`), { code }));
    const failing = (code: string) => trainSplit({ ...plan, initialSeen: () => fault(code) }, ports(plan));
    await expect(failing("ENOSPC")).rejects.toThrow(
      new NoSpaceError(
        `${folder}: stopped, no room for what was to be written (ENOSPC: write); no checkpoint was saved yet. Make room ` +
          `and go on with: liqe train --resume ${folder}`,
      ),
    );
    await expect(failing("EIO")).rejects.toThrow(
      new DiskError(
        `${folder}: stopped, the disk fails (EIO: write); no checkpoint was saved yet. Mend it, or copy the folder to ` +
          `another one, and go on with: liqe train --resume ${folder}`,
      ),
    );
    await expect(failing("EOTHER")).rejects.toThrow(/^EOTHER: write$/);
    await trainSplit(plan, { validate: () => Promise.resolve({ srcc: 1, average: 1 }), signal: stopWhen(() => true) });
    expect(notes).toEqual([]);
    const other = { ...plan, engine: { backend: "native", threads: 9 } };
    await expect(trainSplit(other, { ...ports(plan), validate: () => fault("ENOSPC") })).rejects.toThrow(
      `(ENOSPC: write); ${join(folder, "last")} is whole. Make room`,
    );
    expect(notes).toEqual([
      "the run was computed by native with 2 thread(s), now by native with 9 thread(s): last bits may differ",
    ]);
  });
});
