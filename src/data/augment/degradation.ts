import { type Random, seededRandom } from "../../base/random.js";
import { type CameraChain, type CameraFault, drawCameraChain, faultOf, throughCamera } from "../distortions/camera.js";
import { compose, type Composition, drawComposition } from "../distortions/composition.js";
import { distort, type SyntheticType } from "../distortions/distortions.js";
import type { RgbImage } from "../distortions/field.js";
import type { AugmentConfig } from "./config.js";

/** A way to make a picture worse, the more the higher the level. */
export type Degradation =
  | { readonly kind: "single"; readonly type: SyntheticType }
  | { readonly kind: "composition"; readonly composition: Composition }
  | { readonly kind: "camera"; readonly chain: CameraChain };

export function drawDegradation({ kinds, types }: Pick<AugmentConfig, "kinds" | "types">, random: Random): Degradation {
  const kind = kinds[random.integer(kinds.length)];
  if (kind === "camera") return { kind, chain: drawCameraChain(random) };
  if (kind === "composition") return { kind, composition: drawComposition(types, random) };
  const type = types[random.integer(types.length)];
  if (type === undefined) throw new RangeError("drawDegradation: kinds and types must not be empty");
  return { kind: "single", type };
}

/** The picture at a level, 1 to 5; a pure function of its arguments. */
export async function degrade(image: RgbImage, how: Degradation, level: number, seed: number): Promise<RgbImage> {
  if (how.kind === "camera") return throughCamera(image, how.chain, level, seed);
  if (how.kind === "composition") return compose(image, how.composition, level, seed);
  return distort(image, how.type, level, seededRandom(seed, "single"));
}

/** The type, by LIQE's lists, that the picture suffers from most. */
export function typeOf(how: Degradation): SyntheticType | CameraFault {
  if (how.kind === "camera") return faultOf(how.chain);
  return how.kind === "composition" ? how.composition.leading : how.type;
}
