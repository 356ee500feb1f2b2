import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { distort, opinionOf } from "../../../src/data/distortions/distortions.js";
import { LEVELS, SYNTHETIC_TYPES } from "../../../src/data/distortions/types.js";
import { classOf } from "../../../src/data/synthesis/distortPhotograph.js";
import { ssimTo } from "../../../src/data/synthesis/distortPhotograph.js";
import { DISTORTIONS } from "../../../src/model/prompts/labels.js";
import { isSame, meanSquaredError, photograph } from "./pictures.js";

const image = await photograph();

/** Those whose luma hardly tells what happened to the colours; the squared error has to do for them. */
const COLOR_ONLY: readonly string[] = ["desaturation", "diffusion", "oversaturation"];

/** Types that nothing random decides. */
const FIXED: readonly string[] = [
  "gaussian blur",
  "lens",
  "diffusion",
  "oversaturation",
  "desaturation",
  "color quantization",
  "quantization",
  "jpeg2000 compression",
  "jpeg compression",
  "brighten",
  "darken",
  "pixelate",
  "sharpness",
];

/** Only one of two directions is random, so that two seeds may agree. */
const UP_OR_DOWN: readonly string[] = ["shifting the mean", "contrast"];

describe("distort", () => {
  it("knows 25 types, and together they reach all eleven classes", () => {
    expect(SYNTHETIC_TYPES).toHaveLength(25);
    expect(new Set(SYNTHETIC_TYPES.map(classOf))).toEqual(new Set(DISTORTIONS));
  });

  it.each(SYNTHETIC_TYPES)("%s: every level differs more from the original than the one before", async (type) => {
    const before = image.pixels.slice();
    const errors = [];
    for (const level of LEVELS) {
      const distorted = await distort(image, { type, level }, seededRandom(1, type));
      expect([distorted.rows, distorted.cols, distorted.pixels.length]).toEqual([128, 160, 128 * 160 * 3]);
      errors.push(meanSquaredError(image, distorted));
    }
    expect(errors[0]).toBeGreaterThan(1); // half the samples off by more than one level of 255, or a few by much
    expect(errors).toEqual([...errors].sort((a, b) => a - b));
    expect(new Set(errors).size).toBe(LEVELS.length);
    expect(isSame(image, { ...image, pixels: before })).toBe(true);
  });

  it.each(SYNTHETIC_TYPES.filter((type) => !COLOR_ONLY.includes(type)))(
    "%s: structural similarity falls from level 1 to 3 to 5",
    async (type) => {
      const similarity = ssimTo(image);
      const [weak = NaN, middle = NaN, severe = NaN] = await Promise.all(
        ([1, 3, 5] as const).map(async (level) =>
          similarity(await distort(image, { type, level }, seededRandom(1, type))),
        ),
      );
      expect(weak).toBeGreaterThan(middle);
      expect(middle).toBeGreaterThan(severe);
    },
  );

  it.each(SYNTHETIC_TYPES)(
    "%s: equal generators give equal pixels, and others others where chance plays",
    async (type) => {
      const first = await distort(image, { type, level: 3 }, seededRandom(1, "a"));
      const again = await distort(image, { type, level: 3 }, seededRandom(1, "a"));
      const other = await distort(image, { type, level: 3 }, seededRandom(1, "b"));
      expect(isSame(again, first)).toBe(true);
      if (!UP_OR_DOWN.includes(type)) expect(isSame(other, first)).toBe(FIXED.includes(type));
    },
  );

  it.each(SYNTHETIC_TYPES.filter((type) => UP_OR_DOWN.includes(type)))("%s: goes both ways", async (type) => {
    const seeds = Array.from({ length: 12 }, (_, seed) => seed);
    const outcomes = await Promise.all(seeds.map((seed) => distort(image, { type, level: 3 }, seededRandom(seed))));
    expect(new Set(outcomes.map(({ pixels }) => Buffer.from(pixels).toString("base64")))).toHaveProperty("size", 2);
  });
});

describe("opinionOf", () => {
  it.each(SYNTHETIC_TYPES)("%s: falls with the level and stays within 1 to 5", (type) => {
    const opinions = LEVELS.map((level) => opinionOf(type, level));
    expect(opinions).toEqual([...new Set(opinions)].sort((a, b) => b - a));
    expect(Math.min(...opinions)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...opinions)).toBeLessThanOrEqual(5);
  });
});
