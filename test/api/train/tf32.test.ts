import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { evaluate } from "../../../src/api/evaluate/evaluate.js";
import { train } from "../../../src/api/train/train.js";
import { ConfigError, EngineError } from "../../../src/base/errors.js";
import { findInstalledEngine } from "../../../src/engine/install/installed.js";
import { toyConfig } from "../../support/disturbed.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../../support/runs.js";

const weights = await toyWeights();
const config = toyConfig(await toyDatabase(), weights, {});
const set = ["engine.tf32=true"];

describe("engine.tf32", () => {
  // This process computes without: an engine that is asked for it refuses, so that the refusal shows the asking
  it.skipIf(!findInstalledEngine().ok)("reaches the engine that trains and the one that evaluates", async () => {
    const out = join(temporaryFolder(), "run");
    const asked = "startEngine: tf32 is true, but this process computes with false already";
    const training = train(config, { set, out });
    await expect(training).rejects.toThrow(EngineError);
    await expect(training).rejects.toThrow(asked);
    expect(existsSync(out)).toBe(false);
    await expect(evaluate(weights, { config, set })).rejects.toThrow(asked);
  });

  it("stays what it is on resume: another value is refused, as it changes what is computed", async () => {
    const run = temporaryFolder();
    mkdirSync(join(run, "split-1"));
    copyFileSync(config, join(run, "split-1", "config.yaml"));
    const resumed = train({ resume: run }, { set });
    await expect(resumed).rejects.toThrow(ConfigError);
    await expect(resumed).rejects.toThrow(
      /^--set engine\.tf32=true: a run that is taken up again keeps its config, but for (?!.*tf32)/,
    );
  });
});
