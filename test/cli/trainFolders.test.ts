import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { loadCheckpoint } from "../../src/train/checkpoint/checkpoint.js";
import { startLiqe, toyConfig } from "../support/disturbed.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

const weights = await toyWeights();
const root = await toyDatabase();
const SHORT = ", epochs: 1, stepsPerEpoch: 2";
const newRun = () => join(temporaryFolder(), "run");

/** A run of two steps that is trained and evaluated. */
function finishedRun(file: string, ...more: string[]): string {
  const run = newRun();
  expect(liqe(["train", "--config", file, "--out", run, ...more]).exitCode).toBe(0);
  return run;
}

/** Every file of a folder, with its contents. */
function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name), "latin1")]));
}

describe.skipIf(!IS_BUILT)("liqe train in a folder that another process trains in", () => {
  it("is refused with 2, and the run goes on undisturbed", async () => {
    const run = newRun();
    const file = toyConfig(root, weights, { train: ", epochs: 1, stepsPerEpoch: 5000" });
    const { child, ended } = startLiqe(["train", "--config", file, "--out", run]);
    const metrics = join(run, "split-1", "metrics.jsonl");
    const isLogged = () => existsSync(metrics) && statSync(metrics).size > 0;
    while (!isLogged() && child.exitCode === null) await setTimeout(10);
    for (const command of [
      ["--resume", run],
      ["--config", file, "--out", run, "--split", "1-2"],
    ]) {
      const { exitCode, messages } = liqe(["train", ...command]);
      expect(exitCode).toBe(2);
      const told = `${run}/split-1: process ${child.pid ?? NaN} is at work on it; wait for it, or stop it. `;
      expect(messages).toContain(`${told}Give another run another folder (--out)\n`);
    }
    child.kill("SIGTERM");
    expect((await ended).code).toBe(143);
    expect(existsSync(join(run, "split-2"))).toBe(false);
    expect(readdirSync(join(run, "split-1")).filter((name) => name.startsWith("."))).toEqual([]);
    const { state } = await loadCheckpoint(join(run, "split-1", "last"));
    const steps = readFileSync(metrics, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { step: number }).step);
    expect(steps).toEqual(Array.from({ length: state.optimizerSteps }, (_, i) => i));
  });
});

describe.skipIf(!IS_BUILT)("liqe train where no folder can be", () => {
  it("says so before it looks at any data", () => {
    const file = toyConfig(join(root, "not looked at"), weights, { train: SHORT });
    const { exitCode, messages } = liqe(["train", "--config", file, "--out", join(weights, "run")]);
    expect(exitCode).toBe(2);
    expect(messages).toBe(
      `${weights}/run/split-1: cannot be the run's folder: ${weights} is a file; give another one (--out)\n`,
    );
  });
});

describe.skipIf(!IS_BUILT)("liqe train where only a checkpoint was copied to", () => {
  const file = toyConfig(root, weights, { train: SHORT });
  const copy = newRun();

  it("neither begins anew nor goes on with another config, and touches nothing", () => {
    cpSync(join(finishedRun(file), "split-1", "last"), join(copy, "split-1", "last"), { recursive: true });
    const before = contents(copy);
    const other = liqe(["train", "--config", file, "--out", copy, "--set", "seed=9"]);
    expect([other.exitCode, other.output]).toEqual([2, ""]);
    expect(other.messages).toContain("holds a run with another config (its last/state.json); nothing was touched");
    const same = liqe(["train", "--config", file, "--out", copy]);
    expect(same.exitCode).toBe(2);
    expect(same.messages).toContain(`go on with: liqe train --resume ${copy}/split-1`);
    const inside = liqe(["train", "--resume", join(copy, "split-1", "last")]);
    expect(inside.exitCode).toBe(2);
    expect(inside.messages).toContain(`is a checkpoint; name the split that it is part of, ${copy}/split-1`);
    expect(contents(copy)).toEqual(before);
  });

  it("goes by the checkpoint's copy with --resume", () => {
    const resumed = liqe(["train", "--resume", copy, "--set", "train.epochs=2"]);
    expect(resumed.messages).toContain("has no config.yaml; going by the copy in last/state.json");
    expect([resumed.exitCode, resumed.output.startsWith("database ")]).toEqual([0, true]);
    expect(readFileSync(join(copy, "split-1", "config.yaml"), "utf8")).toContain("epochs: 2");
  });
});

describe.skipIf(!IS_BUILT)("liqe train --resume", () => {
  it("tests on the database's new place where it moved after the best checkpoint was saved", () => {
    const before = temporaryFolder();
    cpSync(root, before, { recursive: true });
    const run = finishedRun(toyConfig(before, weights, { train: SHORT }));
    rmSync(join(run, "split-1", "results.json")); // as if it had been stopped before it was tested
    const after = `${before}-moved`;
    renameSync(before, after);
    const lost = liqe(["train", "--resume", run]);
    expect(lost.exitCode).toBe(3);
    expect(lost.messages).toContain(`there is no folder ${before}/toys`);
    const { exitCode, output } = liqe(["train", "--resume", run, "--set", `data.root=${after}`]);
    expect([exitCode, output.startsWith("database ")]).toEqual([0, true]);
  });

  it("keeps the threads that `auto` came to in the run's config", async () => {
    const run = finishedRun(toyConfig(root, weights, { train: SHORT }), "--threads", "1");
    const { state } = await loadCheckpoint(join(run, "split-1", "last"));
    const expected = state.engine.backend === "native" ? 1 : "auto"; // WebAssembly has no threads to choose
    expect(state.config).toMatchObject({ engine: { threads: expected } });
    const again = liqe(["train", "--resume", run, "--set", "train.epochs=2"]);
    expect(again.exitCode).toBe(0);
    expect(again.messages).not.toContain("last bits may differ");
  });
});

describe.skipIf(!IS_BUILT)("liqe train on labels that are missing", () => {
  it("counts the images that leave a task out, and trains on the others", () => {
    const own = temporaryFolder();
    cpSync(root, own, { recursive: true });
    const list = join(own, "toys", "splits2", "1", "toys_train_clip.txt");
    writeFileSync(list, readFileSync(list, "utf8").replaceAll("white noise", "invalid"));
    const { exitCode, messages } = liqe([
      "train",
      "--config",
      toyConfig(own, weights, { train: SHORT }),
      "--out",
      newRun(),
    ]);
    expect(messages).toContain("toys: 6 of 12 training images have no distortion label and leave that task out");
    expect(exitCode).toBe(0);
  });
});
