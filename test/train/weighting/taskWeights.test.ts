import { describe, expect, it } from "vitest";
import * as tf from "../../../src/engine/tf.js";
import { LossesConfig } from "../../../src/losses/config.js";
import type { TaskValues } from "../../../src/model/prompts/promptGrid.js";
import { RUN_START } from "../../../src/train/progress.js";
import type { GradientGram } from "../../../src/train/weighting/gradientGram.js";
import {
  cosineFactors,
  learnWeighting,
  stepWeights,
  type StepWeights,
  type WeightingMemory,
} from "../../../src/train/weighting/taskWeights.js";

const TASKS = ["quality", "scene", "distortion"] as const;
const WEIGHTS = { quality: 2, scene: 0.5, distortion: 1 };
const LOSSES = { quality: 0.3, scene: 2, distortion: 1 };
const START: WeightingMemory = { history: RUN_START.history, weighting: null };

/** Gradients (1, 0), (1, 1) and (−1, 1): scene pulls half where quality does, distortion away from it. */
const PRODUCTS: GradientGram = {
  tasks: TASKS,
  values: [
    [1, 1, -1],
    [1, 2, 0],
    [-1, 0, 2],
  ],
};

const configOf = (weighting: LossesConfig["weighting"], weights: Partial<typeof WEIGHTS> = WEIGHTS) =>
  LossesConfig.parse({ weighting, weights });
/** The weights that a step comes to whose gradients are PRODUCTS. */
const numbers = ({ values, gradients }: StepWeights): TaskValues => {
  if (gradients !== "cosine") return values;
  const factors = cosineFactors(TASKS, tf.tensor2d(PRODUCTS.values.flat(), [3, 3])).dataSync();
  return Object.fromEntries(TASKS.map((task, i) => [task, (values[task] ?? NaN) * (factors[i] ?? NaN)]));
};

describe("stepWeights", () => {
  it.each(["equal", "dwa", "uncertainty", "gradnorm"] as const)(
    "begins with the config's own weights, %s",
    (weighting) => {
      expect(numbers(stepWeights(configOf(weighting), TASKS, START))).toEqual(WEIGHTS);
    },
  );

  it("times the config's own weights, whatever the weighting says", () => {
    const epochMeans = [LOSSES, { ...LOSSES, scene: 1 }];
    const dwa = stepWeights(configOf("dwa"), TASKS, { ...START, history: { ...RUN_START.history, epochMeans } });
    // ratios 1, ½, 1: shares exp(½), exp(¼), exp(½)
    const sum = 2 * Math.exp(0.5) + Math.exp(0.25);
    expect(Object.values(numbers(dwa))).toBeAllClose(
      [(2 * 3 * Math.exp(0.5)) / sum, (0.5 * 3 * Math.exp(0.25)) / sum, (3 * Math.exp(0.5)) / sum],
      { rtol: 1e-12, atol: 0 },
    );
    const cosine = numbers(stepWeights(configOf("gradient-cosine"), TASKS, START));
    expect(Object.values(cosine)).toBeAllClose([2, 0.5 / Math.SQRT2, 0], { rtol: 1e-6, atol: 0 }); // of float32 products
  });

  it("asks for the step's gradients in gradnorm and gradient-cosine alone", () => {
    const asking = (["dwa", "equal", "uncertainty", "gradnorm", "gradient-cosine"] as const).filter(
      (weighting) => stepWeights(configOf(weighting), TASKS, START).gradients !== "ignored",
    );
    expect(asking).toEqual(["gradnorm", "gradient-cosine"]);
  });

  it("trains the one task that has a weight, and that alone, single", () => {
    const config = configOf("single", { quality: 0, scene: 3, distortion: 0 });
    expect(stepWeights(config, TASKS, START).values).toEqual({ quality: 0, scene: 3, distortion: 0 });
  });
});

describe("learnWeighting", () => {
  const step = { losses: LOSSES, gradients: PRODUCTS };

  it.each(["equal", "dwa", "single", "gradient-cosine"] as const)("has nothing to remember, %s", (weighting) => {
    const config = configOf(weighting, weighting === "single" ? { scene: 0, distortion: 0 } : WEIGHTS);
    expect(learnWeighting(config, TASKS, null, step)).toBeNull();
  });

  it.each(["uncertainty", "gradnorm"] as const)(
    "learns, and goes on from JSON to the same weights, bit for bit, %s",
    (weighting) => {
      const config = configOf(weighting);
      const after = (steps: number, from: ReturnType<typeof learnWeighting>) => {
        let state = from;
        for (let i = 0; i < steps; i++) {
          const losses = { quality: 0.3 / (i + 1), scene: Math.SQRT2, distortion: 1 / 3 };
          state = learnWeighting(config, TASKS, state, { losses, gradients: PRODUCTS });
        }
        return state;
      };
      const half = after(7, null);
      const restored = JSON.parse(JSON.stringify(half)) as typeof half; // what was written
      expect(after(5, restored)).toEqual(after(5, half));
      const memory = (weightings: typeof half) => ({ history: RUN_START.history, weighting: weightings });
      expect(numbers(stepWeights(config, TASKS, memory(half)))).not.toEqual(WEIGHTS);
    },
  );

  it("leaves tasks of weight 0 out of gradnorm's balance", () => {
    const config = configOf("gradnorm", { quality: 1, scene: 0, distortion: 1 });
    const weighting = learnWeighting(config, TASKS, null, step);
    expect(weighting?.weighting === "gradnorm" && Object.keys(weighting.factors)).toEqual(["quality", "distortion"]);
    const weights = numbers(stepWeights(config, TASKS, { history: RUN_START.history, weighting }));
    expect(weights.scene).toBe(0);
    expect((weights.quality ?? NaN) + (weights.distortion ?? NaN)).toBeCloseTo(2, 12);
  });

  it("refuses another weighting's memory, and a gradnorm step without gradients", () => {
    const learned = learnWeighting(configOf("uncertainty"), TASKS, null, step);
    expect(() => learnWeighting(configOf("gradnorm"), TASKS, learned, step)).toThrow(
      "internal: stateOf: uncertainty's",
    );
    expect(() => learnWeighting(configOf("gradnorm"), TASKS, null, { ...step, gradients: null })).toThrow(
      "measured no gradients",
    );
  });
});
