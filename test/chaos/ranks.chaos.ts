import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.js";
import { remainsOf, toyConfig } from "../support/disturbed.js";
import { endingsOf, lossesOf, startRanks, weightsOf } from "../support/ranks.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";
import { relativeError } from "../support/tensors.js";
import { SEED } from "./settings.js";

const TIMES = 20;
/** Steps that a run makes between two kills, at most; it saves every second one. */
const MOST_STEPS = 6;
const TIMEOUT_SECONDS = 10;
const RANKS = 2;

let config = "";
const whole = join(temporaryFolder(), "run");

const ranksOf = (count: number, args: (rank: number) => readonly string[]) =>
  startRanks(count, (rank) => ["--cluster-timeout", String(TIMEOUT_SECONDS), ...args(rank)]);
const begun = (run: string) => () => ["--config", config, "--out", run];
const resumed = (run: string) => (rank: number) => (rank === 0 ? ["--resume", run] : []);

beforeAll(async () => {
  config = toyConfig(await toyDatabase(), await toyWeights(), {
    train: ", epochs: 4, stepsPerEpoch: 40, saveEverySteps: 2",
  });
  expect(await endingsOf(await ranksOf(RANKS, begun(whole)))).toMatchObject(Array(RANKS).fill({ code: 0 }));
});

/** Steps that a run has logged; none before it has a file for them. */
function stepsOf(run: string): number {
  return existsSync(join(run, "split-1", "metrics.jsonl")) ? lossesOf(run).length : 0;
}

/** Kills one of two ranks `steps` steps on; gives what the other one ended with, and in how many seconds. */
async function killed(run: string, { victim, steps }: { readonly victim: number; readonly steps: number }) {
  const before = stepsOf(run);
  const ranks = await ranksOf(RANKS, before === 0 ? begun(run) : resumed(run));
  const ended = endingsOf(ranks);
  // What stands behind the last checkpoint is dropped at first, and made again
  while (!/^(?:going on with|training) /m.test(ranks[0]?.messages() ?? "")) await setTimeout(5);
  const start = stepsOf(run);
  while (stepsOf(run) < start + steps) await setTimeout(5);
  ranks[victim]?.child.kill("SIGKILL");
  const killedAt = performance.now();
  const endings = await ended;
  return { endings, seconds: (performance.now() - killedAt) / 1000 };
}

describe(`a run of ${RANKS} processes of which one is killed at random steps (seed ${SEED})`, () => {
  const random = seededRandom(SEED, "ranks");
  const drawn = () => ({ victim: random.integer(RANKS), steps: 1 + random.integer(MOST_STEPS) });

  it(`${TIMES} times, ends with 75 at the other one, in time, and is taken up again to the undisturbed run`, async () => {
    const run = join(temporaryFolder(), "run");
    for (let i = 0; i < TIMES; i++) {
      const { victim, steps } = drawn();
      const { endings, seconds } = await killed(run, { victim, steps });
      expect(endings[victim]?.signal).toBe("SIGKILL");
      expect(endings[1 - victim]).toMatchObject({
        code: 75,
        messages: expect.stringContaining("start all ranks again") as string,
      });
      expect(seconds).toBeLessThan(2 * TIMEOUT_SECONDS);
    }
    expect(await endingsOf(await ranksOf(RANKS, resumed(run)))).toMatchObject(Array(RANKS).fill({ code: 0 }));
    expect(remainsOf(run)).toEqual(remainsOf(whole));
  });

  it.each([1, 3])("is taken up again by %i processes, to the same weights but for the order of sums", async (count) => {
    const run = join(temporaryFolder(), "run");
    await killed(run, { ...drawn(), steps: 5 });
    expect(await endingsOf(await ranksOf(count, resumed(run)))).toMatchObject(Array(count).fill({ code: 0 }));
    expect(relativeError(await weightsOf(run), await weightsOf(whole))).toBeLessThan(1e-3);
  });
});
