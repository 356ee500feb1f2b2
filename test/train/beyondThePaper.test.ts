import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { ConfigError } from "../../src/base/errors.js";
import * as tf from "../../src/engine/tf.js";
import { LiqeModel } from "../../src/model/liqe.js";
import { type NamedArrays, TOKEN_EMBEDDING } from "../../src/model/parameters/parameters.js";
import { loadParameters } from "../../src/model/weights/loadParameters.js";
import { loadCheckpoint } from "../../src/train/checkpoint/checkpoint.js";
import type { RunPlan } from "../../src/train/plan.js";
import { trainSplit } from "../../src/train/run.js";
import { stopWhen, temporaryFolder, toyDatabase, toyPlan } from "../support/runs.js";

const root = await toyDatabase();
const never = () => false;

/** Validations that give `scores` in turn and keep a copy of the weights they were shown. */
function scripted(scores: readonly number[]) {
  const shown: NamedArrays[] = [];
  const validate = (model: LiqeModel) => {
    shown.push(structuredClone(model.parameters.arrays(1)));
    const srcc = scores[shown.length - 1] ?? null;
    return Promise.resolve({ srcc, average: srcc });
  };
  return { shown, validate };
}

/** Asks to stop after so many steps and ends of epochs. */
function after(questions: number): () => boolean {
  let asked = 0;
  return () => ++asked >= questions;
}

/** Every byte of a checkpoint that must not depend on interruptions. */
function bytesOf(folder: string): Record<string, string> {
  const files = ["model", "raw", "optimizer"].map((name) => join(folder, `${name}.safetensors`)).filter(existsSync);
  return Object.fromEntries(files.map((file) => [file.slice(folder.length), readFileSync(file).toString("base64")]));
}

const valuesOf = (arrays: NamedArrays, name: string) => [...(arrays.get(name)?.values ?? [])];

const startOf = async (plan: RunPlan) => (await loadParameters(plan.config.model.weights)).parameters;

/** Which of the toy network's tensors training has changed. */
function changedNames(before: NamedArrays, now: NamedArrays): string[] {
  return [...before.keys()].filter((name) => String(valuesOf(before, name)) !== String(valuesOf(now, name))).toSorted();
}

describe("runTraining with every knob beyond the paper's recipe", () => {
  const TRAIN = {
    ...{ epochs: 6, stepsPerEpoch: 3, saveEverySteps: 2, schedule: "cosine-restarts", cosineEpochs: 2, warmupSteps: 2 },
    ...{ freeze: ["vision.stem", "text.blocks"], layerDecay: 0.7, emaDecay: 0.8, patienceEpochs: 2 },
  };
  const SCORES = [0.5, 0.6, 0.4, 0.6, 0.9];

  it("resumes in the first epoch and the third to the same weights, averages and moments, and the same early end", async () => {
    const notes: string[] = [];
    const whole = await toyPlan(root, temporaryFolder(), TRAIN);
    const noting = { ...whole, reporter: { ...whole.reporter, note: (line: string) => notes.push(line) } };
    const end = await trainSplit(noting, { validate: scripted(SCORES).validate, signal: stopWhen(never) });
    expect(end).toMatchObject({ finished: true, position: { epoch: 4, step: 0 }, best: 0.6, epochsWithoutRise: 2 });
    expect(notes).toEqual([
      "ended early, after epoch 4 of 6: mean validation SRCC has not risen in 2 validated epochs " +
        "(train.patienceEpochs); its highest is 0.600",
    ]);
    for (const questions of [3, 9]) {
      const plan = await toyPlan(root, temporaryFolder(), TRAIN);
      const first = scripted(SCORES);
      const stopped = await trainSplit(plan, { validate: first.validate, signal: stopWhen(after(questions)) });
      expect(stopped.finished).toBe(false);
      const { validate } = scripted(SCORES.slice(first.shown.length));
      const resumed = await trainSplit(plan, { validate, signal: stopWhen(never) });
      expect({ ...resumed }).toEqual({ ...end });
      for (const kind of ["last", "best", "best-average"]) {
        expect(bytesOf(join(plan.folder, kind)), kind).toEqual(bytesOf(join(whole.folder, kind)));
      }
    }
  });

  it("has nothing left to do where patience has ended the run, even with more epochs", async () => {
    const folder = temporaryFolder();
    const plan = await toyPlan(root, folder, TRAIN);
    await trainSplit(plan, { validate: scripted(SCORES).validate, signal: stopWhen(never) });
    const before = bytesOf(join(folder, "last"));
    const more = await toyPlan(root, folder, { ...TRAIN, epochs: 9 });
    const again = scripted([]);
    expect(await trainSplit(more, { ...again, signal: stopWhen(never) })).toMatchObject({ finished: true });
    expect(again.shown).toHaveLength(0);
    expect(bytesOf(join(folder, "last"))).toEqual(before);
  });

  it("leaves no tensor behind", async () => {
    const before = tf.memory().numTensors;
    const plan = await toyPlan(root, temporaryFolder(), TRAIN);
    await trainSplit(plan, { validate: scripted(SCORES).validate, signal: stopWhen(never) });
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("runTraining with emaDecay", () => {
  const TRAIN = { epochs: 2, emaDecay: 0.9 };

  it("validates the averages, saves them as the model, and keeps the raw weights in `last` alone", async () => {
    const plan = await toyPlan(root, temporaryFolder(), TRAIN);
    const { shown, validate } = scripted([0.5, 0.6]);
    await trainSplit(plan, { validate, signal: stopWhen(never) });
    const plain = await toyPlan(root, temporaryFolder(), { epochs: 2 });
    await trainSplit(plain, { ...scripted([0.5, 0.6]), signal: stopWhen(never) });
    const averaged = await loadCheckpoint(join(plan.folder, "last"));
    const unaveraged = await loadCheckpoint(join(plain.folder, "last"));
    const best = await loadCheckpoint(join(plan.folder, "best"));
    expect(unaveraged.raw).toBeNull();
    expect(best.raw).toBeNull();
    for (const name of unaveraged.weights.keys()) {
      if (name === "logit_scale") continue; // not trained, so it is no raw weight
      expect(valuesOf(averaged.raw ?? new Map(), name), name).toEqual(valuesOf(unaveraged.weights, name));
      expect(valuesOf(best.weights, name), name).toEqual(valuesOf(averaged.weights, name));
      if (name !== TOKEN_EMBEDDING) expect(valuesOf(shown[1] ?? new Map(), name)).toEqual(valuesOf(best.weights, name));
    }
    expect(changedNames(averaged.weights, unaveraged.weights)).not.toContain("logit_scale");
    expect(changedNames(averaged.weights, unaveraged.weights)).toHaveLength(unaveraged.weights.size - 1);
    expect(averaged.raw?.has("logit_scale")).toBe(false);
  });

  it("averages what decay makes of the token table's unused rows", async () => {
    const plan = await toyPlan(root, temporaryFolder(), TRAIN);
    await trainSplit(plan, { ...scripted([0.5, 0.6]), signal: stopWhen(never) });
    const { weights, raw, state } = await loadCheckpoint(join(plan.folder, "last"));
    const { averageUntouchedDecay: average, untouchedDecay } = state;
    expect(average).toBeGreaterThan(untouchedDecay);
    expect(average).toBeLessThan(1);
    const unused = 8 * 5000; // a row that no prompt of the toy run reads
    const start = valuesOf(await startOf(plan), TOKEN_EMBEDDING)[unused] ?? NaN;
    expect(valuesOf(weights, TOKEN_EMBEDDING)[unused]).toBe(Math.fround(start * (average ?? NaN)));
    expect(valuesOf(raw ?? new Map(), TOKEN_EMBEDDING)[unused]).toBe(Math.fround(start * untouchedDecay));
  });
});

describe("runTraining with freeze patterns", () => {
  it("keeps what is frozen bit for bit, and trains the rest", async () => {
    const freeze = ["vision.stem", "vision.blocks.0", "text.embeddings"];
    const plan = await toyPlan(root, temporaryFolder(), { epochs: 1, freeze });
    await trainSplit(plan, { ...scripted([0.5]), signal: stopWhen(never) });
    const before = await startOf(plan);
    const { weights } = await loadCheckpoint(join(plan.folder, "last"));
    const isFrozen = (name: string) =>
      /^(visual\.(conv1|transformer)\.|token_embedding|positional_embedding|logit_scale)/.test(name);
    const trained = [...before.keys()].filter((name) => !isFrozen(name)).toSorted();
    expect(changedNames(before, weights)).toEqual(trained);
  });

  it("encodes the prompts once where all parts of the text tower are frozen, one by one", async () => {
    const encode = vi.spyOn(LiqeModel.prototype, "encodePrompts");
    try {
      const freeze = ["text.embeddings", "text.blocks.0", "text.head"];
      const plan = await toyPlan(root, temporaryFolder(), { epochs: 2, freeze, emaDecay: 0.9 });
      await trainSplit(plan, {
        validate: (model) => {
          model.promptFeatures();
          return Promise.resolve({ srcc: null, average: null });
        },
        signal: stopWhen(never),
      });
      expect(encode).toHaveBeenCalledTimes(1);
    } finally {
      encode.mockRestore();
    }
  });

  it("refuses blocks that the network does not have before it trains", async () => {
    const run = toyPlan(root, temporaryFolder(), { epochs: 1, freeze: ["vision.blocks.0-5"] }).then((plan) =>
      trainSplit(plan, { ...scripted([]), signal: stopWhen(never) }),
    );
    await expect(run).rejects.toThrow(ConfigError);
    await expect(run).rejects.toThrow('train.freeze: "vision.blocks.0-5": this network has vision.blocks.0-0');
  });
});

describe("runTraining with layerDecay", () => {
  it("takes smaller steps further down: one step of Adam moves each weight by its own rate", async () => {
    const one = { epochs: 1, stepsPerEpoch: 1, layerDecay: 0.25, schedule: "constant" };
    const plan = await toyPlan(root, temporaryFolder(), one);
    await trainSplit(plan, { ...scripted([0.5]), signal: stopWhen(never) });
    const before = await startOf(plan);
    const { weights, state } = await loadCheckpoint(join(plan.folder, "last"));
    const largestMove = (name: string) => {
      const start = valuesOf(before, name);
      return Math.max(...valuesOf(weights, name).map((value, i) => Math.abs(value - (start[i] ?? NaN))));
    };
    const rate = 1e-3; // one block in each tower; decay of 0.05 changes a weight of 1 by 5 % of its step
    const tolerance = { rtol: 0.06, atol: 0 };
    expect([largestMove("visual.proj")]).toBeAllClose([rate], tolerance);
    expect([largestMove("visual.transformer.resblocks.0.mlp.c_fc.weight")]).toBeAllClose([rate / 4], tolerance);
    expect([largestMove("visual.conv1.weight")]).toBeAllClose([rate / 16], tolerance);
    expect([largestMove("text_projection")]).toBeAllClose([rate], tolerance);
    expect([largestMove("positional_embedding")]).toBeAllClose([rate / 16], tolerance);
    expect(state.untouchedDecay).toBeCloseTo(1 - (rate / 16) * 0.05, 7);
    expect(state.untouchedDecay).toBeLessThan(1);
  });
});
