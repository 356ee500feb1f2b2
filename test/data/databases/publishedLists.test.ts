import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { FINGERPRINTS } from "../../../src/data/databases/fingerprints.js";
import { publishedAcross, publishedFigures } from "../../../src/data/databases/publishedLists.js";
import { knownDatabase } from "../../../src/data/databases/registry.js";
import lists from "../../fixtures/databases/published.json" with { type: "json" };

const PUBLISHED = path.resolve("../shared/annotations/liqe");
const NAMES = Object.keys(lists.databases);

interface Row {
  readonly image: string;
  readonly mos: number;
}

/** A published list's images and scores, in its order. */
function rowsOf(name: string, split: number, subset: string): Row[] {
  const folder = path.join(PUBLISHED, knownDatabase(name)?.folder ?? "", "splits2", String(split));
  const text = readFileSync(path.join(folder, `${name}_${subset}_clip.txt`), "utf8");
  return text.split(/\r?\n/).filter(Boolean).map((line) => {
    const [image = "", mos = ""] = line.split("\t");
    return { image, mos: Number(mos) };
  }); // prettier-ignore
}

describe("the fingerprints", () => {
  it("are of each database's ten test lists, all different, and of as many images as it has", () => {
    expect(Object.keys(FINGERPRINTS)).toEqual(NAMES);
    const all = Object.values(FINGERPRINTS).flatMap(({ whole, tests }) => [whole, ...tests]);
    expect(new Set(all).size).toBe(6 * 11);
    const sizes = Object.values(FINGERPRINTS).map(({ whole }) => Number(whole.split(" ")[0]));
    expect(sizes).toEqual(NAMES.map((name) => knownDatabase(name)?.images));
  });
});

describe.skipIf(!existsSync(PUBLISHED))("publishedFigures and publishedAcross (../shared)", () => {
  it.each(NAMES)(
    "stand beside each published test list of %s in any order, and beside no other of its lists",
    (name) => {
      const splits = readdirSync(path.join(PUBLISHED, knownDatabase(name)?.folder ?? "", "splits2")).filter((entry) => /^\d+$/.test(entry)); // prettier-ignore
      expect(splits).toHaveLength(10);
      for (const split of splits.map(Number)) {
        const test = rowsOf(name, split, "test");
        expect(publishedFigures(test.toReversed())).toEqual(knownDatabase(name)?.published);
        for (const subset of ["train", "val"]) expect(publishedFigures(rowsOf(name, split, subset))).toBeNull();
        expect(publishedAcross(test)).toEqual({});
      }
      const whole = ["train", "val", "test"].flatMap((subset) => rowsOf(name, 3, subset));
      expect(publishedAcross(whole)).toEqual(knownDatabase(name)?.publishedAcross ?? {});
      expect(publishedFigures(whole)).toBeNull();
    },
  );

  it("stand beside no list with a score or a name changed, or a row missing, twice, or of another split", () => {
    const test = rowsOf("clive", 1, "test");
    const [first = { image: "", mos: NaN }, ...others] = test;
    const changed = [
      [{ ...first, mos: first.mos + 1e-6 }, ...others],
      [{ ...first, image: first.image.replace(".", "_.") }, ...others],
      others,
      [first, ...test],
      [...rowsOf("clive", 2, "test").slice(0, 1), ...others],
    ];
    expect(publishedFigures(test)).not.toBeNull();
    expect(changed.map(publishedFigures)).toEqual(changed.map(() => null));
    expect(publishedFigures(test.map(({ image, mos }) => ({ image: `./${image}`, mos })))).not.toBeNull();
  });

  it("has no figure for lists that only look alike", () => {
    expect(publishedFigures([])).toBeNull();
    expect(publishedAcross([])).toEqual({});
  });
});
