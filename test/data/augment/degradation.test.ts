import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { AugmentConfig, KINDS } from "../../../src/data/augment/config.js";
import { compose, degrade, drawComposition, drawDegradation, typeOf } from "../../../src/data/augment/versions.js";
import { ALWAYS_WORSE, MAY_IMPROVE } from "../../../src/data/augment/config.js";
import {
  CAMERA_FAULTS,
  demosaic,
  drawCameraPipeline,
  exposeSensor,
  throughCamera,
} from "../../../src/data/distortions/camera.js";
import { distort } from "../../../src/data/distortions/distortions.js";
import { betweenLevels, LEVELS, SYNTHETIC_TYPES } from "../../../src/data/distortions/types.js";
import { DISTORTION_TYPES } from "../../../src/model/prompts/labels.js";
import { isSame, meanSquaredError, photograph, plain } from "../distortions/pictures.js";

const image = await photograph(96, 112);
/** Without those that hide parts of the picture: in one as small as ours, a part twice. */
const GRADUAL = ALWAYS_WORSE.filter((type) => type !== "color blocking" && type !== "noneccentricity patch");
const seeds = Array.from({ length: 12 }, (_, seed) => seed);
const known: readonly string[] = Object.values(DISTORTION_TYPES).flat();

describe("degrade", () => {
  it.each(KINDS)("%s: a higher level is farther from the picture, under every seed", async (kind) => {
    for (const seed of seeds) {
      const how = drawDegradation({ kinds: [kind], types: GRADUAL }, seededRandom(seed, "how"));
      const errors = [];
      for (const level of LEVELS) errors.push(meanSquaredError(image, await degrade(image, how, { level, seed })));
      expect(errors, JSON.stringify(how)).toEqual([...new Set(errors)].sort((a, b) => a - b));
    }
  });

  it.each(KINDS)("%s: is a function of picture, level and seed, and leaves the picture alone", async (kind) => {
    const before = image.pixels.slice();
    for (const seed of seeds.slice(0, 4)) {
      const how = drawDegradation({ kinds: [kind], types: SYNTHETIC_TYPES }, seededRandom(seed, "how"));
      const first = await degrade(image, how, { level: 2.5, seed });
      expect(isSame(first, await degrade(image, how, { level: 2.5, seed }))).toBe(true);
      expect(isSame({ ...image, pixels: before }, image)).toBe(true);
      expect(known).toContain(typeOf(how));
    }
  });

  it("draws every kind, and every type", () => {
    const config = AugmentConfig.parse({ types: [...SYNTHETIC_TYPES] });
    const drawn = Array.from({ length: 600 }, (_, seed) => drawDegradation(config, seededRandom(seed)));
    expect(new Set(drawn.map(({ kind }) => kind))).toEqual(new Set(KINDS));
    const types = drawn.map((how) => typeOf(how));
    expect(SYNTHETIC_TYPES.filter((type) => !types.includes(type))).toEqual([]);
  });

  it("by default draws no type that can make a picture better", () => {
    const mending: readonly string[] = MAY_IMPROVE;
    expect(AugmentConfig.parse({}).types.filter((type) => mending.includes(type))).toEqual([]);
    expect(new Set([...ALWAYS_WORSE, ...MAY_IMPROVE])).toEqual(new Set(SYNTHETIC_TYPES));
  });
});

describe("distort between levels", () => {
  it("goes in a straight line from level to level, and to whole strengths where nothing else makes sense", async () => {
    expect(betweenLevels([1, 2, 4, 8, 16], 3.25)).toBe(5);
    expect(betweenLevels([1, 2, 4, 8, 16], 5)).toBe(16);
    expect(() => betweenLevels([1, 2, 3, 4, 5], 5.1)).toThrow("level must be from 1 to 5, got 5.1");
    const at = (type: "lens" | "jpeg compression", level: number) => distort(image, { type, level }, seededRandom(1));
    const [low, middle, high] = [await at("lens", 2), await at("lens", 2.5), await at("lens", 3)];
    expect(meanSquaredError(image, middle)).toBeGreaterThan(meanSquaredError(image, low));
    expect(meanSquaredError(image, middle)).toBeLessThan(meanSquaredError(image, high));
    expect(isSame(await at("jpeg compression", 4.99), await at("jpeg compression", 5))).toBe(true); // both quality 4
  });
});

describe("drawComposition", () => {
  const drawn = Array.from({ length: 200 }, (_, seed) => drawComposition(SYNTHETIC_TYPES, seededRandom(seed)));

  it("gives two or three different types in varying order, one of them leading", () => {
    for (const { parts, leading } of drawn) {
      expect(new Set(parts.map(({ type }) => type)).size).toBe(parts.length);
      expect(parts.filter(({ behind }) => behind === 0).map(({ type }) => type)).toEqual([leading]);
      expect(parts.filter(({ behind }) => behind !== 0).every(({ behind }) => behind >= 0.5 && behind <= 2)).toBe(true);
    }
    expect(new Set(drawn.map(({ parts }) => parts.length))).toEqual(new Set([2, 3]));
    expect(new Set(drawn.map(({ parts, leading }) => parts.findIndex(({ type }) => type === leading))).size).toBe(3);
  });

  it("never gives two types that could undo each other", () => {
    const tones = ["brighten", "darken", "shifting the mean", "contrast"];
    expect(drawn.every(({ parts }) => parts.filter(({ type }) => tones.includes(type)).length <= 1)).toBe(true);
    expect(drawn.some(({ parts }) => parts.some(({ type }) => tones.includes(type)))).toBe(true);
  });

  it("is applied part by part, each behind by its own number of levels", async () => {
    const parts = [
      { type: "lens", behind: 1 },
      { type: "impulse", behind: 0 },
    ] as const;
    const blurred = await distort(image, { type: "lens", level: 2 }, seededRandom(9, "part", 0));
    const both = await distort(blurred, { type: "impulse", level: 3 }, seededRandom(9, "part", 1));
    expect(isSame(await compose(image, { parts, leading: "impulse" }, { level: 3, seed: 9 }), both)).toBe(true);
    const alone = await distort(image, { type: "impulse", level: 1.5 }, seededRandom(9, "part", 1));
    expect(isSame(await compose(image, { parts, leading: "impulse" }, { level: 1.5, seed: 9 }), alone)).toBe(true); // no level for the blur
  });
});

describe("throughCamera", () => {
  it("has each stage at fault for some seed, and lists know its name", () => {
    const faults = new Set(seeds.map((seed) => CAMERA_FAULTS[drawCameraPipeline(seededRandom(seed)).leading]));
    expect(faults).toEqual(new Set(["realistic blur", "realistic noise", "sharpness", "jpeg compression"]));
    expect([...faults].filter((fault) => !known.includes(fault))).toEqual([]);
  });

  it("leaves a plain grey nearly as it is while nothing is at fault but a blur", async () => {
    const grey = plain(64, 64, [120, 120, 120]);
    const usual = { defocus: 0.5, noise: 0, sharpening: 0.4, compression: 95 };
    const taken = await throughCamera(grey, { leading: "defocus", usual }, { level: 5, seed: 1 });
    expect(Math.max(...taken.pixels.map((sample) => Math.abs(sample - 120)))).toBeLessThanOrEqual(1);
  });

  it("records one colour a place and interpolates the others: a flat colour comes back", () => {
    const flat = plain(8, 10, [200, 90, 30]);
    const raw = exposeSensor(flat, 0, seededRandom(1));
    expect(raw.values).toHaveLength(80);
    expect(isSame(demosaic(raw), flat)).toBe(true);
  });

  it("adds noise whose variance grows with the light", () => {
    const spread = (level: number) => {
      const { values } = exposeSensor(plain(128, 128, [level, level, level]), 0.01, seededRandom(2));
      const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
      return values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
    };
    // sRGB 188 is half the light, 137 a quarter: 0.01 · (light + 0.02), from 16,384 draws
    expect([spread(188), spread(137)]).toBeAllClose([0.0052, 0.0027], { rtol: 0.06, atol: 0 });
  });
});
