import { describe, expect, it } from "vitest";
import { addStep, endEpoch } from "../../src/train/loop.js";
import { type LossHistory, RUN_START } from "../../src/train/progress.js";

const means = (quality: number, scene: number, distortion: number) => ({ quality, scene, distortion });

describe("LossHistory", () => {
  const first = [means(1, 10, 100), means(2, 20, 200), means(6, 60, 600)];

  it("keeps each epoch's mean over its steps, and begins anew", () => {
    const past = endEpoch(first.reduce(addStep, RUN_START.history));
    expect(past).toEqual({ epochMeans: [means(3, 30, 300)], sums: {}, steps: 0 });
    expect(endEpoch(addStep(past, means(5, 5, 5))).epochMeans).toEqual([means(3, 30, 300), means(5, 5, 5)]);
  });

  it("goes on from JSON mid-epoch to the same means, bit for bit", () => {
    const losses = Array.from({ length: 7 }, (_, i) => means(1 / (i + 3), Math.sqrt(i + 2), 0.1 * i));
    const whole = endEpoch(losses.reduce(addStep, RUN_START.history));
    const half = losses.slice(0, 4).reduce(addStep, RUN_START.history);
    const restored = JSON.parse(JSON.stringify(half)) as LossHistory; // what was written above
    expect(endEpoch(losses.slice(4).reduce(addStep, restored))).toEqual(whole);
  });

  it("refuses to close an epoch without a step, whose mean would be NaN", () => {
    expect(() => endEpoch(RUN_START.history)).toThrow("internal: endEpoch: the epoch has no step");
  });
});
