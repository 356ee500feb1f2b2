import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/api/config.js";
import { packageVersion } from "../../src/base/packageInfo.js";
import { SILENT } from "../../src/base/types.js";
import { cropsPerStep, imagesPerStep, type RunPlan } from "../../src/train/plan.js";
import type { RankShare } from "../../src/train/rankShare.js";
import { resolvePlan } from "../../src/train/run.js";
import { TOY_ARCHITECTURE } from "../support/runs.js";

const TEXT = `
run: toys
model: { preset: vit-tiny, weights: none }
data: { root: /data, databases: [{ name: toys, imagesPerStep: 4 }] }
prompts: { template: "{quality}" }
`;
const config = parseConfig(TEXT, "toys.yaml", ["train.cropsPerImage=3"]);
const databases = [{ imagesPerStep: 4 }, { imagesPerStep: 7 }] as unknown as RunPlan["databases"]; // all that is counted

describe("the size of a step", () => {
  it("is its databases' images and the versions of those that are distorted anew, times their crops", () => {
    const run = { databases, config };
    expect([imagesPerStep(run), cropsPerStep(run)]).toEqual([11, 33]);
    const augment = { ...config.augment, contents: 2, versions: 5 };
    const distorting = { databases, config: { ...config, augment } };
    expect([imagesPerStep(distorting), cropsPerStep(distorting)]).toEqual([21, 63]);
  });
});

describe("resolvePlan", () => {
  const job = { folder: "/run/split-2", split: 2, config, databases, architecture: TOY_ARCHITECTURE, tokenizer: null };
  const ports = { reporter: SILENT, now: () => 0 } as unknown as Parameters<typeof resolvePlan>[2]; // passed on as they are
  const machine = { engine: { backend: "native", threads: 6 }, peakFlopsPerSecond: 1e9, memoryBytes: 8e9 };

  it("writes down what auto came to on this machine, and keeps the config for what it says", () => {
    const plan = resolvePlan(job, machine, ports);
    const chosen = { memoryBudgetGB: 4, microBatch: 33, recompute: "never" };
    expect(plan.config.train).toEqual({ ...config.train, ...chosen });
    expect(plan.config.engine.threads).toBe("auto");
    expect(plan.record).toEqual({
      ...config,
      train: { ...config.train, ...chosen },
      engine: { ...config.engine, threads: 6 },
    });
    expect(plan).toMatchObject({
      ...{ folder: "/run/split-2", split: 2, tokenizer: null, peakFlopsPerSecond: 1e9, share: null },
      ...{ engine: { backend: "native", threads: 6 }, packageVersion: packageVersion(), reporter: SILENT },
    });
    expect([plan.labels.qualities.length, plan.databases, plan.architecture]).toEqual([5, databases, TOY_ARCHITECTURE]);
  });

  it("writes no number of threads down for engines that have none, or over one that was given", () => {
    const wasm = { ...machine, engine: { backend: "wasm", threads: 1 } };
    expect(resolvePlan(job, wasm, ports).record["engine"]).toEqual(config.engine);
    const given = { ...config, engine: { ...config.engine, threads: 3 } };
    expect(resolvePlan({ ...job, config: given }, machine, ports).record["engine"]).toEqual(given.engine);
  });

  it("takes a process's part of the crops, rounded up, where several train together", () => {
    const share = { group: { size: 2 } } as unknown as RankShare; // all that is read of it
    expect(resolvePlan(job, machine, { ...ports, share })).toMatchObject({
      config: { train: { microBatch: 17 } },
      share,
    });
  });
});
