import { describe, expect, it } from "vitest";
import { isOfDatabases, isOfLevels, isOfPairs, LossesConfig, QUALITY_LOSS_NAMES } from "../../src/losses/config.js";

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

  /** Problems of these settings, as `path: message`. */
  const problemsOf = (config: object) =>
    (LossesConfig.safeParse(config).error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
  const elsewhere = (key: string, loss: string, quality: string) =>
    `${key}: is of \`quality: ${loss}\`, and quality is ${quality}; leave it out`;
  const ofPairs = (key: string, quality: string) =>
    `${key}: is a rule for pairs of images, and \`quality: ${quality}\` has none; leave it out`;

  it.each([
    [
      { weights: { quality: 0, scene: 0, distortion: 0 } },
      ["weights: must have one above 0, or there is nothing to learn"],
    ],
    [
      { weighting: "single", weights: { quality: 0 } },
      ["weights: must have exactly one above 0 with `weighting: single`: it names the task"],
    ],
    [
      { weighting: "gradient-cosine", weights: { quality: 0 } },
      [
        "weights.quality: must be above 0 with `weighting: gradient-cosine`: quality is the task that the others are " +
          "measured by",
      ],
    ],
    [{ margin: 0.25 }, [elsewhere("margin", "margin", "fidelity")]],
    [{ quality: "margin", huberDelta: 2 }, [elsewhere("huberDelta", "huber", "margin")]],
    [
      { quality: "kl", margin: 1, huberDelta: 2 },
      [elsewhere("margin", "margin", "kl"), elsewhere("huberDelta", "huber", "kl")],
    ],
    [
      { quality: "huber", target: "thurstone", pairWeight: "deviation", tieMargin: 0.1 },
      [ofPairs("target", "huber"), ofPairs("pairWeight", "huber"), ofPairs("tieMargin", "huber")],
    ],
    [{ quality: "emd", tieMargin: 1 }, [ofPairs("tieMargin", "emd")]],
  ])("says of %j what is wrong, all of it at once", (config, problems) => {
    expect(problemsOf(config)).toEqual(problems);
  });

  it.each([
    { weighting: "single", weights: { quality: 0, scene: 0 } },
    { weighting: "gradient-cosine", weights: { scene: 0 } },
    {
      quality: "margin",
      margin: 1,
      target: "thurstone",
      pairWeight: "deviation",
      tieMargin: 0.5,
      tieUnit: "deviation",
    },
    { quality: "bradley-terry", tieMargin: 0.5 },
    { quality: "huber", huberDelta: 2 },
    { quality: "kl", margin: 0.5, huberDelta: 1, tieUnit: "deviation" },
    { weightingRate: 1, gradnormAlpha: 0 },
    { scene: "fidelity", distortion: "fidelity-released", weighting: "uncertainty" },
  ])("takes %j", (config) => {
    expect(problemsOf(config)).toEqual([]);
  });

  it.each([
    { weightingRate: 1.001 },
    { gradnormAlpha: -0.1 },
    { quality: "huber", huberDelta: 0 },
    { quality: "" },
    { target: "" },
    { tieUnit: "" },
    { weighting: "" },
  ])("refuses %j, out of its range", (config) => {
    expect(problemsOf(config)).toHaveLength(1);
  });
});

describe("the kinds of quality losses", () => {
  it("tell what each of them compares", () => {
    const kinds = { pairs: isOfPairs, levels: isOfLevels, databases: isOfDatabases };
    const table = QUALITY_LOSS_NAMES.map((quality) => [
      quality,
      Object.entries(kinds).flatMap(([kind, is]) => (is({ quality }) ? [kind] : [])),
    ]);
    expect(Object.fromEntries(table)).toEqual({
      fidelity: ["pairs"],
      kl: ["levels"],
      emd: ["levels"],
      plcc: ["databases"],
      "norm-in-norm": ["databases"],
      huber: [],
      margin: ["pairs"],
      "bradley-terry": ["pairs"],
    });
  });
});
