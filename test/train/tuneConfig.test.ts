import { describe, expect, it } from "vitest";
import { RunConfig } from "../../src/train/runConfig.js";

/** Problems of a run's config with these settings, as `path: message`. */
function problemsOf({ train, ...sections }: { train: object } & Record<string, unknown>): string[] {
  const config = {
    run: "toys",
    model: { preset: "vit-tiny", weights: "none" },
    data: {
      root: "data",
      databases: [{ name: "toys", imagesPerStep: 4 }],
      ...(sections["data"] as object | undefined),
    },
    train,
    ...Object.fromEntries(Object.entries(sections).filter(([name]) => name !== "data")),
  };
  const { error } = RunConfig.safeParse(config);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
}

const PAIRS = { name: "compared", pairs: "pairs.csv", imagesPerStep: 4 };
const PHOTOS = { name: "photos", photos: "photos", imagesPerStep: 4 };
const RIDGE = { tune: "probe", probe: { solver: "ridge" }, epochs: 1, stepsPerEpoch: 1 };

describe("RunConfig of a tuning", () => {
  it.each([
    { tune: "probe" },
    { tune: "prompts", prompts: { vectors: 2 } },
    RIDGE,
    { tune: "lora", lora: { rank: 2 } },
  ])("takes %j", (train) => {
    expect(problemsOf({ train })).toEqual([]);
  });

  it.each([
    [{ train: { probe: { lambda: 2 } } }, "train.probe: is for `tune: probe`"],
    [{ train: { tune: "probe", prompts: { vectors: 2 } } }, "train.prompts: is for `tune: prompts`"],
    [{ train: { tune: "prompts", freeze: ["text"] } }, "train.freeze: must be empty"],
    [{ train: { tune: "probe", freeze: ["text"] } }, "train.freeze: must be empty"],
    [{ train: { ...RIDGE, epochs: 2 } }, "train.probe.solver: ridge is solved in one step"],
    [{ train: { ...RIDGE, emaDecay: 0.9 } }, "train.probe.solver: ridge is solved in one step"],
    [{ train: RIDGE, losses: { quality: "plcc" } }, "losses: has no effect with `train.probe.solver: ridge`"],
    [{ train: { tune: "probe" }, augment: { contents: 2 } }, "augment.contents: must be 0 with `train.tune: probe`"],
    [{ train: { tune: "probe" }, data: { onUnreadable: "replace" } }, "data.onUnreadable: must be stop"],
    [
      { train: { tune: "probe" }, data: { databases: [PAIRS] } },
      "train.tune: must not be probe with a database of pairs",
    ],
    [{ train: { tune: "probe", teacher: "large" }, data: { databases: [PHOTOS] } }, "train.tune: must not be probe"],
    [{ train: { tune: "probe" }, evaluate: { crops: 2 } }, "train.cropsPerImage: must be at most evaluate.crops"],
    [{ train: { tune: "lora", lora: { dropout: 1 } } }, "train.lora.dropout: "],
    [{ train: { lora: { dropout: 0.1 } } }, "train.lora: is for `tune: lora`"],
    [{ train: RIDGE, data: { databases: [PAIRS] } }, "train.tune: must not be probe"],
  ])("refuses %j by name", (sections, problem) => {
    expect(problemsOf(sections)).toEqual([expect.stringContaining(problem)]);
  });
});
