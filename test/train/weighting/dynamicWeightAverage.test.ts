import { describe, expect, it } from "vitest";
import { type LossHistory, RUN_START } from "../../../src/train/progress.js";
import { dynamicWeightAverage } from "../../../src/train/weighting/dynamicWeightAverage.js";

const TASKS = ["quality", "scene", "distortion"] as const;
const EVEN = { quality: 1, scene: 1, distortion: 1 };

const history = (...epochMeans: LossHistory["epochMeans"]): LossHistory => ({ ...RUN_START.history, epochMeans });
const means = (quality: number, scene: number, distortion: number) => ({ quality, scene, distortion });
const weightsAfter = (past: LossHistory) => Object.values(dynamicWeightAverage(TASKS, past));

const PLAIN = { rtol: 1e-12, atol: 0 };

describe("dynamicWeightAverage", () => {
  it("is 1 for all in epochs 0 and 1", () => {
    expect(dynamicWeightAverage(TASKS, history())).toEqual(EVEN);
    expect(dynamicWeightAverage(TASKS, history(means(3, 2, 1)))).toEqual(EVEN);
  });

  it("is n·exp(w/2)/Σexp(w/2) of the last ratio of means from epoch 2 on", () => {
    // ratios ½, 1, 2: exp(¼), exp(½), exp(1) are 1.2840254, 1.6487213, 2.7182818
    const [a, b, c] = [Math.exp(0.25), Math.exp(0.5), Math.E];
    const past = history(means(9, 9, 9), means(0.8, 2, 0.3), means(0.4, 2, 0.6));
    const sum = a + b + c;
    expect(weightsAfter(past)).toBeAllClose([(3 * a) / sum, (3 * b) / sum, (3 * c) / sum], PLAIN);
  });

  it("sums to the number of tasks, and gives the slower task more", () => {
    const weights = dynamicWeightAverage(["quality", "scene"], history(means(1, 1, 1), means(0.2, 0.9, 5)));
    expect(Object.keys(weights)).toEqual(["quality", "scene"]);
    expect((weights.quality ?? NaN) + (weights.scene ?? NaN)).toBeCloseTo(2, 12);
    expect(weights.scene).toBeGreaterThan(weights.quality ?? NaN);
  });

  it("takes a task whose loss was 0 or below for unchanged", () => {
    expect(weightsAfter(history(means(1, 0, -1e-4), means(1, 0, 1)))).toEqual([1, 1, 1]);
  });

  it("stays finite where a loss grows a millionfold", () => {
    expect(weightsAfter(history(means(1e-6, 1, 1), means(1, 1, 1)))).toEqual([3, 0, 0]);
  });
});
