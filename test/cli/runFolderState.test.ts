import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/runs.js";
import { isSameConfig, runState } from "../../src/cli/runFolderState.js";
import { parseConfig } from "../../src/cli/config.js";

const TEXT = `
run: toys
model: { preset: vit-tiny, weights: none }
data: { root: /data, databases: [{ name: toys, imagesPerStep: 4 }] }
`;
const config = parseConfig(TEXT, "toys.yaml");

describe("runState", () => {
  it("does not fail on a `last` whose state cannot be read: loading it says what is wrong", () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "last"));
    writeFileSync(join(folder, "config.yaml"), "run: toys\n");
    for (const name of ["manifest.json", "state.json"]) writeFileSync(join(folder, "last", name), '{"half');
    expect(runState(folder)).toMatchObject({ kind: "known", hasCheckpoint: true, isTrained: false });
  });
});

describe("isSameConfig", () => {
  it("takes auto for whatever the run has chosen", () => {
    const saved = { ...config, train: { ...config.train, microBatch: 12, memoryBudgetGB: 6 } };
    expect(isSameConfig(config, saved)).toBe(true);
    const fixed = parseConfig(TEXT, "toys.yaml", ["train.microBatch=8"]);
    expect(isSameConfig(fixed, saved)).toBe(false);
  });

  it("sees any other difference, however deep, and no difference of order", () => {
    const reversed = Object.fromEntries(Object.entries(config).reverse());
    expect(isSameConfig(config, reversed)).toBe(true);
    expect(isSameConfig(config, { ...config, losses: { ...config.losses, weighting: "equal" } })).toBe(false);
    expect(isSameConfig(config, { ...config, extra: 1 })).toBe(false);
  });
});
