import { describe, expect, it } from "vitest";
import type { LossHistory } from "../../src/train/lossHistory.js";
import { addStep, EMPTY_HISTORY, endEpoch } from "../../src/train/lossHistory.js";
import { taskWeights } from "../../src/train/taskWeights.js";

const TASKS = ["quality", "scene", "distortion"] as const;
const EVEN = { quality: 1, scene: 1, distortion: 1 };
const DWA = { weighting: "dwa", weights: EVEN } as const;

const history = (...epochMeans: LossHistory["epochMeans"]): LossHistory => ({ ...EMPTY_HISTORY, epochMeans });
const means = (quality: number, scene: number, distortion: number) => ({ quality, scene, distortion });
const weightsAfter = (past: LossHistory) => Object.values(taskWeights(DWA, TASKS, past));

const PLAIN = { rtol: 1e-12, atol: 0 };

describe("taskWeights", () => {
  it("is 1 for all in epochs 0 and 1", () => {
    expect(taskWeights(DWA, TASKS, history())).toEqual(EVEN);
    expect(taskWeights(DWA, TASKS, history(means(3, 2, 1)))).toEqual(EVEN);
  });

  it("is n·exp(w/2)/Σexp(w/2) of the last ratio of means from epoch 2 on", () => {
    // ratios ½, 1, 2: exp(¼), exp(½), exp(1) are 1.2840254, 1.6487213, 2.7182818
    const [a, b, c] = [Math.exp(0.25), Math.exp(0.5), Math.E];
    const past = history(means(9, 9, 9), means(0.8, 2, 0.3), means(0.4, 2, 0.6));
    const sum = a + b + c;
    expect(weightsAfter(past)).toBeAllClose([(3 * a) / sum, (3 * b) / sum, (3 * c) / sum], PLAIN);
  });

  it("sums to the number of tasks, and gives the slower task more", () => {
    const weights = taskWeights(DWA, ["quality", "scene"], history(means(1, 1, 1), means(0.2, 0.9, 5)));
    expect(Object.keys(weights)).toEqual(["quality", "scene"]);
    expect((weights.quality ?? NaN) + (weights.scene ?? NaN)).toBeCloseTo(2, 12);
    expect(weights.scene).toBeGreaterThan(weights.quality ?? NaN);
  });

  it("multiplies by the config's own weights, in either weighting", () => {
    const weights = { quality: 2, scene: 0.3, distortion: 1 };
    const past = history(means(1, 1, 1), means(1, 1, 1));
    expect(taskWeights({ weighting: "dwa", weights }, TASKS, past)).toEqual(weights);
    const uneven = history(means(1, 2, 3), means(3, 2, 1));
    expect(taskWeights({ weighting: "equal", weights }, TASKS, uneven)).toEqual(weights);
  });

  it("takes a task whose loss was 0 or below for unchanged", () => {
    expect(weightsAfter(history(means(1, 0, -1e-4), means(1, 0, 1)))).toEqual([1, 1, 1]);
  });

  it("stays finite where a loss grows a millionfold", () => {
    expect(weightsAfter(history(means(1e-6, 1, 1), means(1, 1, 1)))).toEqual([3, 0, 0]);
  });
});

describe("LossHistory", () => {
  const first = [means(1, 10, 100), means(2, 20, 200), means(6, 60, 600)];

  it("keeps each epoch's mean over its steps, and begins anew", () => {
    const past = endEpoch(first.reduce(addStep, EMPTY_HISTORY));
    expect(past).toEqual({ epochMeans: [means(3, 30, 300)], sums: {}, steps: 0 });
    expect(endEpoch(addStep(past, means(5, 5, 5))).epochMeans).toEqual([means(3, 30, 300), means(5, 5, 5)]);
  });

  it("goes on from JSON mid-epoch to the same means, bit for bit", () => {
    const losses = Array.from({ length: 7 }, (_, i) => means(1 / (i + 3), Math.sqrt(i + 2), 0.1 * i));
    const whole = endEpoch(losses.reduce(addStep, EMPTY_HISTORY));
    const half = losses.slice(0, 4).reduce(addStep, EMPTY_HISTORY);
    const restored = JSON.parse(JSON.stringify(half)) as LossHistory; // what was written above
    expect(endEpoch(losses.slice(4).reduce(addStep, restored))).toEqual(whole);
  });

  it("refuses to close an epoch without a step, whose mean would be NaN", () => {
    expect(() => endEpoch(EMPTY_HISTORY)).toThrow("internal: endEpoch: the epoch has no step");
  });
});
