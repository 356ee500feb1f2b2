import bezkrovny from "ssim.js/dist/bezkrovnySsim.js";
import type { Options } from "ssim.js/dist/types.js";
import type { RgbImage } from "../distortions/field.js";

/** Stabilizers, scale and window of the paper (Wang et al. 2004), as ssim.js has them by default. */
const OPTIONS: Options = {
  ssim: "bezkrovny",
  windowSize: 11,
  k1: 0.01,
  k2: 0.03,
  bitDepth: 8,
  rgb2grayVersion: "integer",
  downsample: false,
};

/**
 * The structural similarity (SSIM) of distorted pictures to one original, 1 for equal ones.
 *
 * The mode "bezkrovny" of ssim.js: windows of 11 x 11 side by side, at full size. Called below its front door, so that
 * the original turns grey only once: 5 ms for a picture of 481 x 321, with the same results. Its mode "weber" takes 70
 * and the paper's sliding Gaussian window 140; on noise the three agree within 0.08.
 */
export function structuralSimilarityTo(original: RgbImage): (distorted: RgbImage) => number {
  const reference = grey(original);
  return (distorted) => {
    const map: readonly number[] = bezkrovny.bezkrovnySsim(reference, grey(distorted), OPTIONS).data;
    return map.reduce((sum, similarity) => sum + similarity, 0) / map.length;
  };
}

/** Luma in whole numbers, with the weights of ssim.js: 77, 150 and 29 in 256. */
function grey({ rows, cols, pixels }: RgbImage): { data: number[]; width: number; height: number } {
  const data: number[] = [];
  for (let p = 0; p < pixels.length; p += 3) {
    data.push((77 * (pixels[p] ?? 0) + 150 * (pixels[p + 1] ?? 0) + 29 * (pixels[p + 2] ?? 0) + 128) >> 8);
  }
  return { data, width: cols, height: rows };
}
