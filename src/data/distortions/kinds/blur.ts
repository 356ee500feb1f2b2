import type { Random } from "../../../base/random.js";
import type { Image } from "../../../model/preprocess/image.js";
import { type Field, luma, toField, toImage } from "../field.js";
import type { RecipeTable } from "../types.js";
import { boxMean, convolve, diskKernel, gaussianKernel, motionKernel } from "./convolve.js";

export const BLURS = {
  "gaussian blur": { apply: gaussianBlur, strength: [0.5, 1, 2, 3, 5], mos: [4.4, 2.9, 1.85, 1.6, 1.3] },
  lens: { apply: lensBlur, strength: [1, 2, 4, 6, 8], mos: [3.85, 2.65, 1.75, 1.45, 1.3] },
  motion: { apply: motionBlur, strength: [2, 4, 6, 8, 10], mos: [4.1, 2.85, 2.15, 1.9, 1.65] },
  shifting: { apply: shiftGreen, strength: [1, 3, 6, 8, 12], mos: [4.2, 2.5, 1.95, 1.9, 1.85] },
} satisfies RecipeTable;

/** Gaussian blur. @param sigma standard deviation in pixels */
function gaussianBlur(image: Image, sigma: number): Image {
  const across = convolve(toField(image), gaussianKernel(sigma, "right"));
  return toImage(convolve(across, gaussianKernel(sigma, "down")));
}

/** Blur out of focus. @param radius of the blur disk in pixels */
function lensBlur(image: Image, radius: number): Image {
  return toImage(convolve(toField(image), diskKernel(radius)));
}

/** Blur of a camera that moved in a straight line, in a random direction. @param length of the path in pixels */
function motionBlur(image: Image, length: number, random: Random): Image {
  return toImage(convolve(toField(image), motionKernel(length, random.uniform() * Math.PI)));
}

/** Half the width of the square over which edge strength is smoothed, in pixels. */
const EDGE_RADIUS = 4;

/**
 * Shifts the green plane against the others in a random direction, where there are edges: colored fringes.
 * KADID-10k's "color shift", which LIQE counts among the blurs. Green becomes g + e·(shifted g − g), e being the
 * smoothed gradient of the luma, scaled to 0 to 1.
 * @param distance in pixels
 */
function shiftGreen(image: Image, distance: number, random: Random): Image {
  const { rows, cols, pixels } = image;
  const angle = 2 * Math.PI * random.uniform();
  const down = Math.round(distance * Math.sin(angle));
  const right = Math.round(distance * Math.cos(angle));
  const edges = edgeStrength(image).values;
  const shifted = Uint8Array.from(pixels);
  for (let row = 0; row < rows; row++) {
    const sourceRow = Math.min(rows - 1, Math.max(0, row - down)) * cols;
    for (let col = 0; col < cols; col++) {
      const source = (sourceRow + Math.min(cols - 1, Math.max(0, col - right))) * 3 + 1;
      const at = row * cols + col;
      const green = pixels[at * 3 + 1] ?? 0;
      shifted[at * 3 + 1] = Math.round(green + (edges[at] ?? 0) * ((pixels[source] ?? 0) - green));
    }
  }
  return { rows, cols, pixels: shifted };
}

/** Smoothed gradient of the luma, [rows, cols]: 0 where it is weakest, 1 where it is strongest. */
function edgeStrength(image: Image): Field {
  const { rows, cols, values: y } = luma(image);
  const gradient = new Float32Array(rows * cols);
  for (let row = 1; row < rows - 1; row++) {
    for (let at = row * cols + 1; at < (row + 1) * cols - 1; at++) {
      const across = (y[at + 1] ?? 0) - (y[at - 1] ?? 0);
      const down = (y[at + cols] ?? 0) - (y[at - cols] ?? 0);
      gradient[at] = Math.sqrt(across * across + down * down);
    }
  }
  const smooth = boxMean({ rows, cols, channels: 1, values: gradient }, EDGE_RADIUS);
  let [low, high] = [Infinity, 0];
  for (const strength of smooth.values) {
    low = Math.min(low, strength);
    high = Math.max(high, strength);
  }
  const scale = high > low ? 1 / (high - low) : 0;
  for (let i = 0; i < smooth.values.length; i++) smooth.values[i] = ((smooth.values[i] ?? 0) - low) * scale;
  return smooth;
}
