import { describe, expect, it, vi } from "vitest";
import { createLimiter, mapConcurrent, withTimeout } from "../../src/base/concurrency.js";
import { createPixelCache } from "../../src/data/loader/imageReader.js";
import { mapImage } from "../data/images.js";

describe("createLane", () => {
  it("runs no more than its width at once, in the order of asking, and goes on after an error", async () => {
    const lane = createLimiter(2);
    const started: number[] = [];
    let running = 0;
    let most = 0;
    const work = (i: number) =>
      lane(async () => {
        started.push(i);
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        if (i === 1) throw new Error("one");
        return i;
      });
    const done = await Promise.allSettled([0, 1, 2, 3, 4].map(work));
    expect(most).toBe(2);
    expect(started).toEqual([0, 1, 2, 3, 4]);
    expect(done.map(({ status }) => status).filter((status) => status === "rejected")).toHaveLength(1);
  });
});

describe("mapParallel", () => {
  it("keeps the items' order", async () => {
    const slowFirst = (i: number) =>
      new Promise<number>((resolve) =>
        setTimeout(() => {
          resolve(i * 10);
        }, 5 - i),
      );
    expect(await mapConcurrent([0, 1, 2, 3], 3, slowFirst)).toEqual([0, 10, 20, 30]);
    expect(await mapConcurrent([], 3, slowFirst)).toEqual([]);
  });

  it("begins nothing after the first error", async () => {
    const begun: number[] = [];
    const task = async (i: number) => {
      begun.push(i);
      await new Promise((resolve) => setImmediate(resolve));
      if (i === 1) throw new Error("one");
    };
    await expect(mapConcurrent([0, 1, 2, 3, 4, 5, 6], 2, task)).rejects.toThrow("one");
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(begun).toEqual([0, 1, 2]); // the third was begun when the first ended, before the error
  });
});

describe("withWatchdog", () => {
  it("names a task that stalls, and hands on one that does not", async () => {
    vi.useFakeTimers();
    try {
      const stalled = withTimeout(new Promise<never>(() => undefined), 3, () => ["/net/a.png"]);
      const failure = expect(stalled).rejects.toThrow(
        "/net/a.png: no answer after 3 s (data.stallSeconds); does the disk",
      );
      await vi.advanceTimersByTimeAsync(3000);
      await failure;
      expect(await withTimeout(Promise.resolve(5), 3, () => [])).toBe(5);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it("does not count seconds in which the event loop was blocked", async () => {
    const task = new Promise<string>((resolve) =>
      setTimeout(() => {
        resolve("there");
      }, 1500),
    );
    const watched = withTimeout(task, 2, () => []);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const until = performance.now() + 2500; // a training step that holds the thread
    while (performance.now() < until);
    expect(await watched).toBe("there");
  });
});

describe("createPixelCache", () => {
  it("keeps what fits its budget and leaves the rest out", () => {
    const image = mapImage(10, 10); // 300 bytes
    const cache = createPixelCache(700);
    for (const file of ["a", "b", "c"]) cache.offer(file, image);
    expect(cache.get("a")).toBe(image);
    expect(cache.get("b")).toBe(image);
    expect(cache.get("c")).toBeUndefined();
    cache.clear();
    cache.offer("c", image);
    expect([cache.get("a"), cache.get("c")]).toEqual([undefined, image]);
  });
});
