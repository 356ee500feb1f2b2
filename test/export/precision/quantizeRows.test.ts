import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { dequantizedRows, quantizeRows } from "../../../src/export/precision/quantizeRows.js";

/** Sum of squared errors of a row at a scale, written out. */
function squaredError(row: readonly number[], scale: number): number {
  return row.reduce((sum, value) => {
    const integer = Math.max(-127, Math.min(127, Math.round(value / scale)));
    return sum + (value - scale * integer) ** 2;
  }, 0);
}

describe("quantizeRows", () => {
  it("gives each row its own scale, and a row of zeros 1", () => {
    const { scales, quantized } = quantizeRows(Float32Array.of(1.27, -0.64, 0, 0, -254, 1), 3);
    expect(scales).toBeAllClose([0.01, 1, 2]);
    expect([...quantized]).toEqual([127, -64, 0, 0, -127, 1]);
  });

  it("is off by half a scale at most, but for what is cut off", () => {
    const values = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i * i));
    const rows = quantizeRows(values, 10);
    const again = dequantizedRows(rows);
    values.forEach((value, i) => {
      const scale = rows.scales[Math.floor(i / 100)] ?? NaN;
      const isCut = Math.abs(rows.quantized[i] ?? NaN) === 127;
      if (!isCut) expect(Math.abs(value - (again[i] ?? NaN))).toBeLessThanOrEqual(scale * 0.5001);
    });
  });

  it("cuts an outlier off where that makes the squared error least, and by no more than a half", () => {
    const random = seededRandom(1, "outlier");
    const row = Array.from({ length: 20_000 }, () => Math.fround(random.normal()));
    row[0] = 8;
    const { scales } = quantizeRows(Float32Array.from(row), 1);
    const found = scales[0] ?? NaN;
    expect(found).toBeLessThan(8 / 127);
    expect(found).toBeGreaterThanOrEqual(8 / 127 / 2);
    expect(squaredError(row, found)).toBeLessThan(squaredError(row, 8 / 127));
    for (const reach of [1, 0.9, 0.8, 0.7, 0.6, 0.5]) {
      expect(squaredError(row, found)).toBeLessThanOrEqual(squaredError(row, (reach * 8) / 127) * (1 + 1e-6));
    }
  });

  it("takes a negative number as far as a positive one", () => {
    const { quantized } = quantizeRows(Float32Array.of(-3, 3, -1.5, 1.5), 1);
    expect([...quantized]).toEqual([-127, 127, -64, 64]);
  });
});
