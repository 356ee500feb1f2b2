import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { opinionOf } from "../../../src/data/distortions/distortions.js";
import { splitContents } from "../../../src/data/lists/randomSplit.js";
import {
  allCombinations,
  classOf,
  pickCombinations,
  spreadLevels,
} from "../../../src/data/synthesis/distortPhotograph.js";
import { proxyMos, ssimTo } from "../../../src/data/synthesis/distortPhotograph.js";
import { DISTORTIONS } from "../../../src/model/prompts/labels.js";
import { photograph } from "../distortions/pictures.js";

const EXACT = { rtol: 1e-12, atol: 0 };
const all = allCombinations(spreadLevels(5));

describe("spreadLevels", () => {
  it("keeps both ends and the middle", () => {
    expect([1, 2, 3, 4, 5].map(spreadLevels)).toEqual([[3], [1, 5], [1, 3, 5], [1, 2, 4, 5], [1, 2, 3, 4, 5]]);
  });
});

describe("pickCombinations", () => {
  it("takes the classes in turn: 33 pictures are three of each of the eleven", () => {
    const picked = pickCombinations(all, 33, seededRandom(5));
    const counts = DISTORTIONS.map((name) => picked.filter(({ type }) => classOf(type) === name).length);
    expect(counts).toEqual(DISTORTIONS.map(() => 3));
    expect(new Set(picked).size).toBe(33);
  });

  it("goes on with the larger classes when the smaller ones are used up", () => {
    expect(pickCombinations(all, all.length, seededRandom(5))).toEqual(all);
    expect(pickCombinations(all, 70, seededRandom(5))).toHaveLength(70);
  });
});

describe("splitContents", () => {
  const contents = Array.from({ length: 120 }, (_, i) => `photo${i}`);

  it("parts 120 contents into 84, 12 and 24, each of them once", () => {
    const { train, val, test } = splitContents(contents, { seed: 1, split: 1 });
    expect([train.length, val.length, test.length]).toEqual([84, 12, 24]);
    expect(new Set([...train, ...val, ...test]).size).toBe(120);
  });

  it("draws other contents in other splits and the same again in the same", () => {
    expect(splitContents(contents, { seed: 1, split: 2 })).not.toEqual(splitContents(contents, { seed: 1, split: 1 }));
    expect(splitContents(contents, { seed: 1, split: 2 })).toEqual(splitContents(contents, { seed: 1, split: 2 }));
  });

  it("leaves no part empty at three contents and refuses two", () => {
    const { train, val, test } = splitContents(["a", "b", "c"], { seed: 1, split: 1 });
    expect([train.length, val.length, test.length]).toEqual([1, 1, 1]);
    expect(() => splitContents(["a", "b"], { seed: 1, split: 1 })).toThrow("give at least 3");
  });
});

describe("proxyMos", () => {
  it("is three quarters opinion and one quarter similarity on a scale from 1 at 0.4 to 5 at 1", () => {
    const opinion = opinionOf("lens", 3);
    const mos = [1, 0.7, 0.4, 0.1].map((similarity) => proxyMos({ type: "lens", level: 3 }, similarity));
    expect(mos).toBeAllClose(
      [5, 3, 1, 1].map((metric) => 0.75 * opinion + 0.25 * metric),
      EXACT,
    );
  });
});

describe("structuralSimilarityTo", () => {
  it("is 1 for the same picture and does not depend on the order", async () => {
    const image = await photograph();
    const darker = { ...image, pixels: image.pixels.map((sample) => sample * 0.7) };
    expect([ssimTo(image)(image)]).toBeAllClose([1], EXACT);
    expect([ssimTo(image)(darker)]).toBeAllClose([ssimTo(darker)(image)], EXACT);
    expect(ssimTo(image)(darker)).toBeLessThan(0.95);
  });
});
