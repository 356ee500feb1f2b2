import { opinionOf, type SyntheticType } from "../distortions/distortions.js";
import type { Level } from "../distortions/level.js";

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
