import { describe, expect, it } from "vitest";
import { LossesConfig } from "../../src/losses/config.js";

describe("LossesConfig", () => {
  it("has this project's defaults", () => {
    expect(LossesConfig.parse({})).toEqual({
      quality: "fidelity",
      margin: 0.5,
      huberDelta: 1,
      target: "sign",
      pairWeight: "none",
      tieMargin: 0,
      tieUnit: "scale",
      scene: "cross-entropy",
      distortion: "cross-entropy",
      weighting: "dwa",
      weightingRate: 0.025,
      gradnormAlpha: 1.5,
      weights: { quality: 1, scene: 1, distortion: 1 },
    });
  });

  it("keeps the other weights at 1 where one is given", () => {
    expect(LossesConfig.parse({ weights: { scene: 0.3 } }).weights).toEqual({ quality: 1, scene: 0.3, distortion: 1 });
  });

  it.each([
    ["an unknown key", { sceen: "fidelity" }],
    ["an unknown weight", { weights: { scenes: 1 } }],
    ["a loss of another task", { scene: "fidelity-released" }],
    ["a negative weight", { weights: { scene: -1 } }],
    ["a margin below 0", { tieMargin: -0.1 }],
    ["single with three tasks", { weighting: "single" }],
    ["gradient-cosine without quality", { weighting: "gradient-cosine", weights: { quality: 0 } }],
    ["a rate of 0 for what a weighting learns", { weighting: "gradnorm", weightingRate: 0 }],
    ["rules for pairs where the loss has none", { quality: "kl", target: "thurstone" }],
    ["weights of pairs where the loss has none", { quality: "huber", pairWeight: "deviation" }],
    ["ties where the loss has no pairs", { quality: "plcc", tieMargin: 0.1 }],
    ["a margin of 0", { quality: "margin", margin: 0 }],
    ["no weight above 0", { weights: { quality: 0, scene: 0, distortion: 0 } }],
  ])("rejects %s", (_, config) => {
    expect(LossesConfig.safeParse(config).success).toBe(false);
  });
});
