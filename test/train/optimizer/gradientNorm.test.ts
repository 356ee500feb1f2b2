import { expect, it } from "vitest";
import * as tf from "../../../src/engine/tf.js";
import { globalNorm } from "../../../src/train/gradientCache.js";
import { clipFactor } from "../../../src/train/optimizer/adamw.js";
import reference from "../../fixtures/train/optimizer.json" with { type: "json" };
import { describeOnEachEngine } from "../../support/eachEngine.js";
import { expectTensorsKept } from "../../support/tensors.js";

const named = (arrays: readonly number[][]): Map<string, tf.Tensor> =>
  new Map(arrays.map((values, i) => [`gradient ${i}`, tf.tensor1d(values)]));

const normOf = (gradients: ReadonlyMap<string, tf.Tensor>) => globalNorm([...gradients.values()]);

/** Gradients as the optimizer takes them, clipped. */
const clip = (gradients: ReadonlyMap<string, tf.Tensor>, norm: number, limit: number | null) =>
  new Map([...gradients].map(([name, gradient]) => [name, tf.mul(gradient, clipFactor(norm, limit))]));

const valuesOf = (gradients: ReadonlyMap<string, tf.Tensor>): number[] =>
  [...gradients.values()].flatMap((gradient) => [...gradient.dataSync()]);

describeOnEachEngine("clipGradients", () => {
  it("measures all gradients as one vector: 3, 4 and 12 have norm 13", () => {
    expect(normOf(named([[3, -4], [12]]))).toBeAllClose([13]);
  });

  it.each(reference.clipping)("clips to $clipNorm as torch.nn.utils.clip_grad_norm_ does", (expected) => {
    const gradients = named(expected.gradients);
    const norm = normOf(gradients);
    expect(norm).toBeAllClose([expected.norm]);
    const [value = NaN] = norm.dataSync();
    expect(valuesOf(clip(gradients, value, expected.clipNorm))).toBeAllClose(expected.clipped.flat());
  });

  it("leaves gradients below the limit as they are, bit for bit, and all of them where there is none", () => {
    const gradients = named([[0.1, 1 / 3], [0.7]]);
    for (const limit of [2, null]) {
      expect(valuesOf(clip(gradients, 0.8, limit))).toEqual(valuesOf(gradients));
    }
  });

  it("brings any gradients to the limit and keeps their direction", () => {
    const clipped = clip(named([[30, -40], [120]]), 130, 0.5);
    expect(normOf(clipped)).toBeAllClose([0.5]);
    const [a = NaN, b = NaN, c = NaN] = valuesOf(clipped);
    expect([b / a, c / a]).toBeAllClose([-4 / 3, 4]);
  });

  it("divides nothing by zero", () => {
    expect(valuesOf(clip(named([[0, 0]]), 0, 1))).toEqual([0, 0]);
    expect(normOf(new Map())).toBeAllClose([0]);
    expect(clipFactor(0, 1e-9)).toBeCloseTo(1e-3, 12);
  });

  it("says so where a gradient is not finite", () => {
    expect(normOf(named([[1], [NaN]])).dataSync()[0]).toBeNaN();
    expect(normOf(named([[1], [Infinity]])).dataSync()[0]).toBe(Infinity);
  });

  it("keeps the norm, and one tensor a gradient, clipped or not", () => {
    const gradients = named([[3, 4], [12]]);
    expectTensorsKept(1, () => normOf(gradients));
  });
});
