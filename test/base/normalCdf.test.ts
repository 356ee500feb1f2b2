import { describe, expect, it } from "vitest";
import { normalCdf } from "../../src/base/distributions.js";
import reference from "../fixtures/losses/losses.json" with { type: "json" };

describe("normalCdf", () => {
  it("is within 1e-15 of math.erfc from -8 to 8", () => {
    for (const [x = NaN, expected = NaN] of reference.normalCdf) {
      expect(Math.abs(normalCdf(x) - expected), `at ${x}`).toBeLessThanOrEqual(1e-15);
    }
  });

  it("is exactly one half at 0, and 0 and 1 far out", () => {
    expect([normalCdf(0), normalCdf(-50), normalCdf(50), normalCdf(Infinity)]).toEqual([0.5, 0, 1, 1]);
  });

  it("gives NaN for NaN, and comes back", () => {
    expect(normalCdf(NaN)).toBeNaN();
  });
});
