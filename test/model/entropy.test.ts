import { describe, expect, it } from "vitest";
import { jointEntropy } from "../../src/model/posterior.js";

const EXACT = { rtol: 1e-12, atol: 1e-15 };

describe("jointEntropy", () => {
  it("is ln n where all n prompts are as likely, whatever their common logit", () => {
    expect([jointEntropy(new Float32Array(495).fill(17)), jointEntropy([0, 0])]).toBeAllClose(
      [Math.log(495), Math.LN2],
      EXACT,
    );
  });
  it("is −Σ p·ln p of the softmax", () => {
    // p = 1/2, 1/4, 1/4
    const logits = [Math.log(2), 0, 0].map((logit) => logit - 3);
    expect([jointEntropy(logits)]).toBeAllClose([1.5 * Math.LN2], EXACT);
  });
  it("is 0, and not NaN, where one prompt has all the probability", () => {
    expect(jointEntropy([1000, -1000, -1000])).toBe(0);
  });
});
