import { beforeAll, describe, expect, it } from "vitest";
import type { Group } from "../../src/engine/cluster/collective.js";
import * as tf from "../../src/engine/tf.js";
import { disposeTargets } from "../../src/losses/targets.js";
import { patchBatches } from "../../src/model/vision/patches.js";
import { cachedGradients } from "../../src/train/gradientCache.js";
import { RankShare } from "../../src/train/rankShare.js";
import { lossHead } from "../../src/train/step.js";
import {
  CROPS,
  goldenModel,
  goldenPixels,
  goldenTargets,
  trainedNames,
  withoutKeyBias,
} from "../support/goldenStep.js";
import { relativeError } from "../support/tensors.js";

const RANKS = 3;

/** Ranks of one process: each waits in a sum until all of them are there. */
function ranksOfOneProcess(size: number): Group[] {
  const waiting: { readonly x: tf.Tensor; readonly resolve: (sum: tf.Tensor) => void }[] = [];
  const sum = <T extends tf.Tensor>(x: T): Promise<T> =>
    new Promise((resolve) => {
      waiting.push({ x, resolve: resolve as (sum: tf.Tensor) => void }); // of its own type
      if (waiting.length < size) return;
      const all = waiting.splice(0);
      for (const one of all) one.resolve(tf.addN(all.map((other) => other.x)));
    });
  const sumAll = async (tensors: readonly tf.Tensor[]) => {
    const sums: tf.Tensor[] = [];
    for (const tensor of tensors) sums.push(await sum(tensor));
    return sums;
  };
  const unused = () => Promise.reject(new Error("not used by a step"));
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    seconds: 0,
    sum,
    sumAll,
    alongside: unused,
    gatherJson: unused,
    broadcast: unused,
  }));
}

/** Gradients and measures of the golden step by one rank of several, or by one that is alone. */
async function stepOf(group: Group | null, { signal = { aborted: false }, microBatch = CROPS } = {}) {
  const model = await goldenModel();
  const targets = goldenTargets(model);
  const share = group === null ? null : new RankShare(group, signal);
  const { start, end } = share?.rangeOf(CROPS) ?? { start: 0, end: CROPS };
  const { cropSize } = model;
  const pixels = goldenPixels().subarray(start * cropSize, end * cropSize);
  const crops = patchBatches(pixels, model.architecture.vision, { size: microBatch });
  const towers = {
    model,
    trained: trainedNames(model),
    logitScale: model.logitScale(),
    share: share && { of: share, range: { first: start, crops: CROPS } },
  };
  const weights = tf.tensor1d([0.5, 1, 2]);
  const head = lossHead(towers, targets, { values: {}, gradients: "ignored" }, weights);
  const { measured, gradients } = await cachedGradients(towers, crops, head);
  const values = new Map([...gradients].map(([name, gradient]) => [name, Float32Array.from(gradient.dataSync())]));
  const measures = [...measured.dataSync()];
  disposeTargets(targets);
  tf.dispose([weights, measured, ...gradients.values(), ...crops.map(({ patches }) => patches)]);
  model.dispose();
  return { values, measures, isStopping: share?.isStopping ?? false };
}

function bytesOf(step: Awaited<ReturnType<typeof stepOf>> | undefined, name: string): Buffer {
  return Buffer.from(step?.values.get(name)?.buffer ?? new ArrayBuffer(0));
}

describe("a step that several ranks share", () => {
  let alone: Awaited<ReturnType<typeof stepOf>>;
  beforeAll(async () => {
    alone = await stepOf(null);
  });

  it.each([CROPS, 2])("has the gradients and losses of the whole batch, in micro-batches of %i", async (microBatch) => {
    const ranks = await Promise.all(ranksOfOneProcess(RANKS).map((group) => stepOf(group, { microBatch })));
    for (const { values, measures } of ranks) {
      expect(relativeError(measures, alone.measures)).toBeLessThan(1e-6);
      expect([...values.keys()].sort()).toEqual([...alone.values.keys()].sort());
      const [found, wanted] = [values, alone.values].map((gradients) =>
        [...gradients].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([name, all]) => [...withoutKeyBias(name, all)]),
      );
      expect(relativeError(found ?? [], wanted ?? [])).toBeLessThan(1e-6);
    }
  });

  it("leaves every rank with the same bits", async () => {
    const [first, ...others] = await Promise.all(ranksOfOneProcess(RANKS).map((group) => stepOf(group)));
    for (const { values, measures } of others) {
      expect(measures).toEqual(first?.measures);
      const isOther = [...values].filter(([name, all]) => !Buffer.from(all.buffer).equals(bytesOf(first, name)));
      expect(isOther.map(([name]) => name)).toEqual([]);
    }
  });

  it("tells every rank in the same step that one was asked to stop", async () => {
    const groups = ranksOfOneProcess(2);
    const ranks = await Promise.all(groups.map((group, rank) => stepOf(group, { signal: { aborted: rank === 1 } })));
    expect(ranks.map(({ isStopping }) => isStopping)).toEqual([true, true]);
    expect(alone.isStopping).toBe(false);
  });

  it("keeps no tensor", async () => {
    const before = tf.memory().numTensors;
    await Promise.all(ranksOfOneProcess(2).map((group) => stepOf(group)));
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("RankShare", () => {
  it("shares a list out in the order of ranks, the parts alike", () => {
    const ranges = ranksOfOneProcess(3).map((group) => new RankShare(group, { aborted: false }).rangeOf(11));
    expect(ranges).toEqual([
      { start: 0, end: 3 },
      { start: 3, end: 7 },
      { start: 7, end: 11 },
    ]);
  });
});
