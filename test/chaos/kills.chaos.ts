import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { disturbedRun, remainsOf, startLiqe, toyConfig } from "../support/disturbed.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";

const TIMES = 25;

/** Long enough that it is not over before the last signal, and a checkpoint at every second step. */
const TRAIN = ", epochs: 4, stepsPerEpoch: 60, saveEverySteps: 2, keepEverySteps: 75";

let config = "";
let undisturbed: ReturnType<typeof remainsOf> = {};

beforeAll(async () => {
  config = toyConfig(await toyDatabase(), await toyWeights(), { train: TRAIN });
  const run = join(temporaryFolder(), "run");
  expect(await startLiqe(["train", "--config", config, "--out", run]).ended).toMatchObject({ code: 0 });
  undisturbed = remainsOf(run);
});

describe("a run that is ended 25 times at random moments", () => {
  it("by SIGKILL, while starting, computing and saving, leaves what the undisturbed one leaves", async () => {
    const run = join(temporaryFolder(), "run");
    const { endings, duringSave, last } = await disturbedRun(config, run, { signal: "SIGKILL", times: TIMES, seed: 1 });
    expect(endings.map(({ signal }) => signal)).toEqual(Array(TIMES).fill("SIGKILL")); // none was over before
    expect(duringSave).toBeGreaterThan(0);
    expect(last).toMatchObject({ code: 0 });
    expect(remainsOf(run)).toEqual(undisturbed);
  });

  it("by SIGTERM, ends with 143 each time and leaves the same", async () => {
    const run = join(temporaryFolder(), "run");
    const { endings, last } = await disturbedRun(config, run, { signal: "SIGTERM", times: TIMES, seed: 2 });
    // Before it listens, while it loads its modules, the signal has its usual effect; nothing is written then.
    const codes = endings.map(({ code, signal }) => (signal === "SIGTERM" ? 143 : code));
    expect(codes).toEqual(Array(TIMES).fill(143));
    expect(endings.filter(({ messages }) => messages.includes("stopped and saved")).length).toBeGreaterThan(5);
    expect(last).toMatchObject({ code: 0 });
    expect(remainsOf(run)).toEqual(undisturbed);
  });
});
