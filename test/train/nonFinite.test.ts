import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { NonFiniteLossError } from "../../src/base/errors.js";
import * as tf from "../../src/engine/tf.js";
import { LossesConfig } from "../../src/losses/config.js";
import { batchTargets } from "../../src/losses/targets.js";
import { LiqeModel } from "../../src/model/liqe.js";
import { initialParameters } from "../../src/model/parameters/initialize.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import { loadCheckpoint } from "../../src/train/checkpoint/checkpoint.js";
import type { Diagnosis } from "../../src/train/logs/runLogs.js";
import type { StepMetrics } from "../../src/train/logs/metricsLog.js";
import { AdamW } from "../../src/train/optimizer/adamw.js";
import type { RunPlan } from "../../src/train/plan.js";
import { trainSplit } from "../../src/train/run.js";
import { NonFiniteStepError } from "../../src/train/step.js";
import { stopWhen, temporaryFolder, TOY_ARCHITECTURE, toyDatabase, toyPlan } from "../support/runs.js";
import { startTestEngine } from "../support/testEngine.js";
import { stepOn } from "../support/steps.js";

await startTestEngine(); // what follows computes while this file is being read

describe("trainStep", () => {
  it.each([
    ["a loss that is NaN", NaN],
    ["a gradient whose norm overflows", 1e25],
  ])("touches no weight, no moment and leaks nothing on %s", async (_, weight) => {
    const model = new LiqeModel(initialParameters(TOY_ARCHITECTURE, 5), promptGrid("a photo with {quality} quality"));
    const trained = [...model.parameters.variables.keys()].filter((name) => name !== "logit_scale");
    const variables = new Map([...model.parameters.variables].filter(([name]) => trained.includes(name)));
    const optimizer = new AdamW(variables, { weightDecay: 0.1 });
    const labels = {
      databases: [{ name: "a", images: 2 }],
      mos: Float32Array.of(1, 2),
      mosStd: [null, null],
      scenes: new Float32Array(),
      distortions: Int32Array.of(-1, -1),
    };
    const targets = batchTargets(labels, model.grid.axes, LossesConfig.parse({}));
    const pixels = Uint8Array.from({ length: 2 * model.cropSize }, (_, i) => (i * i) % 251);
    const trainer = { model, optimizer, trained, logitScale: model.logitScale(), clipNorm: null, microBatch: 2 };
    const taskWeights = { values: { quality: weight }, gradients: "ignored" } as const;
    const step = () => stepOn(trainer, { pixels, targets, taskWeights, learningRate: 0.1 });
    const snapshot = () => [...variables.values()].map((variable) => [...variable.dataSync()]);

    const before = snapshot();
    const tensors = tf.memory().numTensors;
    await expect(step()).rejects.toThrow(NonFiniteStepError);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(snapshot()).toEqual(before);
    expect(optimizer.step).toBe(0);
    expect([...optimizer.state().moments.values()].every(({ first }) => first.every((value) => value === 0))).toBe(
      true,
    );
    optimizer.dispose();
    model.dispose();
  });
});

const root = await toyDatabase();
/** At this rate gradients differ by their batches more than by what was learned before. */
const TRAIN = { epochs: 2, stepsPerEpoch: 6, cropsPerImage: 1, saveEverySteps: 2, learningRate: 1e-5 };

/** A seed under which the largest gradient of the first epoch is not its first. */
const SEED = 2;

async function planOf(folder: string, train: Record<string, unknown>, weight: number): Promise<RunPlan> {
  const plan = await toyPlan(root, folder, { ...TRAIN, ...train });
  const losses = LossesConfig.parse({ weighting: "equal", weights: { quality: weight, distortion: weight } });
  return { ...plan, config: { ...plan.config, seed: SEED, losses } };
}

/** Stops after `steps` steps of this process; validation is of no interest here. */
function ports(steps = Infinity) {
  let taken = 0;
  return {
    validate: () => Promise.resolve({ srcc: null, average: null }),
    signal: stopWhen(() => ++taken >= steps),
  };
}

function linesOf(folder: string): StepMetrics[] {
  const lines = readFileSync(join(folder, "metrics.jsonl"), "utf8").trimEnd().split("\n");
  return lines.map((line) => ({ ...(JSON.parse(line) as StepMetrics), time: null, memory: null }) as never);
}

/**
 * A weight of the losses under which the step with the largest gradient overflows in float32, whose squares end at
 * 3.4e38, and the others do not: AdamW moves the weights alike whatever factor all its gradients have.
 */
async function overflowingWeight(): Promise<{ weight: number; step: number }> {
  const plan = await planOf(temporaryFolder(), {}, 1);
  await trainSplit(plan, ports());
  const norms = linesOf(plan.folder).flatMap(({ kind, gradientNorm }) => (kind === "step" ? [gradientNorm] : []));
  const [largest = NaN, second = NaN] = norms.toSorted((a, b) => b - a);
  return { weight: Math.sqrt(3.4e38) / Math.sqrt(largest * second), step: norms.indexOf(largest) };
}

const { weight, step: spoilt } = await overflowingWeight();

describe("a run with a step whose gradient is not finite", () => {
  it("stops before it, with the last checkpoint as it was and a diagnosis of that step", async () => {
    const plan = await planOf(temporaryFolder(), {}, weight);
    const stopped = trainSplit(plan, ports());
    await expect(stopped).rejects.toThrow(NonFiniteLossError);
    await expect(stopped).rejects.toThrow(/gradient norm Infinity.*train\.maxSkippedSteps.*diagnosis\.json/);
    const lines = linesOf(plan.folder).filter(({ kind }) => kind !== ("epoch" as string));
    expect(lines).toHaveLength(spoilt);
    expect((await loadCheckpoint(join(plan.folder, "last"))).state.optimizerSteps).toBe(2 * Math.floor(spoilt / 2));

    const diagnosis = JSON.parse(readFileSync(join(plan.folder, "diagnosis.json"), "utf8")) as Diagnosis;
    expect(diagnosis).toMatchObject({ epoch: Math.floor(spoilt / 6), step: spoilt, learningRate: 1e-5 });
    expect(diagnosis.gradientNorm).toBe("Infinity");
    expect(diagnosis.weights).toEqual({ quality: weight, distortion: weight });
    expect(Object.keys(diagnosis.losses)).toEqual(["quality", "distortion"]);
    expect(diagnosis.files).toHaveLength(4);
    expect(diagnosis.files.every((file) => existsSync(file))).toBe(true);
    expect(diagnosis.firstNonFinite).toBeNull(); // only the norm overflowed
    const norms = diagnosis.gradients.map(({ norm }) => norm);
    expect(Math.hypot(...norms)).toBeGreaterThan(Math.sqrt(3.4e38));
    expect(diagnosis.gradients.map(({ parameter }) => parameter)).toContain("visual.conv1.weight");
  });

  it("leaves it out where that is allowed, records it, and resumes around it bit for bit", async () => {
    const whole = await planOf(temporaryFolder(), { maxSkippedSteps: 5 }, weight);
    expect((await trainSplit(whole, ports())).finished).toBe(true);
    const lines = linesOf(whole.folder);
    const skipped = lines.filter(({ kind }) => kind === "skipped");
    expect(skipped[0]).toMatchObject({ step: spoilt, gradientNorm: "Infinity" });
    const { state, weights, optimizer } = await loadCheckpoint(join(whole.folder, "last"));
    expect(state.progress.skippedSteps).toBe(skipped.length);
    expect(state.optimizerSteps).toBe(12 - skipped.length);
    for (const stopAfter of [spoilt, spoilt + 1, spoilt + 2].filter((steps) => steps > 0)) {
      const plan = await planOf(temporaryFolder(), { maxSkippedSteps: 5 }, weight);
      expect((await trainSplit(plan, ports(stopAfter))).finished).toBe(false);
      expect((await trainSplit(plan, ports())).finished).toBe(true);
      const resumed = await loadCheckpoint(join(plan.folder, "last"));
      expect(resumed.state.progress).toEqual(state.progress);
      expect([resumed.weights, resumed.optimizer]).toEqual([weights, optimizer]);
      expect(linesOf(plan.folder)).toEqual(lines);
    }
  });
});
