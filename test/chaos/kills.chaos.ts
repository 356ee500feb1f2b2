import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.js";
import { disturbedRun, remainsOf, startLiqe, toyConfig } from "../support/disturbed.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";
import { KILLS, SEED } from "./settings.js";

/** Of one run. */
const TIMES = 25;
const RUNS = Math.ceil(KILLS / TIMES);

/** Long enough that it is not over before the last signal, and a checkpoint at every second step. */
const TRAIN = ", epochs: 4, stepsPerEpoch: 60, saveEverySteps: 2, keepEverySteps: 75";

let config = "";
let undisturbed: ReturnType<typeof remainsOf> = {};

const newRun = () => join(temporaryFolder(), "run");
const train = (run: string) => ["train", "--config", config, "--out", run];

beforeAll(async () => {
  config = toyConfig(await toyDatabase(), await toyWeights(), { train: TRAIN });
  const run = newRun();
  expect(await startLiqe(train(run)).ended).toMatchObject({ code: 0 });
  undisturbed = remainsOf(run);
});

describe(`a run that is disturbed at random moments (seed ${SEED})`, () => {
  it.each(Array.from({ length: RUNS }, (_, i) => i + 1))(
    `by ${TIMES} SIGKILLs while starting, computing and saving, run %i, leaves what the undisturbed one leaves`,
    async (i) => {
      const run = newRun();
      const seed = 1000 * SEED + i;
      const { endings, duringSave, last } = await disturbedRun(config, run, { signal: "SIGKILL", times: TIMES, seed });
      expect(endings.map(({ signal }) => signal)).toEqual(Array(TIMES).fill("SIGKILL")); // none was over before
      expect(duringSave).toBeGreaterThan(0);
      expect(last).toMatchObject({ code: 0 });
      expect(remainsOf(run)).toEqual(undisturbed);
    },
  );

  it("by SIGTERM, ends with 143 each time and leaves the same", async () => {
    const run = newRun();
    const { endings, last } = await disturbedRun(config, run, { signal: "SIGTERM", times: TIMES, seed: SEED });
    // Before it listens, while it loads its modules, the signal has its usual effect; nothing is written then.
    const codes = endings.map(({ code, signal }) => (signal === "SIGTERM" ? 143 : code));
    expect(codes).toEqual(Array(TIMES).fill(143));
    expect(endings.filter(({ messages }) => messages.includes("stopped and saved")).length).toBeGreaterThan(5);
    expect(last).toMatchObject({ code: 0 });
    expect(remainsOf(run)).toEqual(undisturbed);
  });

  it("by SIGSTOP, keeps its folder from a second trainer while it stands still, and goes on as if nothing was", async () => {
    const run = newRun();
    const random = seededRandom(SEED, "stops");
    const first = startLiqe(train(run));
    while (!existsSync(join(run, "split-1", "metrics.jsonl"))) await setTimeout(5);
    for (let i = 0; i < 5; i++) {
      await setTimeout(300 * random.uniform());
      first.child.kill("SIGSTOP");
      const second = await startLiqe(["train", "--resume", run]).ended;
      expect(second.code).toBe(2);
      expect(second.messages).toContain(`process ${String(first.child.pid)} is at work on it`);
      first.child.kill("SIGCONT");
    }
    expect(await first.ended).toMatchObject({ code: 0 });
    expect(remainsOf(run)).toEqual(undisturbed);
  });

  it("by a second trainer that starts at the same moment: one at most trains, and the run is the undisturbed one", async () => {
    for (let i = 0; i < 5; i++) {
      const run = newRun();
      const ends = await Promise.all([startLiqe(train(run)).ended, startLiqe(train(run)).ended]);
      const codes = ends.map(({ code }) => code).sort();
      expect([[0, 2], [2, 2]]).toContainEqual(codes); // prettier-ignore
      const left = existsSync(join(run, "split-1", "config.yaml")) ? ["train", "--resume", run] : train(run);
      expect(await startLiqe(left).ended).toMatchObject({ code: 0 });
      expect(remainsOf(run)).toEqual(undisturbed);
    }
  });
});
