import type { Random } from "../../../base/random.js";
import type { Image } from "../../../model/preprocess/image.js";
import { type Field, normalSamples, toField, toImage } from "../field.js";
import type { RecipeTable } from "../types.js";
import { boxMean } from "./convolve.js";

export const NOISES = {
  "white noise": { apply: whiteNoise, strength: [0.001, 0.002, 0.003, 0.005, 0.01], mos: [3.9, 3.4, 3.05, 2.7, 2.3] },
  "white with color": {
    apply: coloredNoise,
    strength: [0.0001, 0.0005, 0.001, 0.002, 0.003],
    mos: [4.45, 3.7, 3.15, 2.7, 2.4],
  },
  impulse: { apply: impulseNoise, strength: [0.001, 0.005, 0.01, 0.02, 0.03], mos: [3.6, 2.95, 2.65, 2.3, 2.15] },
  multiplicative: { apply: speckle, strength: [0.001, 0.005, 0.01, 0.02, 0.05], mos: [4.4, 3.55, 3.1, 2.65, 2.1] },
  "white noise with denoise": {
    apply: denoised,
    strength: [0.01, 0.03, 0.05, 0.1, 0.15],
    mos: [3.65, 2.7, 2.2, 1.65, 1.45],
  },
} satisfies RecipeTable;

/** White Gaussian noise, alike in red, green and blue. @param variance of samples scaled to 0 to 1 */
function whiteNoise(image: Image, variance: number, random: Random): Image {
  return toImage(addNoise(image, 255 * Math.sqrt(variance), random));
}

/** White Gaussian noise in Y'CbCr (ITU-R BT.601, full range): colored. @param variance of samples scaled to 0 to 1 */
function coloredNoise(image: Image, variance: number, random: Random): Image {
  const { rows, cols, pixels } = image;
  const sigma = 255 * Math.sqrt(variance);
  const noise = normalSamples(pixels.length, random);
  const values = new Float32Array(pixels.length);
  for (let p = 0; p < pixels.length; p += 3) {
    const y = sigma * (noise[p] ?? 0);
    const blue = sigma * (noise[p + 1] ?? 0);
    const red = sigma * (noise[p + 2] ?? 0);
    // Y'CbCr to RGB is linear, so the noise is converted alone and added.
    values[p] = (pixels[p] ?? 0) + y + 1.402 * red;
    values[p + 1] = (pixels[p + 1] ?? 0) + y - 0.344136 * blue - 0.714136 * red;
    values[p + 2] = (pixels[p + 2] ?? 0) + y + 1.772 * blue;
  }
  return toImage({ rows, cols, channels: 3, values });
}

/** Salt and pepper in each color plane. @param density share of the samples that turn 0 or 255, half of them each */
function impulseNoise({ rows, cols, pixels }: Image, density: number, random: Random): Image {
  const hit = Uint8Array.from(pixels);
  for (let i = 0; i < hit.length; i++) {
    const chance = random.uniform();
    if (chance < density / 2) hit[i] = 0;
    else if (chance >= 1 - density / 2) hit[i] = 255;
  }
  return { rows, cols, pixels: hit };
}

/** Speckle: x + x·n with n uniform of mean 0. @param variance of n */
function speckle({ rows, cols, pixels }: Image, variance: number, random: Random): Image {
  const halfWidth = Math.sqrt(3 * variance); // a uniform number in ±h has the variance h²/3
  const values = new Float32Array(pixels.length);
  for (let i = 0; i < values.length; i++) {
    values[i] = (pixels[i] ?? 0) * (1 + halfWidth * (2 * random.uniform() - 1));
  }
  return toImage({ rows, cols, channels: 3, values });
}

/** Half the width of the Wiener filter's window, in pixels. */
const WIENER_RADIUS = 3;

/**
 * White noise, then an adaptive Wiener filter (Lim 1990) that knows the noise's variance: flat parts come out smooth and
 * blotchy, edges stay noisy. KADID-10k removes the same noise with a network, DnCNN; what remains differs in kind.
 * @param variance of the noise, of samples scaled to 0 to 1
 */
function denoised(image: Image, variance: number, random: Random): Image {
  const noisy = toField(toImage(addNoise(image, 255 * Math.sqrt(variance), random)));
  const means = boxMean(noisy, WIENER_RADIUS).values;
  const squares = Float32Array.from(noisy.values);
  for (let i = 0; i < squares.length; i++) squares[i] = (squares[i] ?? 0) ** 2;
  const meanSquares = boxMean({ ...noisy, values: squares }, WIENER_RADIUS).values;
  const noisePower = 255 * 255 * variance;
  for (let i = 0; i < means.length; i++) {
    const mean = means[i] ?? 0;
    const power = (meanSquares[i] ?? 0) - mean * mean;
    const kept = power > noisePower ? (power - noisePower) / power : 0;
    means[i] = mean + kept * ((noisy.values[i] ?? 0) - mean);
  }
  return toImage({ ...noisy, values: means });
}

function addNoise({ rows, cols, pixels }: Image, sigma: number, random: Random): Field {
  const values = normalSamples(pixels.length, random);
  for (let i = 0; i < values.length; i++) values[i] = (pixels[i] ?? 0) + sigma * (values[i] ?? 0);
  return { rows, cols, channels: 3, values };
}
