import { describe, expect, it } from "vitest";
import { DataError, ShapeError } from "../../src/base/errors.js";
import { DEVIATION_FLOOR, pairTargets } from "../../src/losses/pairTargets.js";

const one = (mos: number[], mosStd: (number | null)[] = mos.map(() => null)) => ({
  databases: [{ name: "bid", images: mos.length }],
  mos,
  mosStd,
});

/** The target of the pair (0, 1) of two images. */
const targetOf = (mos: [number, number], mosStd: [number, number]) =>
  pairTargets(one(mos, mosStd), "thurstone").targets[1];

describe("pairTargets", () => {
  it("prefers the higher MOS by sign, and takes a tie for one half", () => {
    const { targets } = pairTargets(one([3, 1, 3]), "sign");
    expect([...targets]).toEqual([0, 1, 0.5, 0, 0, 0, 0, 0, 0]);
  });

  it("weighs each database the same, each of its pairs i < j the same, and no pair across databases", () => {
    const databases = [
      { name: "bid", images: 2 },
      { name: "live", images: 3 },
    ];
    const { weights } = pairTargets({ databases, mos: [1, 2, 3, 4, 5], mosStd: Array(5).fill(null) }, "sign");
    const [pair, sixth] = [0.5, 1 / 6];
    expect(weights).toBeAllClose([
      ...[0, pair, 0, 0, 0],
      ...[0, 0, 0, 0, 0],
      ...[0, 0, 0, sixth, sixth],
      ...[0, 0, 0, 0, sixth],
      ...[0, 0, 0, 0, 0],
    ]);
  });

  it("gives the Thurstone target of a difference as large as its deviation", () => {
    expect(targetOf([2, 1], [0.6, 0.8])).toBeCloseTo(0.8413447460685429, 7); // Φ(1), float32
    expect(targetOf([1, 2], [0.6, 0.8])).toBeCloseTo(0.15865525393145705, 7);
  });

  it("takes deviations below the floor for the floor, so that two zeros divide nothing by zero", () => {
    const floored = targetOf([0.002, 0.001], [DEVIATION_FLOOR, DEVIATION_FLOOR]);
    expect(floored).toBeCloseTo(0.7602499389065233, 7); // Φ(1/√2)
    expect(targetOf([0.002, 0.001], [0, 0])).toBe(floored);
    expect(targetOf([0.002, 0.001], [0.0005, 0.0009])).toBe(floored);
    expect(targetOf([1, 1], [0, 0])).toBe(0.5);
    expect(targetOf([0.9, 0.1], [0, 0])).toBe(1);
  });

  it("leaves a deviation above the floor as it is, beside one of zero", () => {
    expect(targetOf([3, 0], [3, 0])).toBeCloseTo(0.8413447460685429, 6);
  });

  it("rejects a database with a single image, where the reference has NaN", () => {
    const labels = { databases: [{ name: "bid", images: 1 }], mos: [1], mosStd: [null] };
    expect(() => pairTargets(labels, "sign")).toThrow(ShapeError);
    expect(() => pairTargets(labels, "sign")).toThrow(
      "pairTargets: databases: bid has 1 in this batch and so no pair (set imagesPerStep to 2 or more)",
    );
  });

  it("rejects blocks that do not cover the labels, and an empty batch", () => {
    const databases = [{ name: "bid", images: 3 }];
    expect(() => pairTargets({ databases, mos: [1, 2], mosStd: [null, null] }, "sign")).toThrow(
      "the databases hold 3 images, but mos has 2 values",
    );
    expect(() => pairTargets({ databases, mos: [1, 2, 3], mosStd: [null] }, "sign")).toThrow(
      "mos has 3 values, but mosStd 1",
    );
    expect(() => pairTargets({ databases: [], mos: [], mosStd: [] }, "sign")).toThrow("there is no database");
  });

  it("needs every deviation for thurstone, names what is wrong, and needs none for sign", () => {
    const labels = one([1, 2, 3, 4], [0.5, null, -1, NaN]);
    expect(() => pairTargets(labels, "thurstone")).toThrow(DataError);
    expect(() => pairTargets(labels, "thurstone")).toThrow(
      "pairTargets: mosStd of bid[1] is null, mosStd of bid[2] is -1, mosStd of bid[3] is NaN; mos must be finite, " +
        "deviations finite and not negative; losses.target: sign needs no deviations",
    );
    expect(() => pairTargets(labels, "sign")).not.toThrow();
  });

  it("shows five of many faults and counts them", () => {
    expect(() => pairTargets(one(Array<number>(7).fill(NaN)), "sign")).toThrow("mos of bid[4] is NaN, … (7 in all)");
  });
});
