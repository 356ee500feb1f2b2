import { type Random, seededRandom } from "../../base/random.js";
import { CROP_BYTES, cutTrainingCrops } from "../../model/preprocess/crops.js";
import { type Image, sized, type SizedImage } from "../../model/preprocess/image.js";
import { resizeBilinear } from "../../model/preprocess/resize.js";
import {
  type CameraPipeline,
  type CameraFault,
  drawCameraPipeline,
  faultOf,
  throughCamera,
} from "../distortions/camera.js";
import { compose, type Composition, drawComposition } from "../distortions/composition.js";
import { distort, type SyntheticType } from "../distortions/distortions.js";
import { type Level, LEVELS } from "../distortions/types.js";
import type { AugmentConfig } from "./config.js";

/**
 * The part of a picture that is distorted: as large as KADID-10k's pictures at most, for which the strengths were made
 * (a hundred displaced patches are many in a window and few in twelve megapixels).
 */
const REGION = { rows: 384, cols: 512 } as const;

/** What an image was made into. */
export interface Versions {
  /** Weakest first. */
  readonly levels: readonly Level[];
  /** What each suffers from, by LIQE's lists. */
  readonly type: ReturnType<typeof typeOf>;
}

interface VersionsOptions extends AugmentConfig {
  readonly crops: number;
  readonly seed: number;
  readonly epoch: number;
  readonly step: number;
  readonly database: string;
  /** Path of the image as its list has it. */
  readonly name: string;
}

/**
 * Cuts crops of one image at several levels of one degradation, all with the same grains, flip and windows. They are a
 * function of the image and (seed, epoch, step, database, name) alone.
 *
 * @param out  [versions · crops, 224, 224, 3], written to
 */
export async function cutVersions(
  image: SizedImage,
  out: Uint8Array,
  { crops, seed, epoch, step, database, name, ...config }: VersionsOptions,
): Promise<Versions> {
  const key = ["augment", epoch, step, database, name] as const;
  const random = seededRandom(seed, ...key);
  const how: Degradation = drawDegradation(config, random);
  const levels = random
    .shuffle(LEVELS)
    .slice(0, config.versions)
    .toSorted((a, b) => a - b);
  const grains = random.integer(2 ** 31);
  const region = cutRegion(image, random.uniform(), random.uniform());
  for (const [i, level] of levels.entries()) {
    const version = await degrade(region, how, level, grains);
    const windows = seededRandom(seed, "windows", ...key);
    cutTrainingCrops(sized(version), crops, windows, out, i * crops * CROP_BYTES);
  }
  return { levels, type: typeOf(how) };
}

/** A region of the picture, all of it where it is no larger. @param down, right  where, from 0 to below 1 */
function cutRegion({ rows, cols, source }: SizedImage, down: number, right: number): Image {
  const [height, width] = [Math.min(rows, REGION.rows), Math.min(cols, REGION.cols)];
  const top = Math.floor(down * (rows - height + 1));
  const left = Math.floor(right * (cols - width + 1));
  return resizeBilinear(source, rows, cols, { top, left, rows: height, cols: width });
}

/** A way to make a picture worse, the more the higher the level. */
type Degradation =
  | { readonly kind: "single"; readonly type: SyntheticType }
  | { readonly kind: "composition"; readonly composition: Composition }
  | { readonly kind: "camera"; readonly chain: CameraPipeline };

export function drawDegradation({ kinds, types }: Pick<AugmentConfig, "kinds" | "types">, random: Random): Degradation {
  const kind = kinds[random.integer(kinds.length)];
  if (kind === "camera") return { kind, chain: drawCameraPipeline(random) };
  if (kind === "composition") return { kind, composition: drawComposition(types, random) };
  const type = types[random.integer(types.length)];
  if (type === undefined) throw new RangeError("drawDegradation: kinds and types must not be empty");
  return { kind: "single", type };
}

/** The picture at a level, 1 to 5; a pure function of its arguments. */
export async function degrade(image: Image, how: Degradation, level: number, seed: number): Promise<Image> {
  if (how.kind === "camera") return throughCamera(image, how.chain, level, seed);
  if (how.kind === "composition") return compose(image, how.composition, level, seed);
  return distort(image, how.type, level, seededRandom(seed, "single"));
}

/** The type, by LIQE's lists, that the picture suffers from most. */
export function typeOf(how: Degradation): SyntheticType | CameraFault {
  if (how.kind === "camera") return faultOf(how.chain);
  return how.kind === "composition" ? how.composition.leading : how.type;
}
