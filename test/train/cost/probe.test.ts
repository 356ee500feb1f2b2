import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as tf from "../../../src/engine/tf.js";
import { probeTraining } from "../../../src/train/cost/probe.js";
import { stepFlops } from "../../../src/train/cost/stepFlops.js";
import { trainSplit } from "../../../src/train/run.js";
import { stopWhen, temporaryFolder, toyDatabase, toyPlan } from "../../support/runs.js";

const root = await toyDatabase();

/** A plan for a folder that is not there. */
async function plannedRun(train: Record<string, unknown> = {}) {
  const plan = await toyPlan(root, temporaryFolder(), train);
  return { ...plan, folder: join(plan.folder, "run", "split-1") };
}

describe("probeTraining", () => {
  it("measures real steps, writes nothing and leaves no tensor behind", async () => {
    const before = tf.memory().numTensors;
    const plan = await plannedRun();
    const reported: number[] = [];
    const reporter = { ...plan.reporter, progress: ({ done }: { done: number }) => void reported.push(done) };
    const probe = await probeTraining({ ...plan, reporter });
    expect(reported).toEqual([0, 1, 2, 3]);
    const { network } = probe; // 4 images of 2 crops, all at once
    expect(probe.flops).toEqual(stepFlops(network, { images: 4, crops: 8, microBatch: 8, freeze: [] }));
    expect(probe.seconds).toBeGreaterThan(0);
    expect(probe.dataSeconds).toBeLessThan(probe.seconds);
    expect(probe.peakBytes).toBeGreaterThan(probe.checkpointBytes);
    expect(existsSync(plan.folder)).toBe(false);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("counts the work of adapters without the gradients of their matrices", async () => {
    const { network, flops } = await probeTraining(await plannedRun({ epochs: 1, tune: "lora" }));
    const step = { images: 4, crops: 8, microBatch: 8, freeze: [] };
    expect(flops).toEqual(stepFlops(network, { ...step, tune: "lora" }));
    expect(flops.total).toBeLessThan(stepFlops(network, step).total);
  });

  it("takes no step that the run does not have", async () => {
    const reported: number[] = [];
    const plan = await plannedRun({ epochs: 1, stepsPerEpoch: 1 });
    const reporter = { ...plan.reporter, progress: ({ done }: { done: number }) => void reported.push(done) };
    expect((await probeTraining({ ...plan, reporter })).seconds).toBeGreaterThan(0);
    expect(reported).toEqual([0, 1]);
  });

  it("counts the numbers of the weights, those of the trained ones, and the bytes that a checkpoint has", async () => {
    const plan = await plannedRun({ epochs: 1, freeze: ["text"] });
    const probe = await probeTraining(plan);
    // Hand count of the toy's image tower: 3072·16 patches, class, 50 places, ln_pre and ln_post, one block, 16·8 out
    const block = 4 * 16 + (16 * 48 + 48) + (16 * 16 + 16) + (16 * 64 + 64) + (64 * 16 + 16);
    expect(probe.parameters.trained).toBe(3072 * 16 + 16 + 50 * 16 + 4 * 16 + block + 16 * 8);
    expect(probe.weightBytes).toBe(4 * probe.parameters.all);
    expect(probe.checkpointBytes).toBe(probe.weightBytes + 8 * probe.parameters.trained); // the token table is as it was
    const averaging = await probeTraining(await plannedRun({ epochs: 1, freeze: ["text"], emaDecay: 0.9 }));
    expect(averaging.checkpointBytes).toBe(probe.checkpointBytes + 4 * probe.parameters.trained); // and those as trained
  });

  it("writes nothing where the first step's gradient is not finite, either", async () => {
    const plan = await plannedRun();
    const losses = { ...plan.config.losses, weights: { quality: 1e30, scene: 1, distortion: 1 } };
    const probing = probeTraining({ ...plan, config: { ...plan.config, losses } });
    await expect(probing).rejects.toThrow(/epoch 1, step 1: .*gradient norm Infinity.*\(train\.maxSkippedSteps\)$/);
    expect(existsSync(plan.folder)).toBe(false);
  });

  it("leaves a run that has begun as it is", async () => {
    const plan = await toyPlan(root, temporaryFolder(), { epochs: 1 });
    let steps = 0;
    const ports = {
      validate: () => Promise.resolve({ srcc: null, average: null }),
      signal: stopWhen(() => ++steps === 2),
    };
    const stopped = await trainSplit(plan, ports);
    await probeTraining(plan);
    const resumed = await trainSplit(plan, { ...ports, signal: stopWhen(() => true) });
    expect(resumed.position.step).toBe(stopped.position.step + 1);
  });
});
