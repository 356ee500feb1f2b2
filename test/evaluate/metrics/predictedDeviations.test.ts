import { describe, expect, it } from "vitest";
import type { MappingResult } from "../../../src/evaluate/mapping/fitMapping.js";
import { predictedDeviations } from "../../../src/evaluate/metrics/predictedDeviations.js";

interface Image {
  readonly mos: number;
  readonly mosStd: number | null;
  /** Probabilities of the levels. */
  readonly levels: readonly number[];
  /** Qualities of the windows. */
  readonly windows: readonly number[];
}

const scored = ({ mos, mosStd, levels, windows }: Image) => ({
  mos,
  mosStd,
  quality: levels.reduce((sum, p, i) => sum + p * (i + 1), 0),
  probabilities: { quality: levels, scene: [], distortion: [] },
  crops: { rows: 1, cols: 1, window: 224, scores: windows.map((quality) => ({ top: 0, left: 0, quality })) },
});

/** MOS = 20·quality. */
const LINE: MappingResult = {
  ok: true,
  mapping: {
    apply: (predicted) => Float64Array.from(predicted, (quality) => 20 * quality),
    parameters: [],
    iterations: 0,
    starts: { tried: 0, converged: 0 },
  },
};

/** Deviations over the levels 0, 1 and 2; over the windows 1, 0 and 0.5. */
const IMAGES: Image[] = [
  { mos: 60, mosStd: 10, levels: [0, 0, 1, 0, 0], windows: [2, 4] },
  { mos: 70, mosStd: 20, levels: [0, 0.5, 0, 0.5, 0], windows: [3, 3] },
  { mos: 30, mosStd: 40, levels: [0.5, 0, 0, 0, 0.5], windows: [2.5, 3.5] },
];

describe("predictedDeviations", () => {
  it("are means and correlations over the levels and over the windows, by hand", () => {
    const { levels, windows } = predictedDeviations(IMAGES.map(scored), LINE);
    expect(levels.mean).toEqual({ value: 1 });
    expect(levels.withOpinions).toEqual({ value: 1 });
    expect(levels.withErrors).toEqual({ value: 1 }); // errors 0, 10 and 30
    // Deviations 0, 20 and 40 on the scale of MOS; people's are 10, 20 and 40
    expect(levels.width.value).toBeCloseTo(Math.sqrt(2000 / 2100), 12);
    expect(windows.mean).toEqual({ value: 0.5 });
    expect(windows.withOpinions.value).toBeCloseTo(-0.5, 12); // ranks 3, 1, 2 beside 1, 2, 3
    expect(windows.width.value).toBeCloseTo(Math.sqrt(500 / 2100), 12);
  });

  it("do not change when all of people's deviations are twice as wide, but for the width", () => {
    const twice = IMAGES.map((image) => ({ ...image, mosStd: 2 * (image.mosStd ?? NaN) }));
    const [before, after] = [IMAGES, twice].map((images) => predictedDeviations(images.map(scored), LINE).levels);
    expect(after?.withOpinions).toEqual(before?.withOpinions);
    expect(after?.width.value).toBeCloseTo((before?.width.value ?? NaN) / 2, 12);
  });

  it("leave out images without a deviation of their opinions, and say where there is none", () => {
    const some = [...IMAGES, { mos: 1, mosStd: null, levels: [1, 0, 0, 0, 0], windows: [1, 1] }];
    const { levels } = predictedDeviations(some.map(scored), LINE);
    expect(levels.withOpinions).toEqual({ value: 1 });
    expect(levels.mean).toEqual({ value: 0.75 });
    const none = IMAGES.map((image) => ({ ...image, mosStd: null }));
    const without = predictedDeviations(none.map(scored), LINE).levels;
    expect(without.withOpinions).toEqual({ value: null, reason: "no deviations of the opinion scores" });
    expect(without.width).toEqual(without.withOpinions);
    expect(without.withErrors).toEqual({ value: 1 });
  });

  it("have a reason where nothing is predicted, no curve fits, or all deviations are one", () => {
    const bare = IMAGES.map((image) => ({ ...image, levels: [], windows: [3] }));
    const reason = "no predicted deviations";
    const { levels, windows } = predictedDeviations(bare.map(scored), LINE);
    for (const { mean, withOpinions, width, withErrors } of [levels, windows]) {
      for (const value of [mean, withOpinions, width, withErrors]) expect(value).toEqual({ value: null, reason });
    }
    const unmapped = predictedDeviations(IMAGES.map(scored), { ok: false, reason: "too few images" }).levels;
    expect(unmapped.width).toEqual({ value: null, reason: "too few images" });
    expect(unmapped.withOpinions).toEqual({ value: 1 });
    const same = IMAGES.map((image) => ({ ...image, levels: [0, 0.5, 0, 0.5, 0] }));
    const constant = predictedDeviations(same.map(scored), LINE).levels.withOpinions;
    expect(constant).toEqual({ value: null, reason: "constant predicted deviations" });
  });
});
