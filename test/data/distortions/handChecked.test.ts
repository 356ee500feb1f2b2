import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { normalSamples } from "../../../src/data/distortions/field.js";
import { COLOR_CHANGES, fromLab, toLab } from "../../../src/data/distortions/kinds/color.js";
import { COMPRESSIONS } from "../../../src/data/distortions/kinds/compression.js";
import { NOISES } from "../../../src/data/distortions/kinds/noise.js";
import { QUANTIZATIONS } from "../../../src/data/distortions/kinds/quantization.js";
import { nearestOfSmaller, SPATIAL_CHANGES } from "../../../src/data/distortions/kinds/spatial.js";
import { TONES } from "../../../src/data/distortions/kinds/tone.js";
import { greyPicture, isSame, meanSquaredError, photograph, plain, reds } from "./pictures.js";

const { apply: brighten } = TONES.brighten;
const { apply: darken } = TONES.darken;
const { apply: shiftMean } = TONES["shifting the mean"];
const { apply: changeContrast } = TONES.contrast;
const { apply: sharpen } = TONES.sharpness;
const { apply: desaturate } = COLOR_CHANGES.desaturation;
const { apply: oversaturate } = COLOR_CHANGES.oversaturation;
const { apply: whiteNoise } = NOISES["white noise"];
const { apply: impulseNoise } = NOISES.impulse;
const { apply: quantizeSamples } = QUANTIZATIONS.quantization;
const { apply: quantizeColors } = QUANTIZATIONS["color quantization"];
const { apply: pixelate } = SPATIAL_CHANGES.pixelate;
const { apply: colorBlocks } = SPATIAL_CHANGES["color blocking"];
const { apply: jpeg } = COMPRESSIONS["jpeg compression"];
const { apply: jpeg2000 } = COMPRESSIONS["jpeg2000 compression"];
const image = await photograph();

function colorsIn(pixels: Uint8Array): number {
  return new Set(Array.from({ length: pixels.length / 3 }, (_, i) => pixels.slice(3 * i, 3 * i + 3).join())).size;
}

describe("exposure", () => {
  it("brightens and darkens mid-grey by half the amount and leaves black and white", () => {
    const greys = greyPicture([[0, 127, 255]]);
    expect(reds(brighten(greys, 0.4))).toEqual([0, 178, 255]); // 127.5 + 0.2 · 255, near the middle
    expect(reds(darken(greys, 0.4))).toEqual([0, 76, 255]);
  });

  it("shifts every sample by one number and clips", () => {
    const seeds = [0, 1, 2, 3, 4, 5];
    const shifted = seeds.map((seed) => reds(shiftMean(greyPicture([[10, 100, 250]]), 0.2, seededRandom(seed))));
    expect(new Set(shifted.map(String))).toEqual(new Set(["61,151,255", "0,49,199"]));
  });
});

describe("contrast", () => {
  it("stretches about the mean or compresses towards it", () => {
    const seeds = [0, 1, 2, 3, 4, 5];
    const changed = seeds.map((seed) => reds(changeContrast(greyPicture([[80, 120]]), 2, seededRandom(seed))));
    expect(new Set(changed.map(String))).toEqual(new Set(["60,140", "90,110"]));
  });

  it("sharpening leaves a plain picture as it is", () => {
    expect(sharpen(plain(20, 20, [10, 120, 240]), 12)).toEqual(plain(20, 20, [10, 120, 240]));
  });
});

describe("color", () => {
  it("turns a colour grey of its largest sample, and with a negative factor into its complement", () => {
    expect([...desaturate(plain(1, 1, [200, 100, 50]), 0).pixels]).toEqual([200, 200, 200]);
    expect([...desaturate(plain(1, 1, [200, 100, 50]), -0.4).pixels]).toEqual([140, 180, 200]);
  });

  it("converts the sRGB primaries and greys to CIE L*a*b* as published", () => {
    // Lindbloom's calculator for sRGB, D65: red 53.24 80.09 67.20, blue 32.30 79.19 -107.86
    const tolerance = { rtol: 0, atol: 0.02 };
    expect(toLab(plain(1, 1, [255, 0, 0])).values).toBeAllClose([53.24, 80.09, 67.2], tolerance);
    expect(toLab(plain(1, 1, [0, 0, 255])).values).toBeAllClose([32.3, 79.19, -107.86], tolerance);
    expect(toLab(plain(1, 1, [255, 255, 255])).values).toBeAllClose([100, 0, 0], tolerance);
  });

  it("comes back from CIE L*a*b* to the same samples", () => {
    expect(isSame(fromLab(toLab(image)), image)).toBe(true);
  });

  it("leaves greys grey when oversaturating", () => {
    const grey = oversaturate(greyPicture([[0, 50, 128, 200, 255]]), 9);
    expect(reds(grey)).toEqual([0, 50, 128, 200, 255]);
  });
});

describe("noise", () => {
  it("draws normal numbers of mean 0 and variance 1", () => {
    const samples = normalSamples(200_000, seededRandom(3));
    const mean = samples.reduce((sum, x) => sum + x, 0) / samples.length;
    const variance = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    const beyondTwo = samples.filter((x) => Math.abs(x) > 2).length / samples.length;
    // three standard errors of 200,000 draws
    expect([mean, variance, beyondTwo]).toBeAllClose([0, 1, 0.0455], { rtol: 0, atol: 0.0095 });
  });

  it("adds white noise of the variance asked for", () => {
    const grey = plain(128, 128, [128, 128, 128]);
    const error = meanSquaredError(grey, whiteNoise(grey, 0.01, seededRandom(1))) / 255 ** 2;
    expect([error]).toBeAllClose([0.01], { rtol: 0.03, atol: 0 }); // 49,152 draws and rounding
  });

  it("turns the asked share of samples into 0 or 255, half of them each", () => {
    const { pixels } = impulseNoise(plain(256, 256, [128, 128, 128]), 0.02, seededRandom(1));
    const share = (value: number) => pixels.filter((sample) => sample === value).length / pixels.length;
    expect([share(0), share(255), share(128)]).toBeAllClose([0.01, 0.01, 0.98], { rtol: 0.1, atol: 0 });
  });
});

describe("quantization", () => {
  it("rounds samples to evenly spaced levels", () => {
    expect(reds(quantizeSamples(greyPicture([[0, 60, 70, 127, 190, 255]]), 5))).toEqual([0, 64, 64, 128, 191, 255]);
    expect(new Set(quantizeSamples(image, 7).pixels).size).toBeLessThanOrEqual(7);
  });

  it.each([64, 16, 8])("leaves at most %i colours, and that many in a photograph", (colors) => {
    expect(colorsIn(quantizeColors(image, colors).pixels)).toBe(colors);
  });

  it("keeps a picture of fewer colours than asked for", () => {
    const two = greyPicture([[16, 16, 200]]);
    expect(quantizeColors(two, 8)).toEqual(two);
  });
});

describe("spatial", () => {
  it("takes the middle pixel of each block, blocks of equal size where the scale divides the length", () => {
    expect(nearestOfSmaller(9, 1 / 3)).toEqual([1, 1, 1, 4, 4, 4, 7, 7, 7]);
  });

  it("pixelates only with colours of the picture", () => {
    const blocky = pixelate(image, 0.5);
    const scale = 0.95 - 0.5 ** 0.6;
    expect(colorsIn(blocky.pixels)).toBeLessThanOrEqual(Math.floor(128 * scale) * Math.floor(160 * scale));
  });

  it("covers at most 32 x 32 pixels a block", () => {
    const covered = colorBlocks(plain(128, 160, [1, 2, 3]), 3, seededRandom(1)).pixels;
    const changed = Array.from({ length: 128 * 160 }, (_, i) => covered[3 * i] !== 1).filter(Boolean).length;
    expect(changed).toBeGreaterThan(32 * 32);
    expect(changed).toBeLessThanOrEqual(3 * 32 * 32);
  });
});

describe("compression", () => {
  it("keeps a plain grey through JPEG and through JPEG 2000", async () => {
    const grey = plain(64, 64, [128, 128, 128]);
    expect(isSame(await jpeg(grey, 10), grey)).toBe(true);
    expect(meanSquaredError(grey, await jpeg2000(grey, 60))).toBeLessThanOrEqual(1);
  });

  it("keeps what is where through JPEG 2000", async () => {
    expect(meanSquaredError(image, await jpeg2000(image, 4))).toBeLessThan(30); // a ratio of 4: nearly unharmed
  });
});
