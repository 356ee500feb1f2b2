import { describe, expect, it } from "vitest";
import type { Field } from "../../../../src/data/distortions/field.js";
import {
  boxMean,
  convolve,
  diskKernel,
  gaussianKernel,
  type Kernel,
  motionKernel,
} from "../../../../src/data/distortions/kinds/convolve.js";

const EXACT = { rtol: 1e-12, atol: 1e-12 };
const FLOAT32 = { rtol: 1e-5, atol: 1e-4 }; // sums of up to 121 samples of 0 to 255

function sumOf({ taps }: Kernel): number {
  return taps.reduce((sum, { weight }) => sum + weight, 0);
}

/** Two channels whose samples have no pattern. */
function someField(rows: number, cols: number): Field {
  const values = Float32Array.from({ length: rows * cols * 2 }, (_, i) => (i * 7919) % 256);
  return { rows, cols, channels: 2, values };
}

/** The definition, one sample at a time. */
function slowConvolve({ rows, cols, channels, values }: Field, { taps }: Kernel): number[] {
  const inside = (i: number, length: number) => Math.min(length - 1, Math.max(0, i));
  return Array.from(values, (_, i) => {
    const [row, col, channel] = [Math.floor(i / channels / cols), Math.floor(i / channels) % cols, i % channels];
    return taps.reduce((sum, { down, right, weight }) => {
      const at = (inside(row + down, rows) * cols + inside(col + right, cols)) * channels + channel;
      return sum + weight * (values[at] ?? NaN);
    }, 0);
  });
}

describe("kernels", () => {
  it.each([
    ["a Gaussian", gaussianKernel(1.7, "down")],
    ["a disk", diskKernel(6)],
    ["a motion", motionKernel(10, 0.7)],
  ])("%s sums to 1 and is symmetric about its centre", (_, kernel) => {
    expect([sumOf(kernel)]).toBeAllClose([1], EXACT);
    expect([kernel.taps.reduce((sum, { down, weight }) => sum + down * weight, 0)]).toBeAllClose([0], EXACT);
    expect([kernel.taps.reduce((sum, { right, weight }) => sum + right * weight, 0)]).toBeAllClose([0], EXACT);
  });

  it("gives a Gaussian of 1 pixel the weights of exp(-d²/2) over their sum", () => {
    const weights = [3, 2, 1, 0, 1, 2, 3].map((d) => Math.exp((-d * d) / 2));
    const sum = weights.reduce((a, b) => a + b, 0);
    const { taps } = gaussianKernel(1, "right");
    expect(taps.map(({ right }) => right)).toEqual([-3, -2, -1, 0, 1, 2, 3]);
    expect(taps.map(({ weight }) => weight)).toBeAllClose(
      weights.map((w) => w / sum),
      EXACT,
    );
  });

  it("weighs the centre of a disk 1/area, within 1 %", () => {
    const centre = diskKernel(4).taps.find(({ down, right }) => down === 0 && right === 0)?.weight;
    expect([centre ?? NaN]).toBeAllClose([1 / (16 * Math.PI)], { rtol: 0.01, atol: 0 });
  });

  it("keeps a motion along the rows on one row, with equal weights but at its ends", () => {
    const { taps } = motionKernel(4, 0);
    expect(taps.every(({ down }) => down === 0)).toBe(true);
    const inner = taps.filter(({ right }) => Math.abs(right) <= 1).map(({ weight }) => weight);
    expect(inner).toBeAllClose([0.25, 0.25, 0.25], EXACT);
  });
});

describe("convolve", () => {
  it("does what the definition says, one sample at a time", () => {
    const field = someField(9, 11);
    const kernel = motionKernel(6, 1);
    expect(convolve(field, kernel).values).toBeAllClose(slowConvolve(field, kernel), FLOAT32);
  });
});

describe("boxMean", () => {
  it("is the convolution with a square of equal weights", () => {
    const field = someField(7, 12);
    const taps = [-2, -1, 0, 1, 2].flatMap((down) =>
      [-2, -1, 0, 1, 2].map((right) => ({ down, right, weight: 1 / 25 })),
    );
    expect(boxMean(field, 2).values).toBeAllClose(slowConvolve(field, { taps, reach: 2 }), FLOAT32);
  });
});
