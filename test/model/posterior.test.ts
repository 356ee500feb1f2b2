import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.js";
import { posteriorOf, topLabels } from "../../src/model/posterior.js";
import { AXES } from "../evaluate/support.js";

const EXACT = { rtol: 1e-12, atol: 1e-15 };

describe("judge", () => {
  it("sums the joint distribution down to each axis, the last one changing fastest", () => {
    const random = seededRandom(3, "logits");
    const logits = Array.from({ length: 12 }, () => 5 * random.normal());
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
    const p = (q: number, s: number, d: number) => Math.exp(logits[(q * 2 + s) * 3 + d] ?? NaN) / total;
    const { probabilities, quality } = posteriorOf(logits, AXES);
    const night = p(0, 1, 0) + p(0, 1, 1) + p(0, 1, 2) + p(1, 1, 0) + p(1, 1, 1) + p(1, 1, 2);
    const noise = p(0, 0, 1) + p(0, 1, 1) + p(1, 0, 1) + p(1, 1, 1);
    const good = p(1, 0, 0) + p(1, 0, 1) + p(1, 0, 2) + p(1, 1, 0) + p(1, 1, 1) + p(1, 1, 2);
    expect([probabilities.scene[1] ?? NaN, probabilities.distortion[1] ?? NaN]).toBeAllClose([night, noise], EXACT);
    expect([quality]).toBeAllClose([1 + good], EXACT); // 1·(1 − good) + 2·good
  });

  it("takes the label whose marginal is largest, not the one of the likeliest prompt", () => {
    // The likeliest prompt is (bad, animal, blur); noise has more in all.
    const logits = [5, 4.8, 0, 0, 4.8, 0, 0, 4.8, 0, 0, 4.8, 0].map((x) => x);
    expect(posteriorOf(logits, AXES)).toMatchObject({ scene: "animal", distortion: "noise" });
  });

  it("survives logits of 1000", () => {
    const { quality } = posteriorOf([1000, ...Array.from({ length: 11 }, () => -1000)], AXES);
    expect(quality).toBe(1);
  });

  it("leaves out what the prompts do not ask", () => {
    const [qualities] = AXES;
    const { scene, distortion, probabilities } = posteriorOf([0, 0], qualities === undefined ? [] : [qualities]);
    expect([scene, distortion, probabilities]).toEqual(["", "", { quality: [0.5, 0.5], scene: [], distortion: [] }]);
  });

  it("rejects logits of another grid", () => {
    expect(() => posteriorOf([1, 2], AXES)).toThrow("2 logits for a grid of 12 prompts");
  });
});

describe("topLabels", () => {
  it("puts the largest first and keeps the order of equal ones", () => {
    expect(topLabels([0.1, 0.4, 0.4, 0.05], 3)).toEqual([1, 2, 0]);
  });
});
