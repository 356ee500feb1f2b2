import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { remainsOf, startLiqe, toyConfig } from "../support/disturbed.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";
import { compileFaults, faultyEnvironment } from "./faulty.js";

const library = compileFaults();
const DAY = 86_400; // seconds
const TIMES = 4;

describe.skipIf(library === null)("a run whose clock jumps every second by up to 30 days, back and forth", () => {
  it("trains, is killed and taken up again, refuses a second trainer, and ends as the undisturbed run", async () => {
    if (library === null) return;
    const train = ", epochs: 2, stepsPerEpoch: 60, saveEverySteps: 2";
    const config = toyConfig(await toyDatabase(), await toyWeights(), { train });
    const [run, whole] = [join(temporaryFolder(), "run"), join(temporaryFolder(), "whole")];
    expect(await startLiqe(["train", "--config", config, "--out", whole]).ended).toMatchObject({ code: 0 });
    const env = faultyEnvironment(library, { clockSeconds: 30 * DAY });
    const command = () =>
      existsSync(join(run, "split-1", "config.yaml"))
        ? ["train", "--resume", run]
        : ["train", "--config", config, "--out", run];
    for (let i = 0; i < TIMES; i++) {
      const { child, ended } = startLiqe(command(), env);
      while (!existsSync(join(run, "split-1", "last")) && child.exitCode === null) await setTimeout(10);
      await setTimeout(1500);
      const second = await startLiqe(["train", "--resume", run], env).ended;
      child.kill("SIGKILL");
      expect(await ended).toMatchObject({ signal: "SIGKILL" });
      expect(second).toMatchObject({ code: 2 });
    }
    expect(await startLiqe(command(), env).ended).toMatchObject({ code: 0 });
    expect(remainsOf(run)).toEqual(remainsOf(whole));
  });
});
