import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { unpacked } from "../../src/data/lists/packSamples.js";
import { LossesConfig } from "../../src/losses/config.js";
import type { EpochMetrics, StepMetrics } from "../../src/train/logs/metricsLog.js";
import type { RunPlan } from "../../src/train/plan.js";
import { trainSplit } from "../../src/train/run.js";
import { stopWhen, temporaryFolder, toyDatabase, toyPlan } from "../support/runs.js";

const root = await toyDatabase();

/** Two epochs of three steps over quality and distortion; validation is not what is looked at here. */
async function planOf(losses: Record<string, unknown>): Promise<RunPlan> {
  const plan = await toyPlan(root, temporaryFolder(), { epochs: 2 });
  return { ...plan, config: { ...plan.config, losses: LossesConfig.parse(losses) } };
}

/** Trains to the end. */
async function train(plan: RunPlan): Promise<boolean> {
  const validate = () => Promise.resolve({ srcc: 0.5, average: 0.5 });
  return (await trainSplit(plan, { validate, signal: stopWhen(() => false) })).finished;
}

/** The lines of metrics.jsonl, without what depends on the machine. */
function metrics({ folder }: RunPlan) {
  const lines = readFileSync(join(folder, "metrics.jsonl"), "utf8").trimEnd().split("\n");
  return lines.map((line) => ({ ...(JSON.parse(line) as StepMetrics | EpochMetrics), time: null, memory: null })); // our own file
}

const weightsOf = (plan: RunPlan) =>
  metrics(plan)
    .filter(({ kind }) => kind === "step")
    .map(({ weights }) => weights);

const ALL = ["dwa", "equal", "uncertainty", "gradnorm", "gradient-cosine", "single"] as const;

describe("a run's weighting", () => {
  it.each(ALL)("trains on quality alone where the prompts ask about nothing else, %s", async (weighting) => {
    const plan = await planOf({ weighting, weights: { scene: 0, distortion: 0 } });
    const prompts = { ...plan.config.prompts, template: "a photo with {quality} quality" };
    const alone = { ...plan, config: { ...plan.config, prompts } };
    expect(await train(alone)).toBe(true);
    for (const { losses, weights } of metrics(alone)) {
      expect(Object.keys(losses)).toEqual(["quality"]);
      expect(Object.keys(weights)).toEqual(["quality"]);
      expect(weights.quality).toSatisfy(weighting === "uncertainty" ? (w: number) => w > 0 : (w: number) => w === 1);
    }
  });

  it.each(ALL.filter((weighting) => weighting !== "single"))(
    "goes on with the other task where no image has a label of one, %s",
    async (weighting) => {
      const plan = await planOf({ weighting });
      const databases = plan.databases.map((database) => ({
        ...database,
        train: database.train.map((sample) => ({ ...unpacked(sample), distortion: null })),
      }));
      const epochs = { ...plan.config.train, epochs: 3 }; // dwa looks at two epochs
      expect(await train({ ...plan, databases, config: { ...plan.config, train: epochs } })).toBe(true);
      for (const { losses, weights } of metrics(plan)) {
        expect(losses["distortion"]).toBe(0);
        expect(losses["quality"]).toBeGreaterThan(0);
        expect(Object.values(weights).every((weight) => Number.isFinite(weight) && weight >= 0)).toBe(true);
        expect(weights.quality).toBeGreaterThan(0);
      }
    },
  );

  it("logs the weights that each step used, and an epoch's last ones with the epoch", async () => {
    const plan = await planOf({ weighting: "uncertainty" });
    await train(plan);
    const [first, second] = weightsOf(plan);
    expect(first).toEqual({ quality: 1, distortion: 1 });
    // Quality's fidelity is below ½ and distortion's cross-entropy, about log 11, above it: exp(± the rate)
    expect(second?.quality).toBeCloseTo(Math.exp(0.025), 6);
    expect(second?.distortion).toBeCloseTo(Math.exp(-0.025), 6);
    const steps = metrics(plan);
    expect(steps[3]).toMatchObject({ kind: "epoch", weights: steps[2]?.weights });
    for (const { loss, losses, weights } of steps.filter(({ kind }) => kind === "step")) {
      const sum = Object.entries(losses).reduce((total, [task, value]) => total + value * (weights[task] ?? NaN), 0);
      expect([loss]).toBeAllClose([sum], { rtol: 1e-6, atol: 0 });
    }
  });

  it("keeps gradnorm's weights at the number of tasks, and gradient-cosine's between 0 and quality's 1", async () => {
    const gradnorm = await planOf({ weighting: "gradnorm" });
    await train(gradnorm);
    for (const { quality = NaN, distortion = NaN } of weightsOf(gradnorm))
      expect(quality + distortion).toBeCloseTo(2, 9);
    expect(weightsOf(gradnorm)[0]).toEqual({ quality: 1, distortion: 1 });
    expect(weightsOf(gradnorm)[1]).not.toEqual({ quality: 1, distortion: 1 });
    const cosine = await planOf({ weighting: "gradient-cosine" });
    await train(cosine);
    for (const { quality, distortion = NaN } of weightsOf(cosine)) {
      expect(quality).toBe(1);
      expect(distortion).toBeGreaterThanOrEqual(0);
      expect(distortion).toBeLessThanOrEqual(1);
    }
  });
});
