import { execFileSync } from "node:child_process";
import { closeSync, constants, cpSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DataError, StalledReadError } from "../../src/base/errors.js";
import { DataConfig } from "../../src/data/config.js";
import { loadCheckpoint } from "../../src/train/checkpoint/checkpoint.js";
import type { StepMetrics } from "../../src/train/logs/metricsLog.js";
import type { RunPlan } from "../../src/train/plan.js";
import { trainSplit } from "../../src/train/run.js";
import { stopWhen, temporaryFolder, toyDatabase, toyPlan } from "../support/runs.js";

const TRAIN = { epochs: 2, stepsPerEpoch: 4, cropsPerImage: 1, saveEverySteps: 1 };
const original = await toyDatabase();

function databaseCopy(): string {
  const root = temporaryFolder();
  cpSync(original, root, { recursive: true });
  return root;
}

async function planOf(root: string, data: Record<string, unknown>): Promise<RunPlan & { notes: string[] }> {
  const plan = await toyPlan(root, temporaryFolder(), TRAIN);
  const notes: string[] = [];
  return {
    ...plan,
    notes,
    config: { ...plan.config, data: DataConfig.parse({ ...plan.config.data, cacheMB: 0, ...data }) },
    reporter: { ...plan.reporter, note: (line) => notes.push(line) },
  };
}

/** Stops after `steps` steps of this process; validation is of no interest here. */
function ports(steps = Infinity) {
  let taken = 0;
  return {
    validate: () => Promise.resolve({ srcc: null, average: null }),
    signal: stopWhen(() => ++taken >= steps),
  };
}

async function remains({ folder }: RunPlan) {
  const { weights, optimizer, state } = await loadCheckpoint(join(folder, "last"));
  const lines = readFileSync(join(folder, "metrics.jsonl"), "utf8").trimEnd().split("\n");
  const metrics = lines.map((line) => ({ ...(JSON.parse(line) as StepMetrics), time: null, memory: null }));
  return { weights, optimizer, progress: state.progress, metrics };
}

describe("a training image that cannot be decoded", () => {
  const root = databaseCopy();
  const bad = join(root, "toys", "train5.png");
  writeFileSync(bad, readFileSync(bad).subarray(0, 4000)); // cut short: its header is good

  it("stops the run by its name where the config says nothing", async () => {
    const plan = await planOf(root, {});
    const stopped = trainSplit(plan, ports());
    await expect(stopped).rejects.toThrow(DataError);
    await expect(stopped).rejects.toThrow(bad);
  });

  it("is named once, counted in metrics.jsonl, and replaced alike by an undisturbed and a resumed run", async () => {
    const whole = await planOf(root, { onUnreadable: "replace" });
    expect((await trainSplit(whole, ports())).finished).toBe(true);
    expect(whole.notes).toHaveLength(1);
    expect(whole.notes[0]).toMatch(/train5\.png: cannot be decoded .*others take its place/);
    const expected = await remains(whole);
    const counts = expected.metrics.flatMap(({ kind, unreadable }) => (kind === "step" ? [unreadable] : []));
    // 8 steps of 4 images are two passes over the 12 images and two thirds of a third one
    const drawn = counts.reduce((sum, count) => sum + count, 0);
    expect([2, 3]).toContain(drawn);
    expect(counts.every((count) => count === 0 || count === 1)).toBe(true);
    for (const stopAfter of [1, 3, 6]) {
      const plan = await planOf(root, { onUnreadable: "replace" });
      await trainSplit(plan, ports(stopAfter));
      await trainSplit(plan, ports());
      expect(await remains(plan)).toEqual(expected);
    }
  });
});

describe("a training image that does not come", () => {
  it("stops the run within data.stallSeconds by its name, with the last checkpoint whole", async () => {
    const root = databaseCopy();
    const plan = await planOf(root, { onUnreadable: "replace", stallSeconds: 1 });
    await trainSplit(plan, ports(3));
    const hanging = join(root, "toys", "train5.png");
    rmSync(hanging);
    execFileSync("mkfifo", [hanging]); // open() waits for a writer, and none comes
    const startedMs = performance.now();
    const stalled = trainSplit(plan, ports());
    await expect(stalled).rejects.toThrow(StalledReadError);
    await expect(stalled).rejects.toThrow(`${hanging}: no answer after 1 s (data.stallSeconds)`);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    closeSync(openSync(hanging, constants.O_WRONLY | constants.O_NONBLOCK)); // lets the thread go
    const { state } = await loadCheckpoint(join(plan.folder, "last"));
    expect(state.optimizerSteps).toBeGreaterThanOrEqual(3);

    rmSync(hanging);
    cpSync(join(original, "toys", "train5.png"), hanging); // the disk is back
    expect((await trainSplit(plan, ports())).finished).toBe(true);
    const undisturbed = await planOf(original, {});
    await trainSplit(undisturbed, ports());
    const [ours, expected] = [await remains(plan), await remains(undisturbed)];
    expect(ours).toEqual(expected);
  });
});
