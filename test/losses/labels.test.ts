import { describe, expect, it } from "vitest";
import { DataError, ShapeError } from "../../src/base/errors.js";
import { labelTensors, multiHot, oneHot } from "../../src/losses/targets.js";

describe("multiLabels", () => {
  it("keeps the rows, counts their labels, and weighs only labelled images", () => {
    const labels = multiHot(Float32Array.of(1, 0, 1, 0, 0, 0, 0, 1, 0), 3, 3);
    const { present, shares, weights } = labelTensors(labels);
    expect(present).toBeAllClose([...labels.values]);
    expect(shares).toBeAllClose([0.25, 0, 0.25, 0, 0, 0, 0, 0.5, 0]); // of two labels each counts half as much
    expect(weights).toBeAllClose([0.5, 0, 0.5]);
  });

  it("rejects rows of another length, and values that are neither 0 nor 1", () => {
    expect(() => multiHot(new Float32Array(5), 2, 3)).toThrow(ShapeError);
    expect(() => multiHot(new Float32Array(5), 2, 3)).toThrow("expected 2 images x 3 classes, got 5 values");
    expect(() => multiHot(Float32Array.of(0, 1, 0, 0.5), 2, 2)).toThrow(DataError);
    expect(() => multiHot(Float32Array.of(0, 1, 0, 0.5), 2, 2)).toThrow("image 1, class 1: must be 1 or 0, got 0.5");
    expect(() => multiHot(Float32Array.of(NaN, 1), 1, 2)).toThrow("image 0, class 0: must be 1 or 0, got NaN");
  });
});

describe("singleLabels", () => {
  it("writes one 1 a row, and none where the label is missing", () => {
    expect([...oneHot(Int32Array.of(2, -1, 0), 3).values]).toEqual([0, 0, 1, 0, 0, 0, 1, 0, 0]);
  });

  it("rejects a class outside the table, on either side", () => {
    expect(() => oneHot(Int32Array.of(0, 3), 3)).toThrow(DataError);
    expect(() => oneHot(Int32Array.of(0, 3), 3)).toThrow("image 1: must be a class from 0 to 2 or -1, got 3");
    expect(() => oneHot(Int32Array.of(-2), 3)).toThrow("got -2");
  });
});
