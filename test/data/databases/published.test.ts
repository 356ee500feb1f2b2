import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../../src/base/packageInfo.js";
import { knownDatabase } from "../../../src/data/databases/registry.js";
import { DISTORTION_TYPES, SCENES } from "../../../src/model/prompts/labels.js";
import lists from "../../fixtures/databases/published.json" with { type: "json" };
import tid2013 from "../../fixtures/databases/tid2013.json" with { type: "json" };

const PUBLISHED = Object.entries(lists.databases);
const typesByPath = PUBLISHED.filter(([name]) => knownDatabase(name)?.typeOfPath !== undefined);

/** The published lists call LIVE's fast fading white noise; it is JPEG 2000 sent over a lossy channel. */
const OTHERWISE: Readonly<Record<string, string>> = { fastfading: "fastfading" };

/** Types of TID2013 as LIQE's, by a word of their names; the first that fits. */
const BY_WORD: readonly (readonly [RegExp, string])[] = [
  [/JPEG2000/, "jpeg2000 compression"],
  [/JPEG/, "jpeg compression"],
  [/color components/, "white with color"],
  [/Additive Gaussian/, "white noise"],
  [/Impulse/, "impulse"],
  [/color quantization/, "color quantization"],
  [/Quantization/, "quantization"],
  [/Gaussian blur/, "gaussian blur"],
  [/denoising/, "white noise with denoise"],
  [/eccentricity/, "noneccentricity patch"],
  [/block-wise/, "color blocking"],
  [/Mean shift/, "shifting the mean"],
  [/Contrast/, "contrast"],
  [/saturation|Chromatic/, "color"],
  [/Multiplicative/, "multiplicative"],
  [/nois/, "noise"],
  [/Sparse sampling/, "other"],
];

describe("the published lists", () => {
  it.each(PUBLISHED)(
    "have as many images of %s as the program expects, all within its scale",
    (name, { images, mos }) => {
      const known = knownDatabase(name);
      expect(known?.images).toBe(images);
      const [low = NaN, high = NaN] = mos;
      const [lowest = NaN, highest = NaN] = known?.mosRange ?? [];
      expect([lowest <= low, high <= highest]).toEqual([true, true]);
      expect((high - low) / (highest - lowest)).toBeGreaterThan(0.75); // the scale that they were scored on
    },
  );

  it.each(typesByPath)("give each path of %s the type that the program reads off it", (name, { types }) => {
    const typeOfPath = knownDatabase(name)?.typeOfPath;
    const wanted = types.map(([image, type]) => [image, OTHERWISE[String(image).split("/")[0] ?? ""] ?? type]);
    expect(types.map(([image]) => [image, typeOfPath?.(String(image))])).toEqual(wanted);
  });

  it("know no type and no scene that the label tables lack, and use all scenes", () => {
    const known: readonly string[] = Object.values(DISTORTION_TYPES).flat();
    const types = PUBLISHED.flatMap(([, database]) => database.types.map(([, type]) => String(type)));
    expect(types.filter((type) => !known.includes(type))).toEqual([]);
    expect(new Set(PUBLISHED.flatMap(([, { scenes }]) => scenes))).toEqual(new Set(SCENES));
  });
});

describe("TID2013's types", () => {
  it("are LIQE's of the same name, or the nearest one's", () => {
    const typeOfPath = knownDatabase("tid2013")?.typeOfPath;
    const found = tid2013.types.map((name, i) => {
      return [name, typeOfPath?.(`distorted_images/i01_${String(i + 1).padStart(2, "0")}_1.bmp`)];
    });
    expect(found).toEqual(tid2013.types.map((name) => [name, BY_WORD.find(([word]) => word.test(name))?.[1]]));
    expect(typeOfPath?.("distorted_images/i01_25_1.bmp")).toBeNull();
  });
});

/** The paper's row of README's table of results: SRCC and PLCC by the databases' titles. */
function figuresOfReadme(): Map<string, { srcc: number; plcc: number }> {
  const lines = readFileSync(join(PACKAGE_ROOT, "README.md"), "utf8").split("\n");
  const row = lines.findIndex((line) => line.startsWith("| the paper"));
  const cells = (line = "") => line.split("|").slice(2, -2).map((cell) => cell.trim()); // prettier-ignore
  const figures = cells(lines[row]).map((cell) => cell.split("/").map(Number));
  return new Map(cells(lines[row - 2]).map((title, i) => {
    const [srcc = NaN, plcc = NaN] = figures[i] ?? [];
    return [title, { srcc, plcc }];
  })); // prettier-ignore
}

describe("LIQE's published figures", () => {
  it("are in the program as in README's table", () => {
    const figures = figuresOfReadme();
    const ofProgram = PUBLISHED.map(([name]) => {
      const { title = "", published } = knownDatabase(name) ?? {};
      const short =
        [...figures.keys()].toSorted((a, b) => b.length - a.length).find((words) => title.includes(words)) ?? title;
      return [short, published] as const;
    });
    expect(new Map(ofProgram)).toEqual(figures);
    expect(figures.size).toBe(6);
  });
});
