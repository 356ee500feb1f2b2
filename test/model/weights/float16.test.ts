import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../../src/base/errors.js";
import { toFloat16, toFloat32 } from "../../../src/model/weights/dtypes.js";

describe("toFloat16", () => {
  it("gives back the bits of every finite float16", () => {
    const halves = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits).filter(
      (bits) => ((bits >> 10) & 31) !== 31,
    );
    const values = toFloat32("all", "F16", new Uint8Array(halves.slice().buffer));
    expect(toFloat16("all", values)).toEqual(halves);
  });

  it("rounds to the nearest, and a tie to the even one", () => {
    const halfStep = 2 ** -11; // above 1, two float16 are 2^-10 apart
    const values = Float32Array.of(1 + halfStep, 1 + 3 * halfStep, 1 + halfStep + 2 ** -20, -1 - halfStep);
    expect([...toFloat16("x", values)]).toEqual([0x3c00, 0x3c02, 0x3c01, 0xbc00]);
  });

  it("rounds below the smallest normal number as above it", () => {
    const step = 2 ** -24;
    const values = Float32Array.of(step / 2, step * 1.5, step * 0.51, step * 1023.5, -step / 4);
    expect([...toFloat16("x", values)]).toEqual([0, 2, 1, 0x400, 0x8000]);
  });

  it("takes 65,519 for the largest float16 and refuses 65,520, naming what it is", () => {
    expect([...toFloat16("x", Float32Array.of(65_519))]).toEqual([0x7bff]);
    expect(() => toFloat16("visual.proj", Float32Array.of(-65_520))).toThrow("visual.proj: -65520 is too large");
    expect(() => toFloat16("x", Float32Array.of(NaN))).toThrow(CheckpointError);
  });
});
