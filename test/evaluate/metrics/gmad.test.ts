import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { groupDifferentiation, type ScoredPair } from "../../../src/evaluate/metrics/gmad.js";

function images(...qualities: readonly (readonly [number, number])[]): ScoredPair[] {
  return qualities.map(([a, b], i) => ({ file: `${i}`, qualities: [a, b] }));
}

describe("groupDifferentiation", () => {
  it("takes of images that the defender holds alike those that the attacker separates most", () => {
    // The first model's levels are 1 to 2 and 2 to 3; the best and the worst to the second are in different ones.
    const [first, second] = groupDifferentiation(images([1, 3], [1.2, 1], [1.4, 4], [2.6, 5], [3, 0], [2, 2]), 2);
    expect([first.defender, first.attacker, second.defender, second.attacker]).toEqual([0, 1, 1, 0]);
    expect(first.levels.map(({ low, high, images }) => [low, high, images])).toEqual([[1, 2, 3], [2, 3, 3]]); // prettier-ignore
    const pairs = first.levels.map(({ pair }) => [pair?.better.file, pair?.worse.file, pair?.separation]);
    expect(pairs).toEqual([["2", "1", 3], ["3", "4", 5]]); // prettier-ignore
    // The second's are 0 to 2.5 (images 1, 4, 5) and 2.5 to 5 (0, 2, 3).
    expect(second.levels.map(({ pair }) => [pair?.better.file, pair?.worse.file])).toEqual([["4", "1"], ["3", "0"]]); // prettier-ignore
  });

  it("measures strength in the attacker's own deviations, so that a stretched scale gains nothing", () => {
    const random = seededRandom(2, "gmad");
    const scores = Array.from({ length: 50 }, (): [number, number] => [random.uniform(), random.uniform()]);
    const [plain] = groupDifferentiation(images(...scores), 3);
    const [stretched] = groupDifferentiation(images(...scores.map(([a, b]): [number, number] => [a, 10 * b])), 3);
    const strengths = (defence: typeof plain) => defence.levels.map(({ pair }) => pair?.strength ?? NaN);
    expect(strengths(stretched)).toBeAllClose(strengths(plain), { rtol: 1e-12, atol: 0 });
    expect(stretched.levels[0]?.pair?.separation).toBeGreaterThan(plain.levels[0]?.pair?.separation ?? NaN);
    const mean = scores.reduce((sum, [, b]) => sum + b, 0) / 50;
    const deviation = Math.sqrt(scores.reduce((sum, [, b]) => sum + (b - mean) ** 2, 0) / 50);
    const pair = plain.levels[1]?.pair;
    expect([pair?.strength ?? NaN]).toBeAllClose([(pair?.separation ?? NaN) / deviation], { rtol: 1e-12, atol: 0 });
  });

  it("finds what looking at every pair of a level finds", () => {
    const random = seededRandom(3, "gmad");
    const scored = images(...Array.from({ length: 60 }, (): [number, number] => [random.uniform(), random.uniform()]));
    const [, { levels }] = groupDifferentiation(scored, 5);
    for (const { low, high, images, pair } of levels) {
      const members = scored.filter(({ qualities: [, b] }) => b >= low - 1e-12 && b <= high + 1e-12);
      const widest = Math.max(...members.flatMap((a) => members.map((b) => a.qualities[0] - b.qualities[0])));
      expect([members.length, pair?.separation]).toEqual([images, widest]);
    }
  });

  it("has no pair where a level has fewer than two images, and counts all images once", () => {
    const [{ levels }] = groupDifferentiation(images([1, 1], [1.1, 2], [5, 3]), 4);
    expect(levels.map(({ images, pair }) => [images, pair === null])).toEqual([[2, false], [0, true], [0, true], [1, true]]); // prettier-ignore
  });

  it("pairs two different images, the same every time, where all scores are equal", () => {
    const [{ levels }] = groupDifferentiation(images([2, 3], [2, 3], [2, 3]), 2);
    const [level] = levels;
    expect([level?.images, level?.pair?.better.file, level?.pair?.worse.file]).toEqual([3, "0", "1"]);
    expect([level?.pair?.separation, level?.pair?.strength]).toEqual([0, 0]);
  });

  it("refuses no images and no levels", () => {
    expect(() => groupDifferentiation([], 3)).toThrow("needs an image and a level, got 0 and 3");
    expect(() => groupDifferentiation(images([1, 1]), 0)).toThrow("got 1 and 0");
  });
});
