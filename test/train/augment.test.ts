import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AugmentConfig } from "../../src/data/augment/config.js";
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

/** Losses of the first step, by task. */
function firstLosses({ folder }: RunPlan) {
  const [line = ""] = readFileSync(join(folder, "metrics.jsonl"), "utf8").split("\n");
  return (JSON.parse(line) as { readonly losses: { readonly quality: number; readonly distortion: number } }).losses; // our own file
}

describe("runTraining with augment", () => {
  it("trains on the versions: other weights than without, and others again where ranks count nothing", async () => {
    const losses = async (augment: Record<string, unknown>) => {
      const plan = await planWith(augment);
      await trainSplit(plan, { validate, signal: stopWhen(never) });
      return firstLosses(plan);
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
