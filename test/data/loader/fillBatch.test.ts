import { describe, expect, it } from "vitest";
import { DataError, StalledReadError } from "../../../src/base/errors.js";
import { fillBatch } from "../../../src/data/loader/fillBatch.js";
import type { Sample } from "../../../src/data/sample.js";
import { CROP_BYTES } from "../../../src/model/preprocess/crops.js";
import { sized } from "../../../src/model/preprocess/image.js";

const LIST = Array.from({ length: 8 }, (_, i): Sample => {
  const label = { mos: i, mosStd: null, distortion: null, scenes: [] };
  return { database: "a", image: `${i}`, file: `/a/${i}`, folder: "/a", list: "l", line: i + 1, ...label };
});
const chosen = (...images: number[]): Parameters<typeof fillBatch>[0] => [
  {
    name: "a",
    mosSpan: 7,
    mosLowest: 0,
    shares: undefined,
    samples: LIST.filter((_, i) => images.includes(i)),
    train: LIST,
  },
];
const STEP = { seed: 1, epoch: 0, step: 0, cropsPerImage: 1, window: 224, augment: null };
const [REPLACE, STOP] = [{ ...STEP, onUnreadable: "replace" } as const, { ...STEP, onUnreadable: "stop" } as const];

/** Reads files of which some cannot be read; each takes its time, so that order of arrival differs from places. */
function readerOf(bad: readonly string[]): Parameters<typeof fillBatch>[1] {
  const read = async (file: string) => {
    const number = LIST.findIndex((sample) => sample.file === file);
    await new Promise((resolve) => setTimeout(resolve, (7 * number) % 3));
    if (bad.includes(file)) throw new DataError(`${file}: cannot be decoded`);
    return sized({ rows: 224, cols: 224, pixels: new Uint8Array(CROP_BYTES).fill(number + 1) });
  };
  return { read, release: () => undefined };
}
/** The file whose crop lies at each place. */
const filesIn = (pixels: Uint8Array) =>
  Array.from({ length: pixels.length / CROP_BYTES }, (_, i) => LIST[(pixels[i * CROP_BYTES] ?? 0) - 1]?.file);

describe("fillBatch", () => {
  it("takes what the step asks for where all of it can be read", async () => {
    const { samples, unreadable, pixels } = await fillBatch(chosen(1, 4, 6), readerOf([]), REPLACE);
    expect(filesIn(pixels)).toEqual(["/a/1", "/a/4", "/a/6"]);
    expect([samples.map(({ image }) => image), unreadable]).toEqual([["1", "4", "6"], []]);
  });

  it("stops at an unreadable image by default, naming it", async () => {
    await expect(fillBatch(chosen(1, 4), readerOf(["/a/4"]), STOP)).rejects.toThrow("/a/4: cannot be decoded");
  });

  it("gives its place to the next readable image that the step does not hold, and names every file that failed", async () => {
    // Drawn for image 4 of this step: position 5 and on, of which 5 cannot be read and 6 is in the step already.
    const first = await fillBatch(chosen(4), readerOf(["/a/4"]), REPLACE);
    const start = Number(first.samples[0]?.image);
    const next = (i: number) => (start + i) % 8;
    const inStep = next(1);
    const reader = readerOf(["/a/4", `/a/${start}`]);
    const asked = [4, inStep].toSorted();
    const { samples, unreadable, pixels } = await fillBatch(chosen(...asked), reader, REPLACE);
    const expected = [2, 3].map(next).find((i) => i !== 4);
    expect(samples.map(({ image }) => Number(image))).toEqual(asked.map((i) => (i === 4 ? expected : i)));
    expect(filesIn(pixels)[asked.indexOf(4)]).toBe(`/a/${expected ?? NaN}`);
    expect(unreadable).toEqual(["/a/4", `/a/${start}`].map((file) => ({ file, reason: `${file}: cannot be decoded` })));
  });

  it("is the same whenever it is asked, other in other steps, and never holds an image twice", async () => {
    const bad = ["/a/0", "/a/3", "/a/5"];
    const drawn = (step: number) => fillBatch(chosen(0, 3, 5, 6), readerOf(bad), { ...REPLACE, step });
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
    const reader = readerOf(LIST.slice(2).map(({ file }) => file));
    const refused = fillBatch(chosen(0, 1, 2), reader, REPLACE);
    await expect(refused).rejects.toThrow("/a/2: cannot be decoded; and no other image of a that can be read is left");
  });

  it("replaces no image that does not come: nothing says that it is bad", async () => {
    const read = () => Promise.reject(new StalledReadError("/a/1: no answer", ["/a/1"]));
    await expect(fillBatch(chosen(1), { ...readerOf([]), read }, REPLACE)).rejects.toThrow(StalledReadError);
  });
});
