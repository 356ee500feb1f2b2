import { describe, expect, it } from "vitest";
import { CheckpointError, ShapeError } from "../../../src/base/errors.js";
import * as tf from "../../../src/engine/tf.js";
import { AdamW } from "../../../src/train/optimizer/adamw.js";
import reference from "../../fixtures/train/optimizer.json" with { type: "json" };
import { describeOnEachEngine } from "../../support/eachEngine.js";
import { expectTensorsKept } from "../../support/tensors.js";

const { shapes, start, gradients, rates, after, weightDecay } = reference.adamw;
const NAMES = Object.keys(shapes) as (keyof typeof shapes)[]; // keys of the fixture
const STEPS = rates.length;

/** Six steps in float32 against PyTorch in float32; bias is corrected in another order, a few roundings a step. */
const UPDATES = { rtol: 3e-6, atol: 3e-7 };

const KERNELS = ["auto", "plain"] as const;

const variables = () => new Map(NAMES.map((name) => [name, tf.variable(tf.tensor(start[name], shapes[name]))]));

function step(optimizer: AdamW, i: number): void {
  tf.tidy(() => {
    const given = gradients[i];
    if (given === undefined) throw new Error(`the fixture has no step ${i}`);
    optimizer.apply(new Map(NAMES.map((name) => [name, tf.tensor(given[name], shapes[name])])), rates[i] ?? NaN);
  });
}

function values(parameters: ReadonlyMap<string, tf.Variable>): number[] {
  return NAMES.flatMap((name) => [...(parameters.get(name)?.dataSync() ?? [])]);
}

const disposeAll = (parameters: ReadonlyMap<string, tf.Variable>) => {
  tf.dispose([...parameters.values()]);
};

describeOnEachEngine("AdamW", () => {
  it.each(KERNELS)("makes torch.optim.AdamW's six updates, decay and changing rates with them, %s", (kernel) => {
    const parameters = variables();
    const optimizer = new AdamW(parameters, { weightDecay, kernel });
    for (let i = 0; i < STEPS; i++) {
      step(optimizer, i);
      expect(values(parameters), `after step ${i + 1}`).toBeAllClose(
        NAMES.flatMap((name) => after[i]?.[name] ?? []),
        UPDATES,
      );
    }
    optimizer.dispose();
    disposeAll(parameters);
  });

  it.each(KERNELS)("gives each parameter its own rate, and decay with it, as PyTorch's groups do, %s", (kernel) => {
    const { factors, after: expected } = reference.adamwGroups;
    const parameters = variables();
    const learningRateFactors = new Map(NAMES.map((name) => [name, factors[name]]));
    const optimizer = new AdamW(parameters, { weightDecay, learningRateFactors, untouchedRateFactor: 0.5, kernel });
    for (let i = 0; i < STEPS; i++) {
      step(optimizer, i);
      expect(values(parameters), `after step ${i + 1}`).toBeAllClose(
        NAMES.flatMap((name) => expected[i]?.[name] ?? []),
        UPDATES,
      );
    }
    const decays = rates.map((rate) => 1 - rate * 0.5 * weightDecay);
    expect(optimizer.untouchedDecay).toBeCloseTo(
      decays.reduce((product, decay) => product * decay, 1),
      6, // each rounded to float32
    );
    optimizer.dispose();
    disposeAll(parameters);
  });

  it.each(KERNELS)("moves a weight by the whole rate at first, whatever its gradient's size, %s", (kernel) => {
    const weight = tf.variable(tf.tensor1d([1, 1, 1]));
    const optimizer = new AdamW(new Map([["w", weight]]), { weightDecay: 0, kernel });
    optimizer.apply(new Map([["w", tf.tensor1d([1e-3, -50, 0])]]), 0.25);
    expect(weight).toBeAllClose([0.75, 1.25, 1], { rtol: 2e-5, atol: 0 }); // ε is 1e-5 of 1e-3
    optimizer.dispose();
    weight.dispose();
  });

  it.each(KERNELS)(
    "decays a weight that has no gradient by 1 - rate x decay alone, and says by how much, %s",
    (kernel) => {
      const weight = tf.variable(tf.tensor1d([2]));
      const optimizer = new AdamW(new Map([["w", weight]]), { weightDecay: 0.5, kernel });
      for (const rate of [0.1, 0.2]) optimizer.apply(new Map([["w", tf.tensor1d([0])]]), rate);
      expect(weight).toBeAllClose([2 * 0.95 * 0.9]);
      expect(optimizer.untouchedDecay).toBeCloseTo(0.95 * 0.9, 7);
      optimizer.dispose();
      weight.dispose();
    },
  );

  it.each(KERNELS)("goes on bit for bit from a saved state, %s", (kernel) => {
    const whole = variables();
    const uninterrupted = new AdamW(whole, { weightDecay, kernel });
    for (let i = 0; i < STEPS; i++) step(uninterrupted, i);

    const parameters = variables();
    const first = new AdamW(parameters, { weightDecay, kernel });
    for (let i = 0; i < 3; i++) step(first, i);
    const saved = structuredClone(first.state());
    first.dispose();
    const second = new AdamW(parameters, { weightDecay, kernel });
    second.restore(saved);
    for (let i = 3; i < STEPS; i++) step(second, i);

    expect(values(parameters)).toEqual(values(whole));
    expect(second.state()).toEqual(uninterrupted.state());
    expect(second.step).toBe(STEPS);
    for (const optimizer of [uninterrupted, second]) optimizer.dispose();
    for (const map of [whole, parameters]) disposeAll(map);
  });

  it.each(KERNELS)("hands out no memory that it works in, %s", (kernel) => {
    const parameters = variables();
    const optimizer = new AdamW(parameters, { weightDecay, kernel });
    step(optimizer, 0);
    const saved = [...optimizer.state().moments.values()].flatMap(({ first, second }) => [first, second]);
    const copy = structuredClone(saved);
    step(optimizer, 1);
    expect(saved).toEqual(copy);
    optimizer.dispose();
    disposeAll(parameters);
  });

  it.each(KERNELS)("works in no memory that it was given, however that is aligned, %s", (kernel) => {
    // TensorFlow copies arrays on their way in, but for those that begin at a multiple of 64 bytes: one of four does
    const names = ["a", "b", "c", "d"];
    const filled = (i: number) => new Float32Array(new ArrayBuffer(256), 16 * i, 48).fill(0.5);
    const moments = new Map(names.map((name, i) => [name, { first: filled(i), second: filled(i) }]));
    const given = [...moments.values()].flatMap(({ first, second }) => [first, second]);
    const parameters = new Map(names.map((name) => [name, tf.variable(tf.zeros([48]))]));
    const optimizer = new AdamW(parameters, { weightDecay, kernel });
    optimizer.restore({ step: 9, untouchedDecay: 1, moments });
    for (const array of given) array.fill(7);
    optimizer.apply(new Map(names.map((name) => [name, tf.ones([48])])), 0.1);
    expect(given.every((array) => array.every((value) => value === 7))).toBe(true);
    for (const { first, second } of optimizer.state().moments.values()) {
      expect(first).toBeAllClose(Array(48).fill(0.55)); // 0.9·0.5 + 0.1·1
      expect(second).toBeAllClose(Array(48).fill(0.5005)); // 0.999·0.5 + 0.001·1
    }
    optimizer.dispose();
    disposeAll(parameters);
  });

  it.each(KERNELS)("changes its parameters alone: not their earlier values, not the gradients, %s", (kernel) => {
    const initial = Float32Array.of(1, 2);
    const weight = tf.variable(tf.tensor1d(initial));
    const before = tf.clone(weight);
    const gradient = tf.tensor1d([3, -4]);
    const optimizer = new AdamW(new Map([["w", weight]]), { weightDecay: 0, kernel });
    for (let i = 0; i < 2; i++) optimizer.apply(new Map([["w", gradient]]), 0.1);
    expect([...initial, ...before.dataSync(), ...gradient.dataSync()]).toEqual([1, 2, 1, 2, 3, -4]);
    expect(weight).toBeAllClose([0.8, 2.2]);
    optimizer.dispose();
    weight.dispose();
  });

  it.each(KERNELS)("keeps nothing more from one step to the next, and nothing after dispose, %s", (kernel) => {
    const parameters = variables();
    expectTensorsKept(0, () => {
      const optimizer = new AdamW(parameters, { weightDecay, kernel });
      expectTensorsKept(0, () => {
        for (let i = 0; i < STEPS; i++) step(optimizer, i);
        optimizer.restore(optimizer.state());
      });
      optimizer.dispose();
    });
    disposeAll(parameters);
  });
});

describe("AdamW", () => {
  it.skipIf(tf.getBackend() !== "tensorflow")("comes out the same by either kernel, over 300 steps of noise", () => {
    const runs = KERNELS.map((kernel) => {
      const weight = tf.variable(tf.zeros([8]));
      const optimizer = new AdamW(new Map([["w", weight]]), { weightDecay: 0.01, kernel });
      for (let i = 0; i < 300; i++) {
        tf.tidy(() => {
          optimizer.apply(new Map([["w", tf.randomNormal([8], 0.3, 1, "float32", i + 1)]]), 0.01);
        });
      }
      const result = [...weight.dataSync()];
      optimizer.dispose();
      weight.dispose();
      return result;
    });
    expect(runs[0]).toBeAllClose(runs[1] ?? [], { rtol: 1e-5, atol: 1e-6 }); // 300 roundings of steps of 0.01
  });

  it("names every gradient that does not fit, and changes nothing", () => {
    const parameters = variables();
    const optimizer = new AdamW(parameters, { weightDecay });
    const call = () => {
      optimizer.apply(
        new Map([
          ["matrix", tf.zeros([3, 2])],
          ["scalar", tf.zeros([])],
          ["bias", tf.zeros([1])],
        ]),
        0.1,
      );
    };
    expect(call).toThrow(ShapeError);
    expect(call).toThrow(
      "AdamW.apply: gradients: matrix: expected [2, 3], got [3, 2]; vector has none; bias is not trained here",
    );
    expect(optimizer.step).toBe(0);
    expect(values(parameters)).toEqual(NAMES.flatMap((name) => start[name]));
    optimizer.dispose();
    disposeAll(parameters);
  });

  it("names every moment that does not fit, and a step that is no count", () => {
    const parameters = variables();
    const optimizer = new AdamW(parameters, { weightDecay });
    const moments = new Map(optimizer.state().moments);
    moments.delete("vector");
    moments.set("matrix", { first: new Float32Array(6), second: new Float32Array(5) });
    moments.set("bias", { first: new Float32Array(1), second: new Float32Array(1) });
    const call = () => {
      optimizer.restore({ step: -1, untouchedDecay: 1, moments });
    };
    expect(call).toThrow(CheckpointError);
    expect(call).toThrow(
      "optimizer: matrix: expected 6 values, got 6, 5; vector is missing; bias is not trained here; " +
        "step must be a whole number from 0 on, got -1; was it saved for another model or `freeze`?",
    );
    optimizer.dispose();
    disposeAll(parameters);
  });
});
