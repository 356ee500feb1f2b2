import { describe, expect, it } from "vitest";
import { findTextForm } from "../../../src/data/audit/check.js";
import { compareWithPublished } from "../../../src/data/audit/sampleChecks.js";
import {
  findSharedContents,
  findSkew,
  findUntrained,
  findWrongDirection,
} from "../../../src/data/audit/splitChecks.js";
import type { Sample } from "../../../src/data/sample.js";
import { PUBLISHED_LABELS } from "../../../src/model/prompts/labels.js";
import { createFolderAtomically } from "../files.js";

function sample(image: string, mos: number, rest: Partial<Sample> = {}): Sample {
  const place = { database: "kadid10k", folder: "/db", file: `/db/${image}`, list: "l.txt", line: 1 };
  return { ...place, image, mos, mosStd: null, distortion: 3, scenes: [2], ...rest };
}

/** Two series of KADID's with five levels each, scored by `mos`. */
const levels = (mos: (level: number) => number) =>
  ["I01_01", "I02_03"].flatMap((series) =>
    [1, 2, 3, 4, 5].map((level) => sample(`images/${series}_0${level}.png`, mos(level))),
  );
const MINE = { database: "mine", tables: PUBLISHED_LABELS };
const NONE = new Map<string, { mos: number; deviation: number }>();

describe("findWrongPolarity", () => {
  const check = (samples: Sample[], published: typeof NONE = NONE) =>
    findWrongDirection("l.txt", samples, { database: "kadid10k", published }).map(({ message }) => message);

  it("finds scores that rise with the level, and not ones that mostly fall", () => {
    expect(check(levels((level) => level))).toEqual([
      expect.stringMatching(/^l\.txt: 20 of 20 pairs of its scores rise with the level .* DMOS.*Turn them once/),
    ]);
    expect(check(levels((level) => -level))).toEqual([]);
    expect(check(levels((level) => (level === 2 ? -1 : -level)))).toEqual([]);
  });

  it("says nothing of fewer than ten pairs, nor of equal scores", () => {
    expect(check(levels((level) => level).slice(0, 4))).toEqual([]);
    expect(check(levels(() => 3))).toEqual([]);
  });

  it("finds the opposite order to the published scores where paths tell no level", () => {
    const samples = Array.from({ length: 12 }, (_, i) => sample(`a${i}.png`, (i * 7) % 12));
    const turned = new Map(samples.map(({ image, mos }) => [image, { mos: 12 - mos, deviation: 0 }]));
    const same = new Map(samples.map(({ image, mos }) => [image, { mos: 2 * mos, deviation: 0 }]));
    expect(check(samples, turned)).toEqual([
      expect.stringContaining("11 of 11 pairs of its scores are in the opposite"),
    ]);
    expect(check(samples, same)).toEqual([]);
  });
});

describe("findSharedContents", () => {
  it("names a photograph whose versions stand in two lists, once for each list", () => {
    const image = (name: string, list: string) => sample(`images/${name}.png`, 1, { list });
    const found = findSharedContents({
      train: [image("I01_01_01", "train"), image("I02_01_01", "train")],
      val: [image("I01_02_01", "val"), image("I01_03_01", "val")],
      test: [image("I03_01_01", "test"), image("I01_01_01", "test")],
    });
    expect(found.map(({ message }) => message)).toEqual([
      'val:1: images/I01_02_01.png: is of the content "I01", and so is train:1 (images/I01_01_01.png), in train; ' +
        "keep a content in one list",
    ]); // the test list's is the very same image: an overlap
  });

  it("goes by the content that a list gives before what paths tell", () => {
    const one = (content: string) => sample("x/1.png", 1, { database: "mine", content, list: content });
    const other = { ...one("a"), image: "x/2.png" };
    expect(findSharedContents({ train: [one("a")], val: [], test: [other] })).toHaveLength(1);
    expect(findSharedContents({ train: [one("b")], val: [], test: [other] })).toHaveLength(0);
  });
});

describe("findSkew and findUntrained", () => {
  it("notes labels that none has and one that nearly all have", () => {
    const samples = Array.from({ length: 10 }, (_, i) => sample(`${i}`, i, { scenes: [i === 0 ? 0 : 2] }));
    const notes = findSkew(samples, MINE).map(({ message }) => message);
    expect(notes).toHaveLength(4);
    expect(notes[1]).toContain('10 of 10 images with a distortion have "blur"');
    expect(notes[2]).toContain("no image has the scene cityscape, indoor");
    expect(notes[3]).toContain('9 of 10 images with a scene have "human"');
  });

  it("warns of a label that is tested and not trained on", () => {
    const split = { train: [sample("a", 1)], val: [sample("b", 1, { scenes: [3] })], test: [sample("c", 1)] };
    expect(findUntrained(split, MINE)).toMatchObject([
      { kind: "skew", severity: "warning", message: "l.txt: the scene indoor is tested and has no image to train on" },
    ]);
  });
});

describe("compareWithPublished", () => {
  it("finds other scores, and images that one of the files lacks", () => {
    const published = new Map([
      ["a.png", { mos: 1.0002, deviation: 0 }],
      ["b.png", { mos: 2.5, deviation: 0 }],
      ["d.png", { mos: 3, deviation: 0 }],
    ]);
    const samples = [sample("a.png", 1), sample("b.png", 2), sample("c.png", 3)];
    const found = compareWithPublished(samples, { ...MINE, published });
    expect(found.map(({ kind, image }) => [kind, image])).toEqual([
      ["disagreement", "b.png"],
      ["count", null],
    ]);
    expect(found[1]?.message).toContain("1 image of its lists are not in its _all.txt, 1 image of that file");
  });
});

describe("findTextForm", () => {
  it.each([
    ["a list as published", "a\tb\n", []],
    ["a byte order mark", "\uFEFFa\tb\n", ["bom"]],
    ["Windows' line ends", "a\tb\r\nc\td\r\n", ["line-ends"]],
    ["both", "\uFEFFa\tb\r\n", ["bom", "line-ends"]],
  ])("of %s", async (_, text, kinds) => {
    const folder = createFolderAtomically({ "l.txt": text });
    const found = await findTextForm("mine", `${folder}/l.txt`);
    expect(found.map(({ kind, severity }) => [kind, severity])).toEqual(kinds.map((kind) => [kind, "note"]));
  });

  it("leaves a missing list to its reader", async () => {
    expect(await findTextForm("mine", "/no/such/list")).toEqual([]);
  });
});
