import { describe, expect, it } from "vitest";
import { DataError } from "../../src/base/errors.js";
import { withFewImages } from "../../src/data/fewShot.js";
import type { Database, Sample } from "../../src/data/sample.js";

const sample = (image: string, mos: number): Sample => ({
  ...{ database: "toys", image, file: `/toys/${image}`, folder: "/toys", mos, mosStd: null, distortion: null },
  ...{ scenes: [], list: "list.txt", line: 1 },
});
/** 97 images, in an order that is not that of their scores. */
const TRAIN = Array.from({ length: 97 }, (_, i) => sample(`${i}.png`, (i * 31) % 97));
const database = (name: string, train = TRAIN, imagesPerStep = 4): Database => {
  return { name, imagesPerStep, folder: "/toys", train, val: [], test: [] };
};
const scoresOf = (images: number, seed: number, name = "toys") =>
  (withFewImages([database(name)], images, seed)[0]?.train ?? []).map(({ mos }) => mos);

describe("withFewImages", () => {
  it("draws one image of each even part of the scores", () => {
    for (const seed of [1, 2, 3]) {
      const scores = scoresOf(10, seed).toSorted((a, b) => a - b);
      expect(scores).toHaveLength(10);
      scores.forEach((mos, part) => {
        expect(mos).toBeGreaterThanOrEqual(Math.floor((part * 97) / 10));
        expect(mos).toBeLessThan(Math.floor(((part + 1) * 97) / 10));
      });
    }
  });

  it("draws others by another seed and in another database, and the same again", () => {
    expect(scoresOf(10, 1)).toEqual(scoresOf(10, 1));
    expect(scoresOf(10, 2)).not.toEqual(scoresOf(10, 1));
    expect(scoresOf(10, 1, "other")).not.toEqual(scoresOf(10, 1));
  });

  it("does not depend on the order of the list, which the images keep", () => {
    const turned = withFewImages([database("toys", TRAIN.toReversed())], 10, 1)[0]?.train ?? [];
    expect(turned.map(({ mos }) => mos)).toEqual(scoresOf(10, 1).toReversed());
    const images = withFewImages([database("toys")], 10, 1)[0]?.train ?? [];
    expect(images).toEqual(TRAIN.filter((one) => images.includes(one)));
  });

  it("keeps all where none are asked for, or there are fewer, and refuses fewer than a step takes", () => {
    expect(withFewImages([database("toys")], null, 1)[0]?.train).toBe(TRAIN);
    expect(withFewImages([database("toys")], 200, 1)[0]?.train).toBe(TRAIN);
    expect(() => withFewImages([database("toys")], 3, 1)).toThrow(DataError);
    expect(() => withFewImages([database("toys")], 3, 1)).toThrow("has 3 images, fewer than imagesPerStep: 4");
  });
});
