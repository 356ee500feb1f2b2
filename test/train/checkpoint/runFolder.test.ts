import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  CHECKPOINT_FILES,
  holdsCheckpoint,
  RUN_FILES,
  splitFolder,
  splitOf,
  splitsOf,
} from "../../../src/train/checkpoint/runFolder.js";
import { temporaryFolder } from "../../support/runs.js";

describe("the names in a run's folder", () => {
  it("are those that users' scripts and older runs have", () => {
    expect(Object.values(RUN_FILES)).toEqual([
      ...["config.yaml", "train.log", "metrics.jsonl", "results.csv", "batch-0.jpg", "labels.svg", "teacher.jsonl"],
      ...["tensorboard", "mlflow.json", "last", "previous", "damaged", "best", "best-average", "diagnosis.json"],
      ...["results.json", "predictions.csv", "report.html", "features", "evaluations", "splits.json"],
    ]);
    expect(Object.values(CHECKPOINT_FILES)).toEqual([
      ...["model.safetensors", "adapter.safetensors", "adapter_config.json", "prompts.safetensors"],
      ...["raw.safetensors", "optimizer.safetensors", "state.json", "seen.json", "manifest.json"],
    ]);
  });
});

describe("splitOf", () => {
  it("is the number of a split's folder, and null for any other", () => {
    const names = ["split-1", "split-10", "split-0", "split-01", "split-", "split-1b", "a-split-1", "split--1"];
    expect(names.map((name) => splitOf(join("/runs", name)))).toEqual([1, 10, null, null, null, null, null, null]);
    expect(splitOf(splitFolder("/runs/a", 7))).toBe(7);
    expect(splitFolder("/runs/a", 7)).toBe(join("/runs/a", "split-7"));
  });
});

describe("splitsOf", () => {
  it("is in the order of the numbers, and empty where there is no folder", async () => {
    const run = temporaryFolder();
    for (const name of ["split-10", "split-9", "split-1", "features", "split-x"]) mkdirSync(join(run, name));
    expect(await splitsOf(run)).toEqual([1, 9, 10]);
    expect(await splitsOf(join(run, "none"))).toEqual([]);
  });
});

describe("holdsCheckpoint", () => {
  it("is true from the manifest on, which is written last", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "state.json"), "{}");
    expect(holdsCheckpoint(folder)).toBe(false);
    writeFileSync(join(folder, "manifest.json"), "{}");
    expect(holdsCheckpoint(folder)).toBe(true);
  });
});
