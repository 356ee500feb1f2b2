import { type Random, seededRandom } from "../../base/random.js";
import type { Image } from "../../model/preprocess/image.js";
import { distort } from "./distortions.js";
import type { SyntheticType } from "./types.js";

/** One of several distortions on top of each other. */
interface Part {
  readonly type: SyntheticType;
  /** Levels by which it stays behind the composition's own; it is left out while it has none. */
  readonly behind: number;
}

/** Distortions in the order in which they are applied; the one with nothing behind is what the picture suffers from. */
export interface Composition {
  readonly parts: readonly Part[];
  readonly leading: SyntheticType;
}

/** How far behind the others may be, in levels. */
const LEAST_BEHIND = 0.5;
const MOST_BEHIND = 2;

/** Types that move tones up or down, so that two of them could undo each other. */
const TONES: readonly SyntheticType[] = ["brighten", "darken", "shifting the mean", "contrast"];

/**
 * Two or three types, their order, which of them leads and how far behind the others are.
 *
 * @param types  to choose from
 */
export function drawComposition(types: readonly SyntheticType[], random: Random): Composition {
  const shuffled = random.shuffle(types);
  const tone = shuffled.find((type) => TONES.includes(type));
  const chosen = shuffled.filter((type) => type === tone || !TONES.includes(type)).slice(0, 2 + random.integer(2));
  const leading = chosen[random.integer(chosen.length)];
  if (leading === undefined) throw new RangeError("drawComposition: types must hold at least one type, got none");
  const span = MOST_BEHIND - LEAST_BEHIND;
  const parts = chosen.map((type) => ({
    type,
    behind: type === leading ? 0 : LEAST_BEHIND + span * random.uniform(),
  }));
  return { parts, leading };
}

/**
 * A picture with several distortions, all of them stronger at a higher level; the same arguments give the same pixels.
 *
 * @param level  of the leading one, 1 to 5
 * @param seed   of grains, directions and places; levels of one seed differ in strength alone
 */
export async function compose(image: Image, { parts }: Composition, level: number, seed: number): Promise<Image> {
  let distorted = image;
  for (const [i, { type, behind }] of parts.entries()) {
    if (level - behind < 1) continue;
    distorted = await distort(distorted, type, level - behind, seededRandom(seed, "part", i));
  }
  return distorted;
}
