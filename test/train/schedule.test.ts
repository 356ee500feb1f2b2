import { describe, expect, it } from "vitest";
import { learningRate, type ScheduleConfig } from "../../src/train/schedule.js";
import reference from "../fixtures/train/optimizer.json" with { type: "json" };

/** PyTorch computes its cosine step by step from the last rate; the closed form differs by its roundings. */
const SCHEDULE = { rtol: 1e-12, atol: 1e-14 };

const config = (changes: Partial<ScheduleConfig>): ScheduleConfig => ({
  schedule: "cosine",
  learningRate: 1,
  epochs: 80,
  stepsPerEpoch: 10,
  cosineEpochs: 5,
  warmupSteps: 0,
  ...changes,
});

/** The rate of each step of a run, in order. */
const allRates = (run: ScheduleConfig): number[] =>
  Array.from({ length: run.epochs * run.stepsPerEpoch }, (_, step) =>
    learningRate(run, Math.floor(step / run.stepsPerEpoch), step % run.stepsPerEpoch),
  );

describe("learningRate", () => {
  it.each(Object.entries(reference.wave))("cosine: is PyTorch's CosineAnnealingLR with T_max %s", (length, rates) => {
    const run = config({ cosineEpochs: Number(length) });
    expect(rates.map((_, epoch) => learningRate(run, epoch, 0))).toBeAllClose(rates, SCHEDULE);
  });

  it("cosine: is the recipe's wave of nine epochs at 5e-6, the tenth like the first", () => {
    const run = config({ learningRate: 5e-6 });
    const shares = Array.from({ length: 10 }, (_, epoch) => learningRate(run, epoch, 0) / 5e-6);
    expect(shares.map((share) => share.toFixed(3)).join(" ")).toBe(
      "1.000 0.905 0.655 0.345 0.095 0.095 0.345 0.655 0.905 1.000",
    );
  });

  it("cosine: is never 0, and the same in all steps of an epoch", () => {
    const rates = allRates(config({}));
    expect(Math.min(...rates)).toBeGreaterThan(0.09);
    expect(rates.every((rate, step) => rate === rates[step - (step % 10)])).toBe(true);
  });

  it("cosine-steps: is PyTorch's linear warm-up and half cosine over all steps", () => {
    const { warmupSteps, rates } = reference.descent;
    const run = config({ schedule: "cosine-steps", warmupSteps, epochs: 3, stepsPerEpoch: rates.length / 3 });
    expect(allRates(run)).toBeAllClose(rates, SCHEDULE);
  });

  it("cosine-steps: begins at the highest rate without warm-up, ends above 0, and never rises", () => {
    const rates = allRates(config({ schedule: "cosine-steps", epochs: 2 }));
    expect(rates[0]).toBe(1);
    expect(rates.at(-1)).toBeGreaterThan(0);
    expect(rates.at(-1)).toBeLessThan(0.01);
    expect(rates.every((rate, step) => step === 0 || rate < (rates[step - 1] ?? NaN))).toBe(true);
  });

  it("cosine-restarts: is PyTorch's CosineAnnealingWarmRestarts, stepped in fractions of an epoch", () => {
    const { rates, ...period } = reference.restarts;
    const run = config({ schedule: "cosine-restarts", ...period, epochs: rates.length / period.stepsPerEpoch });
    expect(allRates(run)).toBeAllClose(rates, SCHEDULE);
  });

  it("cosine-restarts: begins anew at the first step of every period, warm-up or not, and only there", () => {
    for (const warmupSteps of [0, 7]) {
      const rates = allRates(config({ schedule: "cosine-restarts", cosineEpochs: 2, epochs: 6, warmupSteps }));
      const rises = rates.flatMap((rate, step) =>
        step > warmupSteps && rate > (rates[step - 1] ?? NaN) ? [step] : [],
      );
      expect(rises).toEqual([20, 40]);
      expect([rates[20], rates[40]]).toEqual([1, 1]);
      expect(Math.min(...rates)).toBeGreaterThan(0);
    }
  });

  it("cosine-restarts: is multiplied by the warm-up", () => {
    const run = config({ schedule: "cosine-restarts", warmupSteps: 20 });
    const without = config({ schedule: "cosine-restarts" });
    expect(learningRate(run, 1, 4)).toBeCloseTo((learningRate(without, 1, 4) * 15) / 20, 12);
    expect(learningRate(run, 2, 0)).toBe(learningRate(without, 2, 0));
  });

  it("constant: rises over the warm-up, across an epoch's end, and stays", () => {
    const run = config({ schedule: "constant", learningRate: 2, warmupSteps: 4, stepsPerEpoch: 3, epochs: 3 });
    expect(allRates(run)).toEqual([0.5, 1, 1.5, 2, 2, 2, 2, 2, 2]);
  });

  it("cosine: is multiplied by the warm-up", () => {
    const run = config({ warmupSteps: 20 });
    expect(learningRate(run, 1, 4)).toBeCloseTo((learningRate(config({}), 1, 4) * 15) / 20, 12);
    expect(learningRate(run, 2, 0)).toBe(learningRate(config({}), 2, 0));
  });
});
