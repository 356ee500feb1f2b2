import { describe, expect, it } from "vitest";
import { pairAccuracy } from "../../../src/evaluate/metrics/pairAccuracy.js";

describe("pairAccuracy", () => {
  it("counts the people who make the model's choice, and ties one half", () => {
    const found = pairAccuracy([
      { a: 3, b: 2, p: 0.9 }, // with most: 0.9 and 1
      { a: 2, b: 3, p: 0.8 }, // against most: 0.2 and 0
      { a: 2, b: 2, p: 1 }, // the model cannot decide: 0.5 and 0.5
      { a: 4, b: 1, p: 0.5 }, // people cannot: 0.5 and 0.5
    ]);
    expect(found.pairs).toBe(4);
    expect(found.twoAlternative).toBeCloseTo((0.9 + 0.2 + 0.5 + 0.5) / 4, 12);
    expect(found.accuracy).toBeCloseTo((1 + 0 + 0.5 + 0.5) / 4, 12);
    expect(found.ceiling).toBeCloseTo((0.9 + 0.8 + 1 + 0.5) / 4, 12);
  });

  it("counts with most people those who prefer the second, as the model does", () => {
    const found = pairAccuracy([{ a: 1, b: 2, p: 0.2 }, { a: 2, b: 1, p: 0.4 }, { a: 3, b: 4, p: 0 }]); // prettier-ignore
    expect(found.twoAlternative).toBeCloseTo((0.8 + 0.4 + 1) / 3, 12);
    expect(found.accuracy).toBeCloseTo(2 / 3, 12);
    expect(found.ceiling).toBeCloseTo((0.8 + 0.6 + 1) / 3, 12);
  });

  it("is the same for pairs that are turned around", () => {
    const pairs = [{ a: 3, b: 2, p: 0.7 }, { a: 1, b: 2, p: 0.6 }]; // prettier-ignore
    const turned = pairs.map(({ a, b, p }) => ({ a: b, b: a, p: 1 - p }));
    expect(pairAccuracy(turned).twoAlternative).toBeCloseTo(pairAccuracy(pairs).twoAlternative, 12);
    expect(pairAccuracy(turned).accuracy).toBe(pairAccuracy(pairs).accuracy);
  });
});
