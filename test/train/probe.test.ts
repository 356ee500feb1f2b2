import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { exportModel } from "../../src/api/exportModel.js";
import { openBase, openModel, weightFileOf } from "../../src/api/openModel.js";
import { loadImage } from "../../src/data/images/loadImage.js";
import { unpacked } from "../../src/data/lists/packSamples.js";
import type { Database, Sample } from "../../src/data/sample.js";
import { CheckpointError } from "../../src/base/errors.js";
import * as tf from "../../src/engine/tf.js";
import { gridOf } from "../../src/model/config.js";
import { LiqeModel } from "../../src/model/liqe.js";
import { PROMPT_CONTEXT, PROMPT_FEATURES } from "../../src/model/parameters/learnedPrompts.js";
import { posteriorOf } from "../../src/model/posterior.js";
import { evaluationCrops } from "../../src/model/preprocess/crops.js";
import { readSafetensors } from "../../src/model/weights/safetensors.js";
import { loadCheckpoint } from "../../src/train/checkpoint/checkpoint.js";
import { meanFeature } from "../../src/train/features/predictFromFeatures.js";
import { solveRidge } from "../../src/train/features/ridge.js";
import { ridgeFlops } from "../../src/train/features/ridgeProbe.js";
import type { RunPlan } from "../../src/train/plan.js";
import { probeTraining } from "../../src/train/cost/probe.js";
import { trainSplit } from "../../src/train/run.js";
import { type RunValidation, validate, validateRun } from "../../src/train/validate.js";
import { stopWhen, temporaryFolder, toyDatabase, toyPlan } from "../support/runs.js";
import { relativeError } from "../support/tensors.js";

const root = await toyDatabase();
const never = stopWhen(() => false);

/** Plan of a probe whose images have two windows, both of which are kept. */
async function probePlan(train: object): Promise<RunPlan> {
  const plan = await toyPlan(root, temporaryFolder(), { tune: "probe", cropsPerImage: 2, ...train });
  const config = { ...plan.config, evaluate: { ...plan.config.evaluate, crops: 2, validationCrops: 2 } };
  return { ...plan, config, record: { ...config } };
}

/** Trains with real validations, and gives them. */
async function trained(plan: RunPlan, stop = never): Promise<RunValidation[]> {
  const validations: RunValidation[] = [];
  const { signal } = new AbortController();
  await trainSplit(plan, {
    validate: async (model, features) => {
      const result = await validateRun(model, plan, { signal, features });
      if (result !== null) validations.push(result);
      return result;
    },
    signal: stop,
  });
  return validations;
}

const headOf = async (plan: RunPlan) => {
  const arrays = await readSafetensors(join(plan.folder, "last", "prompts.safetensors"));
  expect([...arrays.keys()]).toEqual([PROMPT_FEATURES]);
  return arrays.get(PROMPT_FEATURES)?.values ?? new Float32Array();
};

/** Qualities of validation images by the checkpoint, from pixels, through the same path as `liqe predict`. */
async function validatedByPixels(plan: RunPlan): Promise<RunValidation> {
  const opened = await openModel(join(plan.folder, "last"));
  const names = { scenes: plan.labels.scenes, distortions: Object.keys(plan.labels.distortions) };
  const scoring = { crops: 2, microBatch: 8, order: "name", images: plan.config.data } as const;
  const result = await validate(opened.model, plan.databases, { names, scoring });
  opened.dispose();
  return result;
}

const RIDGE = { epochs: 1, stepsPerEpoch: 1, probe: { solver: "ridge", lambda: 0.1 } };

describe("train.tune: probe", () => {
  let plan: RunPlan;
  let validations: RunValidation[];
  beforeAll(async () => {
    plan = await probePlan({ epochs: 2, learningRate: 0.05 });
    validations = await trained(plan);
  });

  it("has a page of its progress that leads to no picture of a first batch, which there is not", () => {
    expect(existsSync(join(plan.folder, "batch-0.jpg"))).toBe(false);
    const page = readFileSync(join(plan.folder, "report.html"), "utf8");
    expect(page).toContain('href="labels.svg"');
    expect(page).not.toContain("batch-0.jpg");
  });

  it("is refused as a weight file, its prompts being beside weights elsewhere", async () => {
    const last = join(plan.folder, "last");
    const refused = weightFileOf(last);
    await expect(refused).rejects.toThrow(CheckpointError);
    await expect(refused).rejects.toThrow(
      `${last}: holds learned prompts (prompts.safetensors) and not the weights that they were trained on`,
    );
  });

  it("learns features of the prompts and nothing else, in a file that names its base", async () => {
    const opened = await openModel(plan.config.model.weights, {
      asked: { template: plan.config.prompts.template, labels: plan.labels },
    });
    const start = opened.model.promptFeatures().dataSync<"float32">().slice();
    opened.dispose();
    const head = await headOf(plan);
    expect(head).toHaveLength(start.length);
    expect(relativeError(head, start)).toBeGreaterThan(0.01);
    const { weights, adapter } = await loadCheckpoint(join(plan.folder, "last"));
    expect(adapter?.base).toEqual(await openBase(plan.config.model.weights));
    const before = await plan.initialWeights();
    for (const [name, { values }] of before) expect(weights.get(name)?.values, name).toEqual(values);
  });

  it("validates from kept features as a checkpoint that is opened does from pixels", async () => {
    expect(validations).toHaveLength(2);
    expect(await validatedByPixels(plan)).toEqual(validations[1]);
  });

  it("keeps no tensor, and encodes no image again when it is resumed", async () => {
    const before = tf.memory().numTensors;
    const again = await probePlan({ epochs: 1 });
    const kept = () => {
      const folder = join(again.folder, "features");
      return readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mtimeMs] as const);
    };
    let asked = 0;
    const stop = stopWhen(() => ++asked > 12 + 6); // asked before each image, then after a step
    await trained(again, stop);
    const first = kept();
    expect(first).toHaveLength(12 + 6);
    await trained(again);
    expect(kept()).toEqual(first);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("takes no step where it is asked to stop while features are encoded, and keeps those", async () => {
    for (const kind of [{ epochs: 1 }, RIDGE]) {
      const other = await probePlan(kind);
      let asked = 0;
      expect(
        await trained(
          other,
          stopWhen(() => ++asked > 3),
        ),
      ).toEqual([]);
      expect(readdirSync(join(other.folder, "features"))).toHaveLength(3);
      expect(existsSync(join(other.folder, "last"))).toBe(false);
    }
  });

  it("tells a dry run what encoding costs, and writes nothing then", async () => {
    const other = await probePlan({ epochs: 1 });
    const before = tf.memory().numTensors;
    const probe = await probeTraining(other);
    expect(probe.secondsPerImage).toBeGreaterThan(0);
    expect(probe.flops.images + probe.flops.prompts).toBe(0);
    expect(tf.memory().numTensors).toBe(before);
    expect(readdirSync(other.folder)).toEqual([]);
    expect((await probeTraining(await probePlan(RIDGE))).secondsPerImage).toBeGreaterThan(0);
  });

  it("is exported with its features, and refused by formats whose readers encode the prompts", async () => {
    const out = temporaryFolder();
    const last = join(plan.folder, "last");
    const exported = await exportModel(last, { format: ["onnx", "tfjs", "hub"], out });
    expect(exported.map(({ parity }) => parity.largestDifference.quality < 1e-3)).toEqual([true, true, true]);
    const hub = await openModel(join(out, "hub"));
    expect(hub.model.promptFeatures().dataSync()).toEqual(await headOf(plan));
    hub.dispose();
    const asked = { template: "a picture of {quality} quality and {distortion}", labels: plan.labels };
    await expect(openModel(join(out, "hub"), { asked })).rejects.toThrow("its prompts were learned");
    for (const format of ["safetensors", "openai"]) {
      const refused = exportModel(last, { format, out: temporaryFolder() });
      await expect(refused).rejects.toThrow(/^(safetensors|openai): its readers encode .*; export onnx, tfjs or hub/);
    }
  });

  it("is no model of other prompts, or of another network", async () => {
    const { weights } = await loadCheckpoint(join(plan.folder, "last"));
    const grid = gridOf(plan.config.prompts);
    const [features, width] = [grid.prompts.length, plan.architecture.text.width];
    const opened = (name: string, shape: number[]) => {
      const array = { shape, values: new Float32Array(shape.reduce((size, axis) => size * axis, 1)) };
      const network = [...weights].filter(([key]) => key !== PROMPT_FEATURES);
      return () => new LiqeModel(new Map([...network, [name, array]]), grid);
    };
    expect(opened(PROMPT_FEATURES, [features - 1, 8])).toThrow(
      `prompt_features is [${features - 1}, 8], for these prompts`,
    );
    expect(opened(PROMPT_FEATURES, [8 * features])).toThrow(CheckpointError);
    expect(opened(PROMPT_CONTEXT, [2, width + 1])).toThrow(
      `it must be [vectors, ${width}] or [${features}, vectors, ${width}]`,
    );
    expect(opened(PROMPT_CONTEXT, [features + 1, 2, width])).toThrow(CheckpointError);
    expect(opened(PROMPT_CONTEXT, [width])).toThrow(CheckpointError);
  });

  it("refuses other prompts than those that were learned, and to be the beginning of another training", async () => {
    const asked = { template: "a picture of {quality} quality and {distortion}", labels: plan.labels };
    await expect(openModel(join(plan.folder, "last"), { asked })).rejects.toThrow("its prompts were learned");
    await expect(openBase(join(plan.folder, "last"))).rejects.toThrow("holds learned prompts");
  });
});

describe("train.probe.solver: ridge", () => {
  /** The toys as two databases: 8 images by their own scores, and 4 by scores a hundred times as high, from 7 on. */
  const asTwo = ([toys]: readonly Database[]): Database[] => {
    if (toys === undefined) throw new Error("no toys");
    const others = toys.train
      .slice(8)
      .map((sample) => ({ ...unpacked(sample), database: "others", mos: 100 * sample.mos + 7 }));
    return [
      { ...toys, train: toys.train.slice(0, 8) },
      { ...toys, name: "others", train: others, val: [] },
    ];
  };
  /** Scores by a teacher, whose scale is wider than they are. */
  const taught = (databases: readonly Database[]): Database[] =>
    databases.map((one) => {
      return { ...one, taught: { mosLowest: 0, mosSpan: 8, perLevel: 2, probabilities: new Map() } };
    });

  it.each([
    ["one database", (databases: readonly Database[]) => [...databases]],
    ["two databases, each of equal weight by a scale of its own", asTwo],
    ["a teacher's scale", taught],
  ])("gives qualities that rank as the regression's predictions, and equal them to first order: %s", async (_, of) => {
    const single = await probePlan(RIDGE);
    const plan = { ...single, databases: of(single.databases) };
    await trained(plan);
    const opened = await openModel(join(plan.folder, "last"));
    const { model, scorer } = opened;
    const featuresOf = async (file: string) => {
      const pixels = evaluationCrops(await loadImage(file), 2);
      const features = model.imageFeatures(pixels);
      const mean = meanFeature({ values: features.dataSync<"float32">().slice(), crops: 2 });
      features.dispose();
      const logits = scorer.logits(pixels);
      const meanLogits = logits.slice(0, logits.length / 2).map((value, i) => (value + (logits[i + logits.length / 2] ?? NaN)) / 2); // prettier-ignore
      return { features: mean, quality: posteriorOf(meanLogits, model.grid.axes).quality };
    };
    const rows = await Promise.all(
      plan.databases.flatMap(({ train, taught: told }) => {
        const mos = train.map((sample) => sample.mos);
        const [least, most] = told === undefined ? [Math.min(...mos), Math.max(...mos)] : [0, 8];
        return train.map(async ({ file }, i) => ({
          ...(await featuresOf(file)),
          target: (4 * ((mos[i] ?? NaN) - least)) / (most - least) - 2,
          weight: 12 / (plan.databases.length * train.length),
        }));
      }),
    );
    const { weights } = await solveRidge(rows, { width: model.architecture.embedding, lambda: 0.1 });
    const predicted = rows.map(({ features }) => 3 + features.reduce((sum, x, i) => sum + x * (weights[i] ?? NaN), 0));
    const order = (values: readonly number[]) => values.map((__, i) => i).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0)); // prettier-ignore
    const qualities = rows.map(({ quality }) => quality);
    expect(order(qualities)).toEqual(order(predicted));
    // Softmax of (k - 3)·s over five levels, s = (predicted - 3) / 2
    const expected = predicted.map((value) => {
      const powers = [-2, -1, 0, 1, 2].map((k) => Math.exp((k * (value - 3)) / 2));
      const total = powers.reduce((sum, power) => sum + power, 0);
      return powers.reduce((sum, power, k) => sum + ((k + 1) * power) / total, 0);
    });
    expect(relativeError(qualities, expected)).toBeLessThan(1e-4);
    opened.dispose();
  });

  it("tells a dry run the time of a solution over all images by one over 8, from the lowest to the highest score", async () => {
    const plan = await probePlan(RIDGE);
    const [toys] = plan.databases;
    const train = Array.from({ length: 20 }, (_, i) => ({
      ...unpacked(toys?.train[i % 12] as Sample),
      mos: i < 10 ? 1 : i,
    })); // 12 there are
    const done: Record<string, number> = {};
    const progress = ({ label, done: count }: { label: string; done: number }) => void (done[label] = count);
    let jumpMs = 0;
    const now = performance.now.bind(performance);
    const clock = vi.spyOn(performance, "now").mockImplementation(() => now() + jumpMs++ * 1e9);
    const probe = await probeTraining({
      ...{ ...plan, reporter: { ...plan.reporter, progress } },
      databases: [{ ...(toys as Database), train }], // the toys' only one
    });
    clock.mockRestore();
    expect(done).toEqual({ "image features": 8, probing: 1 });
    const { embedding } = plan.architecture;
    expect(probe.flops.total).toBe(ridgeFlops(20, embedding));
    expect(probe.seconds / 1e6).toBeCloseTo(ridgeFlops(20, embedding) / ridgeFlops(8, embedding), 3); // the clock was read twice
  });

  it("refuses scores that are no scale before an image is read", async () => {
    const plan = await probePlan(RIDGE);
    const databases = plan.databases.map((one) => ({
      ...one,
      train: one.train.map((sample) => ({ ...unpacked(sample), mos: 4 })),
    }));
    await expect(trained({ ...plan, databases })).rejects.toThrow(
      "train.probe: toys: all training scores are 4, which is no scale",
    );
  });

  it("is solved again to the same bits, and validates as from pixels", async () => {
    const [one, two] = [await probePlan(RIDGE), await probePlan(RIDGE)];
    const [validation] = await trained(one);
    await trained(two);
    expect(await headOf(two)).toEqual(await headOf(one));
    expect(await validatedByPixels(one)).toEqual(validation);
    const lines = readFileSync(join(one.folder, "metrics.jsonl"), "utf8").trim().split("\n");
    const [step] = lines.map((line) => JSON.parse(line) as { losses: object; gradientNorm: number });
    expect(Object.keys(step?.losses ?? {})).toEqual(["quality"]);
    expect(step?.gradientNorm).toBeLessThan(1e-9);
  });
});
