import { describe, expect, it } from "vitest";
import { isOnBase, isRidge } from "../../src/train/config.js";
import { RunConfig } from "../../src/train/runConfig.js";

/** Problems of a run's config with these settings, as `path: message`. */
function problemsOf({ train, ...sections }: { train: object } & Record<string, unknown>): string[] {
  const config = {
    run: "toys",
    model: { preset: "vit-tiny", weights: "none" },
    data: {
      root: "data",
      databases: [TOYS],
      ...(sections["data"] as object | undefined),
    },
    train,
    ...Object.fromEntries(Object.entries(sections).filter(([name]) => name !== "data")),
  };
  const { error } = RunConfig.safeParse(config);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
}

const TOYS = { name: "toys", imagesPerStep: 4 };
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

/** A config that `changes` makes wrong, and all that is said of it. */
const REFUSED: [{ train: object } & Record<string, unknown>, string[]][] = [
  [
    { train: { epochs: 2, stepsPerEpoch: 3, warmupSteps: 6 } },
    ["train.warmupSteps: must be less than epochs x stepsPerEpoch, or the learning rate never peaks"],
  ],
  [
    { train: { stepsPerEpoch: 3, maxSkippedSteps: 3 } },
    ["train.maxSkippedSteps: must be less than stepsPerEpoch: an epoch without a step has no mean loss"],
  ],
  [
    { train: { freeze: ["vision", "text"] } },
    ["train.freeze: leaves nothing to train; freeze one tower, or evaluate instead"],
  ],
  [
    { train: { tune: "lora", freeze: ["text"] } },
    [
      "train.freeze: must be empty with `tune: lora`, `probe` or `prompts`, which leave all of the network as it is; " +
        "lora.layers says where adapters are",
    ],
  ],
  [{ train: { lora: { rank: 4 } } }, ["train.lora: is for `tune: lora`; set that too, or leave this out"]],
  [{ train: { probe: { lambda: 2 } } }, ["train.probe: is for `tune: probe`; set that too, or leave this out"]],
  [{ train: { prompts: { vectors: 2 } } }, ["train.prompts: is for `tune: prompts`; set that too, or leave this out"]],
  [
    { train: { ...RIDGE, stepsPerEpoch: 2 } },
    ["train.probe.solver: ridge is solved in one step: set epochs: 1, stepsPerEpoch: 1, and no emaDecay"],
  ],
  [
    { train: { tune: "lora", lora: { layers: ["vision.stem"] } } },
    ["train.lora.layers.0: must be a tower or blocks of it, such as vision, text.blocks or vision.blocks.6-11"],
  ],
  [
    { train: {}, run: "-toys" },
    ["run: must be letters, digits, dots, dashes, underscores and equals signs: it names a folder"],
  ],
  [
    { train: {}, run: "toys/1" },
    ["run: must be letters, digits, dots, dashes, underscores and equals signs: it names a folder"],
  ],
  [
    { train: {}, losses: { weights: { quality: 0, distortion: 0 } }, prompts: { template: "a {distortion} photo" } },
    ["losses.weights: must have one above 0 of a task that prompts.template asks about, or there is nothing to learn"],
  ],
  [
    { train: {}, losses: { quality: "kl" }, augment: { contents: 1 } },
    [
      "augment.contents: must be 0 with a losses.quality that is not over pairs of images: distorted versions have an " +
        "order, no score",
    ],
  ],
  [
    { train: {}, losses: { quality: "kl" }, data: { databases: [PAIRS] } },
    [
      "losses.quality: must be fidelity, margin or bradley-terry with a database of pairs: they have an order, no score",
    ],
  ],
  [
    { train: { images: 8 }, data: { databases: [TOYS, PAIRS] } },
    [
      "train.images: must be null with a database of pairs or photos: images are drawn over people's scores, and these " +
        "have none",
    ],
  ],
  [
    { train: {}, data: { databases: [TOYS, PHOTOS] } },
    ["train.teacher: is missing; it scores the databases' photos, which have no scores"],
  ],
  [
    { train: { teacher: "large" } },
    ["train.teacher: scores the photos of a database, and no database has photos; add them, or leave it out"],
  ],
  [
    { train: { teacher: "large" }, data: { databases: [TOYS, PHOTOS] }, prompts: { template: "a {distortion} photo" } },
    ["train.teacher: needs {quality} in prompts.template: that is what it tells of photographs"],
  ],
  [
    { train: { tune: "probe" }, data: { databases: [TOYS, PAIRS] } },
    ["train.tune: must not be probe with a database of pairs or photos: a probe keeps features of lists with scores"],
  ],
  [
    { train: { tune: "probe" }, augment: { contents: 1 } },
    [
      "augment.contents: must be 0 with `train.tune: probe`: features are computed once, and versions would be new in " +
        "each step",
    ],
  ],
  [
    { train: { tune: "probe" }, data: { onUnreadable: "replace" } },
    ["data.onUnreadable: must be stop with `train.tune: probe`, which reads every image once, before its first step"],
  ],
  [
    { train: { tune: "probe", cropsPerImage: 3 }, evaluate: { crops: 2 } },
    ["train.cropsPerImage: must be at most evaluate.crops with `train.tune: probe`: a step draws among these windows"],
  ],
  [
    { train: RIDGE, losses: { weighting: "equal" } },
    [
      "losses: has no effect with `train.probe.solver: ridge`, which minimizes squared errors of the scores; leave it out",
    ],
  ],
];

describe("RunConfig", () => {
  it.each(REFUSED)("says of %j all that is wrong, and nothing else", (sections, problems) => {
    expect(problemsOf(sections)).toEqual(problems);
  });

  it.each<{ train: object } & Record<string, unknown>>([
    { train: { epochs: 2, stepsPerEpoch: 3, warmupSteps: 5, maxSkippedSteps: 2, freeze: ["vision"] } },
    { train: { tune: "lora", lora: { layers: ["vision", "text.blocks.3", "vision.blocks.6-11"], dropout: 0.5 } } },
    { train: { tune: "norms", freeze: ["text"] } },
    { train: {}, losses: { weights: { quality: 0 } }, prompts: { template: "a {distortion} photo" } },
    { train: {}, augment: { contents: 1 }, losses: { quality: "margin" } },
    { train: {}, data: { databases: [TOYS, PAIRS] } },
    { train: {}, data: { onUnreadable: "replace" } },
    { train: { tune: "lora", lora: { rank: 1024, alpha: 0.5, parts: ["attention"] }, memoryBudgetGB: 0.5, zero: 1 } },
    { train: { tune: "prompts", prompts: { vectors: 64, init: "random", scope: "class" }, microBatch: 1 } },
    { train: { emaDecay: 0.999, clipNorm: 0.5, weightDecay: 0, keepEverySteps: 2, patienceEpochs: 2 } },
    { train: { images: 8, cropsPerImage: 9 }, evaluate: { crops: 2 }, losses: { quality: "kl" } },
    { train: { teacher: "large" }, data: { databases: [TOYS, PHOTOS] } },
    { train: { tune: "probe", cropsPerImage: 2 }, evaluate: { crops: 2 }, losses: { quality: "plcc" } },
    { train: { learningRate: 0.1, weightDecay: 1, layerDecay: 1 }, run: "0=A._-z" },
  ])("takes %j", (sections) => {
    expect(problemsOf(sections)).toEqual([]);
  });

  it.each([
    { epochs: 0 },
    { stepsPerEpoch: 0 },
    { cropsPerImage: 0 },
    { learningRate: 0 },
    { learningRate: 0.11 },
    { weightDecay: -0.1 },
    { weightDecay: 1.1 },
    { clipNorm: 0 },
    { zero: 2 },
    { layerDecay: 0 },
    { layerDecay: 1.1 },
    { emaDecay: 0 },
    { emaDecay: 1 },
    { patienceEpochs: 0 },
    { microBatch: 0 },
    { memoryBudgetGB: 0 },
    { saveEverySteps: 0 },
    { keepEverySteps: 0 },
    { maxSkippedSteps: -1 },
    { validateEveryEpochs: 0 },
    { images: 0 },
    { teacher: "" },
    { schedule: "" },
    { recompute: "" },
    { tune: "" },
    { tune: "lora", lora: { rank: 1025 } },
    { tune: "lora", lora: { alpha: 0 } },
    { tune: "lora", lora: { parts: [] } },
    { tune: "lora", lora: { layers: ["vision.blocks.6-11 "] } },
    { tune: "probe", probe: { lambda: 0 } },
    { tune: "probe", probe: { solver: "" } },
    { tune: "prompts", prompts: { vectors: 65 } },
    { tune: "prompts", prompts: { init: "" } },
    { tune: "prompts", prompts: { scope: "" } },
    { rate: 1 },
  ])("refuses train: %j, out of its range", (train) => {
    expect(problemsOf({ train })).not.toEqual([]);
  });

  it("tells which tunings keep their base, and which of them is solved", () => {
    expect(["all", "lora", "probe", "prompts", "norms"].filter((tune) => isOnBase({ tune }))).toEqual([
      "lora",
      "probe",
      "prompts",
    ]);
    const of = (tune: string, solver: string) => isRidge({ tune, probe: { solver } });
    expect([of("probe", "ridge"), of("probe", "adamw"), of("all", "ridge")]).toEqual([true, false, false]);
  });
});
