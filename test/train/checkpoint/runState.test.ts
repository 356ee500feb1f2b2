import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../src/api/config.js";
import { ConfigError } from "../../../src/base/errors.js";
import { isSameConfig } from "../../../src/api/train/jobs.js";
import { runState } from "../../../src/train/checkpoint/runState.js";
import { temporaryFolder } from "../../support/runs.js";

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

  /** A folder with checkpoints as far as they are looked at here; a state of null is one that cannot be read. */
  function checkpoints(states: Readonly<Record<string, object | null>>): string {
    const folder = temporaryFolder();
    for (const [name, state] of Object.entries(states)) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "manifest.json"), "{}");
      writeFileSync(join(folder, name, "state.json"), state === null ? '{"half' : JSON.stringify(state));
    }
    return folder;
  }

  it.each([
    {
      states: { last: { config: { run: "a" } }, best: { config: { run: "b" } } },
      from: "last",
      run: "a",
      goesOn: true,
    },
    { states: { last: null, previous: { config: { run: "a" } } }, from: "previous", run: "a", goesOn: true },
    { states: { best: { config: { run: "b" } } }, from: "best", run: "b", goesOn: false },
  ])("takes the copy in `$from` for a config that was left behind", ({ states, from, run, goesOn }) => {
    const folder = checkpoints(states);
    const configFile = join(folder, from, "state.json");
    expect(runState(folder)).toMatchObject({ kind: "known", config: { run }, configFile, hasCheckpoint: goesOn });
  });

  it("counts results that are newer than the last checkpoint alone", () => {
    const folder = checkpoints({ last: { config: {}, progress: { finished: true } } });
    expect(runState(folder)).toMatchObject({ isTrained: true, isFinished: false });
    writeFileSync(join(folder, "results.json"), "{}");
    expect(runState(folder)).toMatchObject({ isTrained: true, isFinished: true });
    utimesSync(join(folder, "results.json"), 1e9, 1e9); // as before the run was prolonged
    expect(runState(folder)).toMatchObject({ isTrained: true, isFinished: false });
  });

  it("does not take a folder with checkpoints for a new one, though nothing in it can be read", () => {
    const folder = checkpoints({ last: null });
    expect(() => runState(folder)).toThrow(
      new ConfigError(`${folder}: holds checkpoints, but no config.yaml, and none of them can be read`),
    );
    expect(runState(temporaryFolder())).toEqual({ kind: "new" });
  });

  it("says in one line that a config is damaged", () => {
    const folder = checkpoints({ last: { config: {} } });
    writeFileSync(join(folder, "config.yaml"), "run: [toys\nseed: 1\n");
    expect(() => runState(folder)).toThrow(ConfigError);
    expect(() => runState(folder)).toThrow(/^[^\n]*config\.yaml: is damaged \(.+\); where it is moved away[^\n]*$/);
  });
});

describe("isSameConfig", () => {
  it("takes auto for whatever the run has chosen", () => {
    const saved = { ...config, train: { ...config.train, microBatch: 12, memoryBudgetGB: 6 } };
    expect(isSameConfig(config, saved)).toBe(true);
    const fixed = parseConfig(TEXT, "toys.yaml", ["train.microBatch=8"]);
    expect(isSameConfig(fixed, saved)).toBe(false);
  });

  it("takes a key that an older version did not write for its default", () => {
    const { patienceEpochs, ...older } = config.train;
    expect(patienceEpochs).toBeNull();
    expect(isSameConfig(config, { ...config, train: older })).toBe(true);
    const patient = parseConfig(TEXT, "toys.yaml", ["train.patienceEpochs=3"]);
    expect(isSameConfig(patient, { ...config, train: older })).toBe(false);
  });

  it("sees any other difference, however deep, and no difference of order", () => {
    const reversed = Object.fromEntries(Object.entries(config).reverse());
    expect(isSameConfig(config, reversed)).toBe(true);
    expect(isSameConfig(config, { ...config, losses: { ...config.losses, weighting: "equal" } })).toBe(false);
    expect(isSameConfig(config, { ...config, extra: 1 })).toBe(false);
  });
});
