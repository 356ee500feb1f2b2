import { describe, expect, it } from "vitest";
import { DataError, ShapeError } from "../../src/base/errors.js";
import { LossesConfig } from "../../src/losses/config.js";
import { DEVIATION_FLOOR, deviationRemedies, pairTargets } from "../../src/losses/pairs.js";

const SIGN = LossesConfig.parse({ target: "sign" });
const THURSTONE = LossesConfig.parse({ target: "thurstone" });

const one = (mos: number[], mosStd: (number | null)[] = mos.map(() => null)) => ({
  databases: [{ name: "bid", images: mos.length }],
  mos,
  mosStd,
});

/** The target of the pair (0, 1) of two images. */
const targetOf = (mos: [number, number], mosStd: [number, number]) =>
  pairTargets(one(mos, mosStd), THURSTONE).targets[1];

describe("pairTargets", () => {
  it("prefers the higher MOS by sign, and takes a tie for one half", () => {
    const { targets } = pairTargets(one([3, 1, 3]), SIGN);
    expect([...targets]).toEqual([0, 1, 0.5, 0, 0, 0, 0, 0, 0]);
  });

  it("has the compared pairs alone of a database with shares, whatever its scores and the rules", () => {
    const databases = [
      { name: "pairs", images: 4, shares: [0.75, 0] },
      { name: "bid", images: 2, mosSpan: 1 },
    ];
    const labels = { databases, mos: [NaN, NaN, NaN, NaN, 1, 2], mosStd: [null, null, null, null, 1, 1] };
    const { targets, weights } = pairTargets(labels, LossesConfig.parse({ target: "thurstone", tieMargin: 0.5 }));
    const entries = (values: Float32Array) => [...values].flatMap((value, at) => (value > 0 ? [[at, value]] : []));
    expect(entries(weights)).toEqual([[1, 0.25], [15, 0.25], [29, 0.5]]); // prettier-ignore
    expect(targets[1]).toBe(0.75);
    expect(targets[15]).toBe(0);
  });

  it("has what a teacher says of two images, Φ of their difference in levels, whatever the rules", () => {
    const databases = [{ name: "taught", images: 2, perLevel: 10, mosSpan: 40 }];
    const labels = { databases, mos: [30, 20], mosStd: [null, null] };
    for (const rules of [SIGN, THURSTONE, LossesConfig.parse({ tieMargin: 0.9, pairWeight: "deviation" })]) {
      expect(pairTargets(labels, rules).targets[1]).toBeCloseTo(0.8413447, 6);
    }
  });

  it("refuses shares of other pairs than the database has images", () => {
    const databases = [{ name: "pairs", images: 4, shares: [1] }];
    const labels = { databases, mos: [NaN, NaN, NaN, NaN], mosStd: [null, null, null, null] };
    expect(() => pairTargets(labels, SIGN)).toThrow("pairs has 4 images, and shares of 1 pairs");
  });

  it("weighs each database the same, each of its pairs i < j the same, and no pair across databases", () => {
    const databases = [
      { name: "bid", images: 2 },
      { name: "live", images: 3 },
    ];
    const { weights } = pairTargets({ databases, mos: [1, 2, 3, 4, 5], mosStd: Array(5).fill(null) }, SIGN);
    const [pair, sixth] = [0.5, 1 / 6];
    expect(weights).toBeAllClose([
      ...[0, pair, 0, 0, 0],
      ...[0, 0, 0, 0, 0],
      ...[0, 0, 0, sixth, sixth],
      ...[0, 0, 0, 0, sixth],
      ...[0, 0, 0, 0, 0],
    ]);
  });

  it("counts the pairs of rankings, lower levels above, as one more database times their weight", () => {
    const databases = [
      { name: "bid", images: 2 },
      { name: "live", images: 2 },
    ];
    const groups = [{ levels: [1, 4] }, { levels: [5, 2, 5] }];
    const labels = {
      databases,
      mos: [1, 2, 4, 3],
      mosStd: Array<null>(4).fill(null),
      rankings: { groups, weight: 0.5 },
    };
    const { images, targets, weights } = pairTargets(labels, SIGN);
    expect(images).toBe(9);
    const counted = new Map([...weights.entries()].filter(([, weight]) => weight !== 0));
    const at = (i: number, j: number) => i * 9 + j;
    // each database 1 of 2.5; the rankings 0.5 of 2.5, half for each, over 1 and 3 pairs
    const wanted = [
      [at(0, 1), 0.4, 0],
      [at(2, 3), 0.4, 1],
      [at(4, 5), 0.1, 1],
      [at(6, 7), 0.1 / 3, 0],
      [at(6, 8), 0.1 / 3, 0.5],
      [at(7, 8), 0.1 / 3, 1],
    ] as const;
    expect([...counted.keys()]).toEqual(wanted.map(([place]) => place));
    expect([...counted.values()]).toBeAllClose(wanted.map(([, weight]) => weight));
    expect(wanted.map(([place]) => targets[place])).toEqual(wanted.map(([, , target]) => target));
  });

  it("knows which of two levels is better without deviations, and whatever the margin for ties", () => {
    const labels = { ...one([1, 2], [0.5, 0.5]), rankings: { groups: [{ levels: [2, 3] }], weight: 1 } };
    const { targets } = pairTargets(
      labels,
      LossesConfig.parse({ target: "thurstone", tieMargin: 9, tieUnit: "deviation" }),
    );
    expect([targets[1], targets[2 * 4 + 3]]).toEqual([0.5, 1]);
  });

  it("gives the very same weights without rankings as with none of them, and refuses a ranking of one image", () => {
    const labels = one([3, 1, 2]);
    const none = { ...labels, rankings: { groups: [], weight: 1 } };
    expect(pairTargets(none, SIGN)).toEqual(pairTargets(labels, SIGN));
    const lonely = { ...labels, rankings: { groups: [{ levels: [1] }], weight: 1 } };
    expect(() => pairTargets(lonely, SIGN)).toThrow("a ranking of one image has no pair");
  });

  it("gives the Thurstone target of a difference as large as its deviation", () => {
    expect(targetOf([2, 1], [0.6, 0.8])).toBeCloseTo(0.8413447460685429, 7); // Φ(1), float32
    expect(targetOf([1, 2], [0.6, 0.8])).toBeCloseTo(0.15865525393145705, 7);
  });

  it("takes deviations below the floor for the floor, so that two zeros divide nothing by zero", () => {
    const floored = targetOf([0.002, 0.001], [DEVIATION_FLOOR, DEVIATION_FLOOR]);
    expect(floored).toBeCloseTo(0.7602499389065233, 7); // Φ(1/√2)
    expect(targetOf([0.002, 0.001], [0, 0])).toBe(floored);
    expect(targetOf([0.002, 0.001], [0.0005, 0.0009])).toBe(floored);
    expect(targetOf([1, 1], [0, 0])).toBe(0.5);
    expect(targetOf([0.9, 0.1], [0, 0])).toBe(1);
  });

  it("leaves a deviation above the floor as it is, beside one of zero", () => {
    expect(targetOf([3, 0], [3, 0])).toBeCloseTo(0.8413447460685429, 6);
  });

  it("takes a difference below the margin for a tie, in parts of the database's span or of its own deviation", () => {
    const databases = [{ name: "bid", images: 3, mosSpan: 8 }];
    const labels = { databases, mos: [5, 4, 2], mosStd: [0.6, 0.8, 0] };
    // Differences 1, 3 and 2; a quarter of 8 is 2, and a difference of 2 is not below it
    const scale = LossesConfig.parse({ tieMargin: 0.25 });
    expect([...pairTargets(labels, scale).targets]).toEqual([0, 0.5, 1, 0, 0, 1, 0, 0, 0]);
    // Deviations of the differences 1, 0.6 and 0.8, times 2.6: 2.6, 1.56 and 2.08
    const deviation = LossesConfig.parse({ tieMargin: 2.6, tieUnit: "deviation" });
    expect([...pairTargets(labels, deviation).targets]).toEqual([0, 0.5, 1, 0, 0, 0.5, 0, 0, 0]);
    const both = pairTargets(labels, { ...deviation, target: "thurstone" }).targets;
    expect([both[1], both[5]]).toEqual([0.5, 0.5]);
    expect(both[2]).toBeCloseTo(0.9999997, 6); // Φ(3 / 0.6) = Φ(5)
  });

  it("compares with each database's own span", () => {
    const databases = [
      { name: "live", images: 2, mosSpan: 100 },
      { name: "csiq", images: 2, mosSpan: 1 },
    ];
    const labels = { databases, mos: [50, 46, 0.5, 0.9], mosStd: Array<null>(4).fill(null) };
    const { targets } = pairTargets(labels, LossesConfig.parse({ tieMargin: 0.05 }));
    expect([targets[1], targets[2 * 4 + 3]]).toEqual([0.5, 0]); // 4 of 100, and 0.4 of 1
    const nameless = { ...labels, databases: databases.map(({ name, images }) => ({ name, images })) };
    expect(() => pairTargets(nameless, LossesConfig.parse({ tieMargin: 0.05 }))).toThrow(
      "internal: pairTargets: tieUnit",
    );
  });

  it("weighs the pairs of each database by their deviations, to the same sum", () => {
    const databases = [
      { name: "bid", images: 2 },
      { name: "live", images: 3 },
    ];
    const labels = { databases, mos: [1, 2, 3, 4, 5], mosStd: [9, 7, 1, 2, 3] };
    const { weights } = pairTargets(labels, LossesConfig.parse({ pairWeight: "deviation" }));
    // bid has one pair; live's are 1/5, 1/10 and 1/13: 26, 13 and 10 of 49. Half for each database
    expect(weights).toBeAllClose([
      ...[0, 1 / 2, 0, 0, 0],
      ...[0, 0, 0, 0, 0],
      ...[0, 0, 0, 26 / 98, 13 / 98],
      ...[0, 0, 0, 0, 10 / 98],
      ...[0, 0, 0, 0, 0],
    ]);
  });

  it("names every setting that a missing deviation is needed for", () => {
    const rules = { target: "thurstone", pairWeight: "deviation", tieMargin: 1, tieUnit: "deviation" };
    expect(() => pairTargets(one([1, 2]), LossesConfig.parse(rules))).toThrow(
      "mosStd of bid[1] is null; mos must be finite, deviations finite and not negative; losses.target: sign with " +
        "losses.pairWeight: none with losses.tieUnit: scale needs no deviations",
    );
    expect(() => pairTargets(one([1, 2]), LossesConfig.parse({ pairWeight: "deviation" }))).toThrow(
      "; losses.pairWeight: none needs no deviations",
    );
  });

  it("rejects a database with a single image, where the reference has NaN", () => {
    const labels = { databases: [{ name: "bid", images: 1 }], mos: [1], mosStd: [null] };
    expect(() => pairTargets(labels, SIGN)).toThrow(ShapeError);
    expect(() => pairTargets(labels, SIGN)).toThrow(
      "pairTargets: databases: bid has 1 in this batch and so no pair (set imagesPerStep to 2 or more)",
    );
  });

  it("rejects blocks that do not cover the labels, and an empty batch", () => {
    const databases = [{ name: "bid", images: 3 }];
    expect(() => pairTargets({ databases, mos: [1, 2], mosStd: [null, null] }, SIGN)).toThrow(
      "the databases hold 3 images, but mos has 2 values",
    );
    expect(() => pairTargets({ databases, mos: [1, 2, 3], mosStd: [null] }, SIGN)).toThrow(
      "mos has 3 values, but mosStd 1",
    );
    expect(() => pairTargets({ databases: [], mos: [], mosStd: [] }, SIGN)).toThrow("there is no database");
  });

  it("needs every deviation for thurstone, names what is wrong, and needs none for sign", () => {
    const labels = one([1, 2, 3, 4], [0.5, null, -1, NaN]);
    expect(() => pairTargets(labels, THURSTONE)).toThrow(DataError);
    expect(() => pairTargets(labels, THURSTONE)).toThrow(
      "pairTargets: mosStd of bid[1] is null, mosStd of bid[2] is -1, mosStd of bid[3] is NaN; mos must be finite, " +
        "deviations finite and not negative; losses.target: sign needs no deviations",
    );
    expect(() => pairTargets(labels, SIGN)).not.toThrow();
  });

  it("shows five of many faults and counts them", () => {
    expect(() => pairTargets(one(Array<number>(7).fill(NaN)), SIGN)).toThrow("mos of bid[4] is NaN, … (7 in all)");
  });
});

describe("what pairTargets says of labels", () => {
  const mosStd = [null, null, null];

  it("is every problem of the blocks at once", () => {
    const databases = [
      { name: "bid", images: 1 },
      { name: "mine", images: 4, shares: [1] },
    ];
    const rankings = { groups: [{ levels: [1] }, { levels: [1, 2] }], weight: 1 };
    expect(() => pairTargets({ databases, mos: [1, 2, 3, 4], mosStd, rankings }, SIGN)).toThrow(
      new ShapeError(
        "pairTargets: databases: bid has 1 in this batch and so no pair (set imagesPerStep to 2 or more); a ranking of " +
          "one image has no pair; mine has 4 images, and shares of 1 pairs; the databases hold 5 images, but mos has 4 " +
          "values; mos has 4 values, but mosStd 3",
      ),
    );
    expect(() => pairTargets({ databases: [], mos: [], mosStd: [] }, SIGN)).toThrow(
      new ShapeError("pairTargets: databases: there is no database in this batch"),
    );
  });

  it("is each value that is not finite, by its place in its own database, and nothing of images without scores", () => {
    const databases = [
      { name: "mine", images: 2, shares: [1] },
      { name: "taught", images: 2, perLevel: 1 },
      { name: "bid", images: 2 },
    ];
    const mos = [NaN, NaN, 1, 2, 3, Infinity];
    const labels = { databases, mos, mosStd: mos.map(() => null) };
    expect(() => pairTargets(labels, SIGN)).toThrow(
      new DataError("pairTargets: mos of bid[1] is Infinity; mos must be finite, deviations finite and not negative"),
    );
    expect(() => pairTargets({ ...labels, mos: mos.with(5, 4) }, THURSTONE)).toThrow(
      new DataError(
        "pairTargets: mosStd of bid[0] is null, mosStd of bid[1] is null; mos must be finite, deviations finite and not " +
          "negative; losses.target: sign needs no deviations",
      ),
    );
    expect(() => pairTargets(one(Array<number>(5).fill(NaN)), SIGN)).toThrow(
      new DataError(
        "pairTargets: mos of bid[0] is NaN, mos of bid[1] is NaN, mos of bid[2] is NaN, mos of bid[3] is NaN, mos of " +
          "bid[4] is NaN; mos must be finite, deviations finite and not negative",
      ),
    );
  });

  it("is which settings need deviations: a margin for ties in their unit alone", () => {
    const remedies = (rules: object) => deviationRemedies(LossesConfig.parse(rules));
    expect(remedies({})).toEqual([]);
    expect(remedies({ tieUnit: "deviation" })).toEqual([]);
    expect(remedies({ tieMargin: 0.5 })).toEqual([]);
    expect(remedies({ tieMargin: 0.5, tieUnit: "deviation" })).toEqual(["losses.tieUnit: scale"]);
    expect(remedies({ target: "thurstone" })).toEqual(["losses.target: sign"]);
    expect(remedies({ pairWeight: "deviation" })).toEqual(["losses.pairWeight: none"]);
  });

  it("is nothing of a deviation of 0, the smallest there is", () => {
    expect(() => pairTargets(one([1, 2], [0, 0]), THURSTONE)).not.toThrow();
  });
});
