import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { disturbedRun, remainsOf, startLiqe, toyConfig } from "../support/disturbed.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";
import { IS_BUILT } from "./liqe.js";

/** The short form of test/chaos/kills.chaos.ts (`npm run test:chaos`). */
describe.skipIf(!IS_BUILT)("a run that is ended at random moments", () => {
  it("by SIGKILL and SIGTERM leaves what the undisturbed one leaves, byte for byte", async () => {
    const train = ", epochs: 2, stepsPerEpoch: 12, saveEverySteps: 2, keepEverySteps: 9";
    const config = toyConfig(await toyDatabase(), await toyWeights(), { train });
    const whole = join(temporaryFolder(), "run");
    expect(await startLiqe(["train", "--config", config, "--out", whole]).ended).toMatchObject({ code: 0 });
    for (const [signal, times] of [
      ["SIGKILL", 3],
      ["SIGTERM", 1],
    ] as const) {
      const run = join(temporaryFolder(), "run");
      const { endings, last } = await disturbedRun(config, run, { signal, times, seed: 3 });
      expect(endings).toHaveLength(times);
      expect(last).toMatchObject({ code: 0 });
      expect(remainsOf(run)).toEqual(remainsOf(whole));
    }
  }, 180_000);
});
