import { type Random, seededRandom } from "../../base/random.js";
import { cropBytes, cutTrainingCrops } from "../../model/preprocess/crops.js";
import { type Image, sized, type SizedImage } from "../../model/preprocess/image.js";
import { resizeBilinear } from "../../model/preprocess/resize.js";
import { CAMERA_FAULTS, drawCameraPipeline, throughCamera } from "../distortions/camera.js";
import { distort } from "../distortions/distortions.js";
import { type Level, LEVELS, type SyntheticType } from "../distortions/types.js";
import type { AugmentConfig } from "./config.js";

/**
 * Size of the distorted part of a picture: as large as KADID-10k's pictures at most, for which the strengths were made
 * (a hundred displaced patches are many in a window and few in twelve megapixels).
 */
const REGION = { rows: 384, cols: 512 } as const;

interface Versions {
  /** Weakest first. */
  readonly levels: readonly Level[];
  /** Type of LIQE's lists that all of them suffer from. */
  readonly type: string;
}

interface VersionsOptions extends AugmentConfig {
  readonly crops: number;
  /** Side of a crop in pixels. */
  readonly window: number;
  readonly seed: number;
  readonly epoch: number;
  readonly step: number;
  readonly database: string;
  /** Path of the image as its list has it. */
  readonly name: string;
}

/**
 * Cuts crops of one image at several levels of one degradation, with the same grains, flip and windows: a function of
 * the image and (seed, epoch, step, database, name) alone.
 * @param out  [versions · crops, window, window, 3], written to
 */
export async function cutVersions(image: SizedImage, out: Uint8Array, options: VersionsOptions): Promise<Versions> {
  const { crops, window, seed, epoch, step, database, name } = options;
  const key = ["augment", epoch, step, database, name] as const;
  const random = seededRandom(seed, ...key);
  const how = drawDegradation(options, random);
  const levels = random
    .shuffle(LEVELS)
    .slice(0, options.versions)
    .toSorted((a, b) => a - b);
  const grains = random.integer(2 ** 31);
  const corner = { down: random.uniform(), right: random.uniform() };
  const region = cutRegion(image, corner, window);
  for (const [i, level] of levels.entries()) {
    const version = await degrade(region, how, { level, seed: grains });
    const draw = { crops, window, random: seededRandom(seed, "windows", ...key) };
    cutTrainingCrops(sized(version), draw, out.subarray(i * crops * cropBytes(window)));
  }
  return { levels, type: typeOf(how) };
}

/** Region of a picture, all of it where it is no larger; a window fits in. @param corner  place, from 0 to below 1 */
function cutRegion(
  { rows, cols, source }: SizedImage,
  { down, right }: { readonly down: number; readonly right: number },
  window: number,
): Image {
  const height = Math.min(rows, Math.max(REGION.rows, window));
  const width = Math.min(cols, Math.max(REGION.cols, window));
  const top = Math.floor(down * (rows - height + 1));
  const left = Math.floor(right * (cols - width + 1));
  return resizeBilinear(source, rows, cols, { top, left, rows: height, cols: width });
}

/** A way to make a picture worse, the more the higher the level. */
type Degradation =
  | { readonly kind: "single"; readonly type: SyntheticType }
  | { readonly kind: "composition"; readonly composition: Composition }
  | { readonly kind: "camera"; readonly chain: ReturnType<typeof drawCameraPipeline> };

export function drawDegradation({ kinds, types }: Pick<AugmentConfig, "kinds" | "types">, random: Random): Degradation {
  const kind = kinds[random.integer(kinds.length)];
  if (kind === "camera") return { kind, chain: drawCameraPipeline(random) };
  if (kind === "composition") return { kind, composition: drawComposition(types, random) };
  const type = types[random.integer(types.length)];
  if (type === undefined) throw new RangeError("drawDegradation: kinds and types must not be empty");
  return { kind: "single", type };
}

interface Strength {
  /** 1 to 5. */
  readonly level: number;
  /** Seed of grains, directions and places; levels of one seed differ in strength alone. */
  readonly seed: number;
}

/** Degrades a picture; a pure function of its arguments. */
export async function degrade(image: Image, how: Degradation, strength: Strength): Promise<Image> {
  if (how.kind === "camera") return throughCamera(image, how.chain, strength);
  if (how.kind === "composition") return compose(image, how.composition, strength);
  return distort(image, { type: how.type, level: strength.level }, seededRandom(strength.seed, "single"));
}

/** Type of LIQE's lists that the picture suffers from most. */
export function typeOf(how: Degradation): string {
  if (how.kind === "camera") return CAMERA_FAULTS[how.chain.leading];
  return how.kind === "composition" ? how.composition.leading : how.type;
}

/** Distortions in the order in which they are applied; the leading one is what the picture suffers from. */
interface Composition {
  readonly parts: readonly {
    readonly type: SyntheticType;
    /** Levels that it is weaker than the composition, 0 for the leading one; below level 1 it is left out. */
    readonly behind: number;
  }[];
  readonly leading: SyntheticType;
}

/** Range of `behind` of the others, in levels. */
const LEAST_BEHIND = 0.5;
const MOST_BEHIND = 2;

/** Types that move tones up or down, so that two of them could undo each other. */
const TONE_TYPES: readonly SyntheticType[] = ["brighten", "darken", "shifting the mean", "contrast"];

/** Draws two or three of the types, their order, the leading one and the levels that the others are behind. */
export function drawComposition(types: readonly SyntheticType[], random: Random): Composition {
  const shuffled = random.shuffle(types);
  const tone = shuffled.find((type) => TONE_TYPES.includes(type));
  const chosen = shuffled.filter((type) => type === tone || !TONE_TYPES.includes(type)).slice(0, 2 + random.integer(2));
  const leading = chosen[random.integer(chosen.length)];
  if (leading === undefined) throw new RangeError("drawComposition: types must hold at least one type, got none");
  const span = MOST_BEHIND - LEAST_BEHIND;
  const parts = chosen.map((type) => ({ type, behind: type === leading ? 0 : LEAST_BEHIND + span * random.uniform() }));
  return { parts, leading };
}

/** Applies a composition; the same arguments give the same pixels. */
export async function compose(image: Image, { parts }: Composition, { level, seed }: Strength): Promise<Image> {
  let distorted = image;
  for (const [i, { type, behind }] of parts.entries()) {
    if (level - behind < 1) continue;
    distorted = await distort(distorted, { type, level: level - behind }, seededRandom(seed, "part", i));
  }
  return distorted;
}
