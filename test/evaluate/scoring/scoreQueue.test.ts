import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import type { ConcurrentScorer, ScoredImage } from "../../../src/evaluate/scoring/scoreImages.js";
import { ScoreQueue } from "../../../src/evaluate/scoring/scoreQueue.js";
import { cropBytes } from "../../../src/model/preprocess/crops.js";
import type { Image } from "../../../src/model/preprocess/image.js";

const WINDOW = 32;
const LABELS = ["bad", "good"];

/** Scorer whose second logit is the mean of a window's bytes; it counts batches, and computes when it is told to. */
function countingScorer(fails = false) {
  const batches: number[] = [];
  const pending: (() => void)[] = [];
  const scorer: ConcurrentScorer = {
    axes: [{ axis: "quality", labels: LABELS }],
    window: WINDOW,
    atOnce: 2,
    logitsLater: async (pixels) => {
      const bytes = cropBytes(WINDOW);
      batches.push(pixels.length / bytes);
      const logits = Float32Array.from({ length: (2 * pixels.length) / bytes }, (_, i) => {
        const own = pixels.subarray(Math.floor(i / 2) * bytes, (Math.floor(i / 2) + 1) * bytes);
        return i % 2 === 0 ? 0 : own.reduce((sum, byte) => sum + byte, 0) / bytes / 100;
      });
      await new Promise<void>((resolve) => pending.push(resolve));
      if (fails) throw new Error("the engine failed");
      return logits;
    },
  };
  return { scorer, batches, pending };
}

function picture(seed: number): Image {
  const random = seededRandom(seed, "picture");
  return { rows: 64, cols: 64, pixels: Uint8Array.from({ length: 64 * 64 * 3 }, () => random.integer(256)) };
}

/** Turns of the event loop, in which the queue does what it can without an answer of the engine. */
async function idle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function finish(pending: (() => void)[]): Promise<void> {
  while (pending.length > 0) {
    pending.shift()?.();
    await idle();
  }
}

function qualityOf(scored: ScoredImage | undefined): number {
  return scored?.ok === true ? scored.posterior.quality : NaN;
}

describe("ScoreQueue", () => {
  const options = { crops: 4, microBatch: 8 };

  it("computes the first image at once, and those that come meanwhile in full batches", async () => {
    const { scorer, batches, pending } = countingScorer();
    const queue = new ScoreQueue(scorer, options);
    const scores = [queue.score("0", picture(0))];
    await idle();
    expect(batches).toEqual([4]);
    for (let i = 1; i < 6; i++) scores.push(queue.score(String(i), picture(i)));
    await idle();
    expect(batches).toEqual([4, 8]); // two under way, and 12 windows wait
    await finish(pending);
    expect(batches).toEqual([4, 8, 8, 4]);
    expect((await Promise.all(scores)).map(({ file }) => file)).toEqual(["0", "1", "2", "3", "4", "5"]);
  });

  it("gives each image the score that it has alone", async () => {
    const alone = await Promise.all(
      [0, 1, 2, 3, 4].map(async (i) => {
        const { scorer, pending } = countingScorer();
        const score = new ScoreQueue(scorer, options).score("alone", picture(i));
        await idle();
        await finish(pending);
        return qualityOf(await score);
      }),
    );
    const { scorer, pending } = countingScorer();
    const queue = new ScoreQueue(scorer, { crops: 4, microBatch: 6 });
    const together = [0, 1, 2, 3, 4].map((i) => queue.score(String(i), picture(i)));
    await idle();
    await finish(pending);
    expect((await Promise.all(together)).map(qualityOf)).toEqual(alone);
    expect(new Set(alone).size).toBe(5);
  });

  it("tells every caller of an error of the engine, and scores what comes after", async () => {
    const failing = countingScorer(true);
    const working = countingScorer();
    const calls = [failing.scorer, failing.scorer, working.scorer];
    const scorer: ConcurrentScorer = {
      ...working.scorer,
      logitsLater: (pixels) => (calls.shift() ?? working.scorer).logitsLater(pixels),
    };
    const queue = new ScoreQueue(scorer, options);
    const scores = [0, 1, 2, 3, 4].map((i) => queue.score(String(i), picture(i)));
    const outcomes = Promise.allSettled(scores);
    await idle();
    await finish(failing.pending);
    expect((await outcomes).map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => "rejected"));
    const later = queue.score("later", picture(9));
    await idle();
    await finish(working.pending);
    expect(qualityOf(await later)).toBeGreaterThan(1);
  });
});
