import { describe, expect, it } from "vitest";
import { holm } from "../../../src/evaluate/statistics/holm.js";

const EXACT = { rtol: 1e-12, atol: 0 };

describe("holm", () => {
  it("multiplies the smallest p by their number, the next by one fewer, and never falls on the way up", () => {
    // R: p.adjust(c(.01, .04, .03, .005), "holm")
    const adjusted = holm([0.01, 0.04, 0.03, 0.005]).map((p) => p ?? NaN);
    expect(adjusted).toBeAllClose([0.03, 0.06, 0.06, 0.02], EXACT);
  });

  it("is at most 1, and counts no comparison that has no p", () => {
    expect(holm([0.8, null, 0.6])).toEqual([1, null, 1]);
    expect(holm([null, 0.04])).toEqual([null, 0.04]);
  });
});
