import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { toyConfig } from "../support/disturbed.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";
import { IS_BUILT } from "./liqe.js";

const PROGRAM = join(PACKAGE_ROOT, "bin", "liqe.js");
const config = IS_BUILT
  ? toyConfig(await toyDatabase(), await toyWeights(), { train: ", epochs: 1, stepsPerEpoch: 2" })
  : "";
const newRun = () => join(temporaryFolder(), "run");
const env = { ...process.env, NO_COLOR: "1", LIQE_DEBUG: "0" };
const isFinished = (run: string) => existsSync(join(run, "split-1", "results.json"));

describe.skipIf(!IS_BUILT)("liqe, when nobody reads it", () => {
  it("trains to the end though whoever read the notices is gone", async () => {
    const run = newRun();
    const child = spawn(process.execPath, [PROGRAM, "train", "--config", config, "--out", run], {
      stdio: ["ignore", "ignore", "pipe"],
      env,
    });
    child.stderr.once("data", () => child.stderr.destroy());
    expect(await new Promise((resolve) => child.on("exit", resolve))).toBe(0);
    expect(isFinished(run)).toBe(true);
  });

  it.runIf(existsSync("/dev/full"))("trains to the end though there is no room for its notices", () => {
    const run = newRun();
    const command = [process.execPath, PROGRAM, "train", "--config", config, "--out", run];
    expect(spawnSync("bash", ["-c", '"$@" 2>/dev/full', "bash", ...command], { env }).status).toBe(0);
    expect(isFinished(run)).toBe(true);
  });

  it.runIf(existsSync("/dev/full"))("says in one line that there is no room for its results, and ends with 6", () => {
    const command = [process.execPath, PROGRAM, "--help"];
    const { status, stderr } = spawnSync("bash", ["-c", '"$@" >/dev/full', "bash", ...command], {
      env,
      encoding: "utf8",
    });
    expect(stderr).toMatch(/^standard output: ENOSPC: .*\n$/);
    expect(status).toBe(6);
  });
});
