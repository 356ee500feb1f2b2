import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AugmentConfig } from "../../src/data/augment/config.js";
import * as tf from "../../src/engine/tf.js";
import { cropsPerStep, type RunPlan } from "../../src/train/plan.js";
import { trainSplit } from "../../src/train/run.js";
import { stopWhen, temporaryFolder, toyDatabase, toyPlan } from "../support/runs.js";

const root = await toyDatabase();
const TRAIN = { epochs: 2, stepsPerEpoch: 2, saveEverySteps: 1 };
const validate = () => Promise.resolve({ srcc: 0.5, average: 0.5 });
const never = () => false;

async function planWith(augment: Record<string, unknown>): Promise<RunPlan> {
  const plan = await toyPlan(root, temporaryFolder(), TRAIN);
  return { ...plan, config: { ...plan.config, augment: AugmentConfig.parse(augment) } };
}

/** All of `last/` that training has made, and the lines of its steps without what is measured of them. */
function outcome({ folder }: RunPlan) {
  const bytes = ["model", "optimizer"].map((name) =>
    readFileSync(join(folder, "last", `${name}.safetensors`), "base64"),
  );
  const lines = readFileSync(join(folder, "metrics.jsonl"), "utf8").trimEnd().split("\n");
  const steps = lines.map((line) => {
    const record = JSON.parse(line) as Record<string, unknown>; // our own file
    return { ...record, time: null, memory: null };
  });
  return { bytes, steps };
}

describe("runTraining with augment", () => {
  it("resumes after any step to the same bytes, without a tensor left behind", async () => {
    const tensors = tf.memory().numTensors;
    const augment = { contents: 1, versions: 3 };
    const whole = await planWith(augment);
    await trainSplit(whole, { validate, signal: stopWhen(never) });
    for (const steps of [1, 2, 4]) {
      const plan = await planWith(augment);
      let asked = 0;
      const stopped = await trainSplit(plan, { validate, signal: stopWhen(() => ++asked >= steps) });
      expect(stopped.finished).toBe(false);
      await trainSplit(plan, { validate, signal: stopWhen(never) });
      expect(outcome(plan)).toEqual(outcome(whole));
    }
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it("trains on the versions: other weights than without, and others again where ranks count nothing", async () => {
    const losses = async (augment: Record<string, unknown>) => {
      const plan = await planWith(augment);
      await trainSplit(plan, { validate, signal: stopWhen(never) });
      const [first] = outcome(plan).steps as unknown as { losses: unknown }[]; // of a step
      return first?.losses as { quality: number; distortion: number }; // of metrics.jsonl
    };
    const off = await losses({});
    const ranked = await losses({ contents: 2, weight: 1 });
    const unranked = await losses({ contents: 2, weight: 0 });
    expect(unranked.quality).toBeCloseTo(off.quality, 5); // the same pairs, in a larger batch
    expect(Math.abs(ranked.quality - off.quality)).toBeGreaterThan(1e-3);
    expect(Math.abs(unranked.distortion - off.distortion)).toBeGreaterThan(1e-3); // six more labels
  });

  it("counts the versions among the crops of a step", async () => {
    expect(cropsPerStep(await planWith({ contents: 2, versions: 3 }))).toBe((4 + 6) * 2);
    expect(cropsPerStep(await planWith({}))).toBe(4 * 2);
  });
});
