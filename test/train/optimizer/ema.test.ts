import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../../src/base/errors.js";
import * as tf from "../../../src/engine/tf.js";
import { AdamW } from "../../../src/train/optimizer/adamw.js";
import { ExponentialMovingAverage } from "../../../src/train/optimizer/ema.js";
import { describeOnEachEngine } from "../../support/eachEngine.js";
import { expectTensorsKept } from "../../support/tensors.js";

const variable = (...values: number[]) => tf.variable(tf.tensor1d(values));

function assign(to: tf.Variable, ...values: number[]): void {
  tf.tidy(() => {
    to.assign(tf.tensor1d(values));
  });
}

/** What `during` shows of a variable. */
const averageOf = (averages: ExponentialMovingAverage, weight: tf.Variable) =>
  averages.during(() => [...weight.dataSync()]);

describeOnEachEngine("AveragedWeights", () => {
  it("begins as the weights and follows them, at first faster than its decay", async () => {
    const weight = variable(0, 10);
    const averages = new ExponentialMovingAverage(new Map([["w", weight]]), 0.5, 1);
    expect(await averageOf(averages, weight)).toEqual([0, 10]);
    assign(weight, 11, 10);
    averages.update(1, 0.89); // keeps (1 + 1) / (10 + 1)
    expect(await averageOf(averages, weight)).toBeAllClose([9, 10]);
    expect(averages.untouchedDecay).toBeCloseTo(0.91, 12);
    assign(weight, 1, 20);
    averages.update(1000, 0.91); // keeps its decay, a half
    expect(await averageOf(averages, weight)).toBeAllClose([5, 15]);
    averages.dispose();
    weight.dispose();
  });

  it("is the slow recurrence in float64, over 200 steps of an optimizer", async () => {
    const weight = variable(1, -2, 3);
    const weights = new Map([["w", weight]]);
    const optimizer = new AdamW(weights, { weightDecay: 0.1 });
    const averages = new ExponentialMovingAverage(weights, 0.9, optimizer.untouchedDecay);
    let expected = [1, -2, 3];
    for (let step = 1; step <= 200; step++) {
      tf.tidy(() => {
        optimizer.apply(new Map([["w", tf.tensor1d([Math.sin(step), Math.cos(step), 0])]]), 0.01);
      });
      averages.update(optimizer.step, optimizer.untouchedDecay);
      const kept = Math.min(0.9, (1 + step) / (10 + step));
      const now = weight.dataSync();
      expected = expected.map((average, i) => kept * average + (1 - kept) * (now[i] ?? NaN));
    }
    const average = await averageOf(averages, weight);
    expect(average).toBeAllClose(expected, { rtol: 1e-5, atol: 1e-6 }); // 200 roundings
    expect(average[2]).toBeCloseTo(3 * averages.untouchedDecay, 5); // a weight without a gradient: decay alone
    for (const owner of [averages, optimizer]) owner.dispose();
    weight.dispose();
  });

  it("gives the weights back bit for bit, also where the work fails", async () => {
    const weight = variable(1 / 3, 0.1);
    const before = [...weight.dataSync()];
    const averages = new ExponentialMovingAverage(new Map([["w", weight]]), 0.5, 1);
    assign(weight, 1 / 7, 0.7);
    const raw = [...weight.dataSync()];
    await expect(averages.during(() => Promise.reject(new Error("no images")))).rejects.toThrow("no images");
    expect([...weight.dataSync()]).toEqual(raw);
    expect(await averageOf(averages, weight)).toEqual(before);
    expect([...weight.dataSync()]).toEqual(raw);
    averages.dispose();
    weight.dispose();
  });

  it("goes on bit for bit from saved averages", async () => {
    const weight = variable(1, 2);
    const whole = new ExponentialMovingAverage(new Map([["w", weight]]), 0.9, 1);
    assign(weight, 1 / 3, 5);
    whole.update(3, 0.9);
    const values = Float32Array.from(await averageOf(whole, weight));
    const resumed = new ExponentialMovingAverage(new Map([["w", weight]]), 0.9, whole.untouchedDecay);
    const extra = { shape: [1], values: Float32Array.of(1) };
    resumed.restore(
      new Map([
        ["w", { shape: [2], values }],
        ["frozen", extra],
      ]),
    );
    values.fill(9); // its own memory, not the array's
    assign(weight, 1 / 9, 7);
    for (const averages of [whole, resumed]) averages.update(4, 0.8);
    expect(await averageOf(resumed, weight)).toEqual(await averageOf(whole, weight));
    expect(resumed.untouchedDecay).toBe(whole.untouchedDecay);
    for (const averages of [whole, resumed]) averages.dispose();
    weight.dispose();
  });

  it("keeps one tensor a weight, none more from step to step or from work, and none after dispose", async () => {
    const weights = new Map([
      ["a", variable(1, 2)],
      ["b", variable(3)],
    ]);
    let averages: ExponentialMovingAverage | null = null;
    expectTensorsKept(2, () => {
      averages = new ExponentialMovingAverage(weights, 0.9, 1);
    });
    const before = tf.memory().numTensors;
    for (let step = 1; step <= 3; step++) (averages as ExponentialMovingAverage | null)?.update(step, 1);
    await (averages as ExponentialMovingAverage | null)?.during(() => undefined);
    expect(tf.memory().numTensors).toBe(before);
    (averages as ExponentialMovingAverage | null)?.dispose();
    expect(tf.memory().numTensors).toBe(before - 2);
    tf.dispose([...weights.values()]);
  });
});

describe("AveragedWeights", () => {
  it("names the averages that do not fit", () => {
    const weights = new Map([
      ["a", variable(1, 2)],
      ["b", variable(3)],
    ]);
    const averages = new ExponentialMovingAverage(weights, 0.9, 1);
    const call = () => {
      averages.restore(new Map([["a", { shape: [1], values: Float32Array.of(1) }]]));
    };
    expect(call).toThrow(CheckpointError);
    expect(call).toThrow("averages: a, b: missing or of another size");
    averages.dispose();
    tf.dispose([...weights.values()]);
  });
});
