import { describe, expect, it } from "vitest";
import { AugmentConfig } from "../../../src/data/augment/config.js";
import { EvaluateConfig } from "../../../src/evaluate/config.js";
import { presetArchitecture } from "../../../src/model/architecture/presets.js";
import { gridOf, ModelConfig, PromptsConfig } from "../../../src/model/config.js";
import { imageFlops } from "../../../src/model/flops.js";
import { promptTree } from "../../../src/model/text/promptTree.js";
import { tokenize } from "../../../src/model/text/tokenizer.js";
import { TrainConfig } from "../../../src/train/config.js";
import { type CostedRun, featureBytes, keptImages, runCost, savings } from "../../../src/train/cost/cost.js";
import { bytesPerCrop, stepBytes } from "../../../src/train/cost/memory.js";
import type { Probe } from "../../../src/train/cost/probe.js";
import { stepFlops } from "../../../src/train/cost/stepFlops.js";
import type { ResolvedTrainConfig } from "../../../src/train/plan.js";

const architecture = presetArchitecture("vit-b-32");
const prompts = gridOf(PromptsConfig.parse({})).prompts;
const network = { architecture, tree: promptTree(prompts.map((prompt) => tokenize(prompt, 77))) };
const IMAGES = 12;

interface Given {
  readonly train?: Record<string, unknown>;
  readonly val?: number;
  readonly weights?: string;
  readonly stepsDone?: number;
}

/** What a machine with memory enough makes of `auto`. */
function resolved(train: TrainConfig): ResolvedTrainConfig {
  const crops = IMAGES * train.cropsPerImage;
  const microBatch = train.microBatch === "auto" ? crops : train.microBatch;
  const recompute = train.recompute === "auto" ? "never" : train.recompute;
  return { ...train, microBatch, recompute, memoryBudgetGB: 16 };
}

/** Ten epochs of ten steps over one database of 100 test images. */
function run({ train = {}, val = 0, weights = "clip.pt", stepsDone = 0 }: Given = {}): CostedRun {
  const images = (count: number) => Array.from({ length: count }) as CostedRun["databases"][number]["val"]; // counted
  return {
    config: {
      model: ModelConfig.parse({ preset: "vit-b-32", weights }),
      train: resolved(TrainConfig.parse({ epochs: 10, stepsPerEpoch: 10, ...train })),
      evaluate: EvaluateConfig.parse({}),
      augment: AugmentConfig.parse({}),
    },
    databases: [{ imagesPerStep: IMAGES, train: images(200), val: images(val), test: images(100) }],
    stepsDone,
  };
}

/** A machine on which a step of that run takes ten seconds, two of them for images where asked. */
function probeOf({ config: { train } }: CostedRun, dataSeconds = 0): Probe {
  const crops = IMAGES * train.cropsPerImage;
  const { microBatch, recompute } = train;
  const freeze = (["text", "vision"] as const).filter((tower) => train.freeze.includes(tower));
  return {
    network,
    flops: stepFlops(network, { images: IMAGES, crops, microBatch, recompute, freeze }),
    parameters: { all: 150e6, trained: 125e6 },
    seconds: 10,
    dataSeconds,
    startSeconds: 0,
    peakBytes: 9e9,
    weightBytes: 600e6,
    checkpointBytes: 1700e6,
    secondsPerImage: null,
  };
}

describe("runCost", () => {
  it("is steps times seconds, and scoring by the speed of the probe", () => {
    const plain = run({ val: 50, train: { validateEveryEpochs: 3 } });
    const probe = probeOf(plain);
    const cost = runCost(plain, probe);
    const secondsPerCrop = imageFlops(architecture) / (probe.flops.total / 10);
    expect(cost.trainingSeconds).toBe(1000);
    expect(cost.validations).toBe(4); // after epochs 3, 6, 9 and the last
    expect([cost.validationSeconds, cost.evaluationSeconds]).toBeAllClose([
      4 * 50 * 15 * secondsPerCrop,
      100 * 15 * secondsPerCrop,
    ]);
    expect(cost.totalSeconds).toBe(cost.trainingSeconds + cost.validationSeconds + cost.evaluationSeconds);
  });

  it("leaves out what a checkpoint has behind it", () => {
    const begun = run({ val: 50, train: { validateEveryEpochs: 3 }, stepsDone: 65 });
    const cost = runCost(begun, probeOf(begun));
    expect([cost.trainingSeconds, cost.validations]).toEqual([350, 2]);
    const over = run({ val: 50, train: { validateEveryEpochs: 3 }, stepsDone: 100 });
    expect(runCost(over, probeOf(over))).toMatchObject({ trainingSeconds: 0, validations: 0 });
  });

  it("keeps two checkpoints to go on from and two bests, and has room for one more while it saves", () => {
    const plain = run();
    const { diskBytes, savingBytes } = runCost(plain, probeOf(plain));
    expect(diskBytes).toBe(2 * 1700e6 + 2 * 600e6 + 100 * 1000);
    expect(savingBytes).toBe(1700e6);
    const keeping = run({ train: { keepEverySteps: 30 } }); // after 30, 60 and 90 of 100 steps
    expect(runCost(keeping, probeOf(keeping)).diskBytes).toBe(diskBytes + 3 * 1700e6);
  });
});

describe("savings", () => {
  const changes = (costed: CostedRun, dataSeconds = 0, memoryBytes = 64e9) =>
    savings(costed, probeOf(costed, dataSeconds), memoryBytes).map(({ change }) => change);

  it("says what a frozen text tower and fewer crops take away, by their work", () => {
    const plain = run();
    const found = savings(plain, probeOf(plain), 64e9);
    const { flops } = probeOf(plain);
    const training = 1000 / runCost(plain, probeOf(plain)).totalSeconds;
    const text = found.find(({ change }) => change === "train.freeze=[text]");
    expect([text?.share ?? NaN]).toBeAllClose([training * (flops.prompts / flops.total)]);
    const crops = found.find(({ change }) => change === "train.cropsPerImage=1");
    expect([crops?.share ?? NaN]).toBeAllClose([(training * (2 / 3) * flops.images) / flops.total]);
    const recomputing = run({ train: { recompute: "always" } }); // frozen and with fewer crops, it still would
    const again = savings(recomputing, probeOf(recomputing), 64e9).find(({ change }) => change === text?.change);
    const { flops: more } = probeOf(recomputing);
    const part = 1000 / runCost(recomputing, probeOf(recomputing)).totalSeconds;
    expect([again?.share ?? NaN]).toBeAllClose([part * (more.prompts / more.total)]);
    expect(found.map(({ share }) => share)).toEqual(found.map(({ share }) => share).sort((a, b) => b - a));
  });

  it("names the budget with which all crops fit, which spares the second forward pass and changes nothing", () => {
    const small = run({ train: { microBatch: 4 } });
    const whole36 = stepBytes(TrainConfig.parse({}), { ...network, crops: 36 }, "never", 36);
    const gigabytes = Math.ceil(whole36 / 1e9); // prompts and crops
    const saving = savings(small, probeOf(small), 64e9).find(({ price }) => price === null);
    expect(saving?.change).toBe(`train.memoryBudgetGB=${gigabytes} train.microBatch=auto`);
    const training = 1000 / runCost(small, probeOf(small)).totalSeconds;
    const { flops } = probeOf(small);
    expect([saving?.share ?? NaN]).toBeAllClose([(training * flops.images) / 4 / flops.total]);
    const whole = Math.ceil((9e9 + 32 * bytesPerCrop(architecture, "activations")) / 1e9); // what was held, and 32 crops more
    expect(changes(small, 0, 0.99e9 * whole - 1e9)).toContain(`a machine with ${whole} GB of memory`);
    expect(changes(run()).join()).not.toContain("memoryBudgetGB"); // they fit already
  });

  it("speaks of validation and of images only where they take their share", () => {
    expect(changes(run({ val: 1 })).join()).not.toContain("validateEveryEpochs");
    expect(changes(run({ val: 500 }))).toContain("train.validateEveryEpochs=2");
    expect(changes(run(), 0.7).join()).not.toContain("cacheMB");
    expect(changes(run(), 4)).toContain("smaller images, or a larger data.cacheMB");
  });

  it("does not advise to freeze random prompts, or what is frozen", () => {
    expect(changes(run({ weights: "none" })).join()).not.toContain("freeze");
    expect(changes(run({ train: { freeze: ["vision"] } })).join()).not.toContain("freeze");
    expect(changes(run({ train: { cropsPerImage: 1 } })).join()).not.toContain("cropsPerImage");
  });
});

describe("a run from kept features", () => {
  const given = run({ val: 50, train: { tune: "probe", validateEveryEpochs: 2 } });
  const kept = {
    ...given,
    config: { ...given.config, evaluate: EvaluateConfig.parse({ crops: 10, validationCrops: 4 }) },
  };
  const probe = { ...probeOf(kept, 2), secondsPerImage: 0.5 };

  it("encodes each image once, and its steps wait for none", () => {
    const training = 100 * (10 - 2) + 200 * 0.5;
    const [validation, evaluation] = [(50 * 0.5 * 4) / 10, 100 * 0.5];
    expect(runCost(kept, probe)).toEqual({
      trainingSeconds: training,
      validations: 5,
      validationSeconds: validation,
      evaluationSeconds: evaluation,
      totalSeconds: training + validation + evaluation,
      diskBytes: 2 * 1700e6 + 2 * 600e6 + 100 * 1000 + (200 * 10 + 50 * 4) * 512 * 4,
      savingBytes: 1700e6,
    });
    expect(runCost({ ...kept, stepsDone: 90 }, probe)).toMatchObject({
      ...{ trainingSeconds: 10 * 8 + 100, validations: 1, validationSeconds: validation },
    });
    expect(runCost({ ...kept, stepsDone: 100 }, probe)).toMatchObject({ validations: 0, validationSeconds: 0 });
  });

  it("keeps features of the windows of all images to train on and to validate, of no run that encodes", () => {
    expect(keptImages(kept.databases)).toEqual({ train: 200, val: 50 });
    expect(featureBytes(kept, probe)).toBe(2200 * 512 * 4);
    expect(featureBytes(kept, { ...probe, secondsPerImage: null })).toBe(0);
  });

  it("has nothing to save", () => {
    expect(savings(kept, probe, 64e9)).toEqual([]);
  });
});

describe("the savings of a run", () => {
  const shown = (costed: CostedRun, dataSeconds: number, memoryBytes = 64e9) =>
    savings(costed, probeOf(costed, dataSeconds), memoryBytes).map(({ change, share, price }) => [
      change,
      Number(share.toFixed(4)),
      price,
    ]);

  it("are these, with their shares and prices, the largest first", () => {
    const crops = (share: number) => ["train.cropsPerImage=1", share, "noisier steps"];
    const text = (share: number) => ["train.freeze=[text]", share, "prompts stay as they are"];
    const validations = (epochs: number, share: number) => {
      return [`train.validateEveryEpochs=${epochs}`, share, "the best epoch may be missed"];
    };
    const atOnce = (gigabytes: number, share: number) => {
      return [`train.memoryBudgetGB=${gigabytes} train.microBatch=auto`, share, null];
    };
    expect(shown(run({ val: 200, train: { microBatch: 4 } }), 2)).toEqual([
      ...[validations(2, 0.2617), crops(0.1675), text(0.1091), atOnce(2, 0.0628)],
    ]);
    expect(shown(run({ val: 20, train: { microBatch: 4 } }), 0.5, 9e9)).toEqual([
      ...[crops(0.3658), text(0.2384), ["a machine with 10 GB of memory", 0.1372, null], validations(2, 0.0572)],
    ]);
    expect(shown(run({ train: { freeze: ["text"], recompute: "always" } }), 1)).toEqual([
      ...[crops(0.5486), atOnce(1, 0.2057)],
    ]);
    expect(shown(run({ val: 400, train: { validateEveryEpochs: 3 } }), 0)).toEqual([
      ...[validations(6, 0.282), crops(0.1692), text(0.147)],
    ]);
  });

  it("leave out waiting that is a small part", () => {
    const plain = run();
    const waiting = (dataSeconds: number) =>
      shown(plain, dataSeconds).some(([change]) => String(change).includes("cacheMB"));
    expect([waiting(0.9), waiting(2)]).toEqual([false, true]);
  });
});
