import { describe, expect, it } from "vitest";
import { DataError, StalledReadError } from "../../../src/base/errors.js";
import type { Candidate } from "../../../src/data/loader/fillBatch.js";
import { fillBatch } from "../../../src/data/loader/fillBatch.js";
import type { Sample } from "../../../src/data/sample.js";

const LIST = Array.from({ length: 8 }, (_, i): Sample => {
  const label = { mos: i, mosStd: null, distortion: null, scenes: [] };
  return { database: "a", image: `${i}`, file: `/a/${i}`, folder: "/a", list: "l", line: i + 1, ...label };
});
const chosen = (...images: number[]): Candidate[] =>
  LIST.filter((_, i) => images.includes(i)).map((sample) => ({ sample, train: LIST }));
const PLACE = { seed: 1, epoch: 0, step: 0 };

/** Fills from files of which some cannot be read; each takes its time, so that order of arrival differs from places. */
function filler(bad: readonly string[]) {
  const filled = new Map<number, string>();
  const fill = async ({ file }: Sample, index: number) => {
    await new Promise((resolve) => setTimeout(resolve, (7 * index) % 3));
    if (bad.includes(file)) throw new DataError(`${file}: cannot be decoded`);
    filled.set(index, file);
  };
  return { fill, filled };
}

describe("fillBatch", () => {
  it("takes what the step asks for where all of it can be read", async () => {
    const { fill, filled } = filler([]);
    const { samples, unreadable } = await fillBatch(chosen(1, 4, 6), PLACE, "replace", fill);
    expect([...filled.values()]).toHaveLength(3);
    expect([samples.map(({ image }) => image), unreadable]).toEqual([["1", "4", "6"], []]);
  });

  it("stops at an unreadable image by default, naming it", async () => {
    const { fill } = filler(["/a/4"]);
    await expect(fillBatch(chosen(1, 4), PLACE, "stop", fill)).rejects.toThrow("/a/4: cannot be decoded");
  });

  it("gives its place to the next readable image that the step does not hold, and names every file that failed", async () => {
    // Drawn for image 4 of this step: position 5 and on, of which 5 cannot be read and 6 is in the step already.
    const first = await fillBatch(chosen(4), PLACE, "replace", filler(["/a/4"]).fill);
    const start = Number(first.samples[0]?.image);
    const next = (i: number) => (start + i) % 8;
    const inStep = next(1);
    const { fill, filled } = filler(["/a/4", `/a/${start}`]);
    const asked = [4, inStep].toSorted();
    const { samples, unreadable } = await fillBatch(chosen(...asked), PLACE, "replace", fill);
    const expected = [2, 3].map(next).find((i) => i !== 4);
    expect(samples.map(({ image }) => Number(image))).toEqual(asked.map((i) => (i === 4 ? expected : i)));
    expect(filled.get(asked.indexOf(4))).toBe(`/a/${expected ?? NaN}`);
    expect(unreadable).toEqual(["/a/4", `/a/${start}`].map((file) => ({ file, reason: `${file}: cannot be decoded` })));
  });

  it("is the same whenever it is asked, other in other steps, and never holds an image twice", async () => {
    const bad = ["/a/0", "/a/3", "/a/5"];
    const drawn = (step: number) => fillBatch(chosen(0, 3, 5, 6), { ...PLACE, step }, "replace", filler(bad).fill);
    const names = new Set<string>();
    for (let step = 0; step < 10; step++) {
      const { samples } = await drawn(step);
      expect((await drawn(step)).samples).toEqual(samples);
      expect(new Set(samples).size).toBe(4);
      names.add(samples.map(({ image }) => image).join());
    }
    expect(names.size).toBeGreaterThan(1);
  });

  it("says so where no readable image is left", async () => {
    const { fill } = filler(LIST.slice(2).map(({ file }) => file));
    const refused = fillBatch(chosen(0, 1, 2), PLACE, "replace", fill);
    await expect(refused).rejects.toThrow("/a/2: cannot be decoded; and no other image of a that can be read is left");
  });

  it("replaces no image that does not come: nothing says that it is bad", async () => {
    const stalled = () => Promise.reject(new StalledReadError("/a/1: no answer", ["/a/1"]));
    await expect(fillBatch(chosen(1), PLACE, "replace", stalled)).rejects.toThrow(StalledReadError);
  });
});
