import { describe, expect, it } from "vitest";
import { DataError } from "../../../src/base/errors.js";
import { seededRandom } from "../../../src/base/random.js";
import { type Sample, SUBSETS } from "../../../src/data/sample.js";
import { drawSplits, type SplitSettings } from "../../../src/data/split/drawSplits.js";
import { groupsByName } from "../../../src/data/split/groups.js";

const ratios = { train: 70, val: 10, test: 20 };
const settings: SplitSettings = { seed: 3, ratios, splits: 4, folds: null, few: null };

/** Images with scores from 0 to 100, four distortions of unequal number and two scenes. */
function samplesOf(count: number, seed = 1): Sample[] {
  const random = seededRandom(seed, "samples");
  return Array.from({ length: count }, (_, i) => {
    const distortion = [0, 0, 0, 0, 1, 1, 2, 3][random.integer(8)] ?? 0;
    const labels = { distortion, scenes: [random.integer(2)], mosStd: null };
    return { database: "", image: `${i}.png`, file: `/x/${i}.png`, folder: "/x", mos: 100 * random.uniform(), ...labels, list: "l", line: i }; // prettier-ignore
  });
}

/** Groups of 1 to `most` images. */
function groupsOf(count: number, most: number, seed = 1): number[] {
  const random = seededRandom(seed, "groups");
  const groups: number[] = [];
  for (let group = 0; groups.length < count; group++) {
    for (let left = 1 + random.integer(most); left > 0 && groups.length < count; left--) groups.push(group);
  }
  return random.shuffle(groups);
}

describe("drawSplits", () => {
  it.each([1, 2, 3, 4, 5])("parts no group, and meets the ratios within the largest one (case %i)", (seed) => {
    const most = 3 * seed;
    const [samples, groups] = [samplesOf(500, seed), groupsOf(500, most, seed)];
    for (const split of drawSplits(samples, groups, { ...settings, seed })) {
      const sides = SUBSETS.map((subset) => new Set(split[subset].map((at) => groups[at])));
      for (const group of new Set(groups)) expect(sides.filter((side) => side.has(group))).toHaveLength(1);
      const all = SUBSETS.flatMap((subset) => [...split[subset]]);
      expect(all.sort((a, b) => a - b)).toEqual(samples.map((_, i) => i));
      for (const subset of SUBSETS) expect(Math.abs(split[subset].length - 5 * ratios[subset])).toBeLessThan(most);
    }
  });

  it("gives each subset the whole's scores and labels, as far as single images allow", () => {
    const samples = samplesOf(1000);
    const [split] = drawSplits(samples, groupsByName(samples.map(() => null)), settings);
    const shareOf = (places: readonly number[], test: (sample: Sample) => boolean) =>
      places.filter((at) => test(samples[at] as Sample)).length / places.length; // inside
    const all = samples.map((_, i) => i);
    const tests = [
      ...[0, 1, 2, 3].map((distortion) => (sample: Sample) => sample.distortion === distortion),
      (sample: Sample) => sample.scenes.includes(0),
      (sample: Sample) => sample.mos < 30,
      (sample: Sample) => sample.mos > 80,
    ];
    for (const subset of SUBSETS) {
      const places = split?.[subset] ?? [];
      expect(places).toHaveLength(10 * ratios[subset]);
      for (const test of tests) expect(Math.abs(shareOf(places, test) - shareOf(all, test))).toBeLessThan(0.03);
    }
  });

  it("draws the same by the same seed, and others by another seed and number", () => {
    const [samples, groups] = [samplesOf(200), groupsOf(200, 4)];
    const [first, second] = drawSplits(samples, groups, settings);
    expect(drawSplits(samples, groups, { ...settings, splits: 1 })).toEqual([first]);
    expect(second?.test).not.toEqual(first?.test);
    expect(drawSplits(samples, groups, { ...settings, seed: 4 })[0]?.test).not.toEqual(first?.test);
  });

  it("tests every image in one of the folds, and validates it in another", () => {
    const [samples, groups] = [samplesOf(300), groupsOf(300, 5)];
    const folds = drawSplits(samples, groups, { ...settings, folds: 5 });
    expect(folds).toHaveLength(5);
    for (const subset of ["test", "val"] as const) {
      const places = folds.flatMap((fold) => [...fold[subset]]).sort((a, b) => a - b);
      expect(places).toEqual(samples.map((_, i) => i));
    }
    for (const { train, val, test } of folds) {
      expect(train.length + val.length + test.length).toBe(300);
      expect(Math.abs(test.length - 60)).toBeLessThan(5);
      const tested = new Set(test.map((at) => groups[at]));
      expect([...train, ...val].filter((at) => tested.has(groups[at] ?? -1))).toEqual([]);
    }
  });

  it("keeps few training images, spread over the scores, and the other subsets whole", () => {
    const samples = samplesOf(400);
    const groups = groupsByName(samples.map(() => null));
    const [whole] = drawSplits(samples, groups, settings);
    const [few] = drawSplits(samples, groups, { ...settings, few: 10 });
    expect(few?.test).toEqual(whole?.test);
    expect(few?.train.filter((at) => whole?.train.includes(at) !== true)).toEqual([]);
    const byScore = [...(whole?.train ?? [])].sort((a, b) => (samples[a]?.mos ?? 0) - (samples[b]?.mos ?? 0));
    const tenths = few?.train.map((at) => Math.floor((10 * byScore.indexOf(at)) / byScore.length));
    expect(tenths?.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(() => drawSplits(samples, groups, { ...settings, few: 500 })).toThrow("--few 500: a split has 280");
  });

  it("leaves no subset empty that has a share, and refuses fewer groups than subsets", () => {
    const samples = samplesOf(30);
    const [split] = drawSplits(samples, samples.map((_, i) => i % 3), settings); // prettier-ignore
    expect(SUBSETS.map((subset) => split?.[subset].length)).toEqual([10, 10, 10]);
    const two = samples.map((_, i) => i % 2);
    expect(() => drawSplits(samples, two, settings)).toThrow(DataError);
    const [without] = drawSplits(samples, two, { ...settings, ratios: { train: 50, val: 0, test: 50 } });
    expect(SUBSETS.map((subset) => without?.[subset].length)).toEqual([15, 0, 15]);
  });
});
