import bezkrovny from "ssim.js/dist/bezkrovnySsim.js";
import type { Options } from "ssim.js/dist/types.js";
import type { Image } from "../../model/preprocess/image.js";
import { opinionOf, type SyntheticType } from "../distortions/distortions.js";
import type { Level } from "../distortions/types.js";

/** What viewers thought of type and level counts for this much, what the metric says of this picture for the rest. */
const OPINION_WEIGHT = 0.75;

/** The similarity that counts as bad (1); perfect (5) is 1, and between them the scale is straight. */
const WORST_SIMILARITY = 0.4;

/** For `synthesis.json`: how the numbers came about. */
export const PROXY_MOS_RECIPE =
  `proxy MOS, not opinions of viewers on these pictures: ${OPINION_WEIGHT} x (mean opinion of KADID-10k's viewers on ` +
  `this type and level, 1 to 5) + ${1 - OPINION_WEIGHT} x (1 + 4 x (SSIM - ${WORST_SIMILARITY}) / ` +
  `${1 - WORST_SIMILARITY}, within 1 to 5); higher is better`;

/**
 * A stand-in for the mean opinion score of a distorted picture that nobody has rated: 1 (bad) to 5 (perfect).
 *
 * Two things are joined. A level alone does not say how bad a picture looks: level 3 of darkening is hardly noticed,
 * level 3 of a lens blur ruins it. What 2,209 viewers of KADID-10k thought, on average, of each type at each level puts
 * the types on one scale, and that scale is one of visible damage, so a model that sees only the picture can learn it
 * (weight 0.75). But one and the same noise hides in grass and shows in a sky: SSIM against the original tells the
 * pictures of one type and level apart (weight 0.25). SSIM alone would not do, since it hardly sees colour.
 *
 * What it cannot have: the taste of viewers for contents, and the interplay of several distortions.
 *
 * @param similarity  SSIM to the undistorted photograph, at most 1
 */
export function proxyMos(type: SyntheticType, level: Level, similarity: number): number {
  const seen = 1 + (4 * (similarity - WORST_SIMILARITY)) / (1 - WORST_SIMILARITY);
  const metric = Math.min(5, Math.max(1, seen));
  return OPINION_WEIGHT * opinionOf(type, level) + (1 - OPINION_WEIGHT) * metric;
}

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
export function ssimTo(original: Image): (distorted: Image) => number {
  const reference = grey(original);
  return (distorted) => {
    const map: readonly number[] = bezkrovny.bezkrovnySsim(reference, grey(distorted), OPTIONS).data;
    return map.reduce((sum, similarity) => sum + similarity, 0) / map.length;
  };
}

/** Luma in whole numbers, with the weights of ssim.js: 77, 150 and 29 in 256. */
function grey({ rows, cols, pixels }: Image): { data: number[]; width: number; height: number } {
  const data: number[] = [];
  for (let p = 0; p < pixels.length; p += 3) {
    data.push((77 * (pixels[p] ?? 0) + 150 * (pixels[p + 1] ?? 0) + 29 * (pixels[p + 2] ?? 0) + 128) >> 8);
  }
  return { data, width: cols, height: rows };
}
