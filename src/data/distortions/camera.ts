import { type Random, seededRandom } from "../../base/random.js";
import type { Image } from "../../model/preprocess/image.js";
import { type Field, normalSamples } from "./field.js";
import { BLURS } from "./kinds/blur.js";
import { linearOf, srgbOf } from "./kinds/color.js";
import { COMPRESSIONS } from "./kinds/compression.js";
import { TONES } from "./kinds/tone.js";
import { betweenLevels } from "./types.js";

/** Stages of a camera that can be at fault, in the order of the light's way. */
const STAGES = ["defocus", "noise", "sharpening", "compression"] as const;
type Stage = (typeof STAGES)[number];

/** Camera with one stage at fault; the others have usual strengths. */
interface CameraPipeline {
  readonly leading: Stage;
  /** Strengths of the other stages, in the units of `FAULT`; that of the leading stage is not used. */
  readonly usual: Readonly<Record<Stage, number>>;
}

/** Usual strengths: the ends of a range that they are drawn from. */
const USUAL: Readonly<Record<Stage, readonly [number, number]>> = {
  defocus: [0.3, 0.7],
  noise: [0.0001, 0.0004],
  sharpening: [0.2, 0.6],
  compression: [88, 96],
};

/**
 * Strengths of a stage at fault: radius of the blur disk in pixels; shot noise, the variance at full light of linear
 * samples from 0 to 1; amount of the unsharp mask; IJG's quality. The steps were chosen by eye beside KADID-10k's levels.
 */
const FAULT = {
  defocus: [1.2, 2, 3.5, 5.5, 8],
  noise: [0.001, 0.003, 0.01, 0.03, 0.08],
  sharpening: [1.5, 3, 5, 8, 13],
  compression: [45, 30, 18, 9, 4],
} as const;

/** Type of LIQE's lists that each stage's fault counts as. */
export const CAMERA_FAULTS = {
  defocus: "realistic blur",
  noise: "realistic noise",
  sharpening: "sharpness",
  compression: "jpeg compression",
} as const satisfies Readonly<Record<Stage, string>>;

export function drawCameraPipeline(random: Random): CameraPipeline {
  const strength = (stage: Stage) => {
    const [least, most] = USUAL[stage];
    return least + (most - least) * random.uniform();
  };
  const usual = {
    defocus: strength("defocus"),
    noise: strength("noise"),
    sharpening: strength("sharpening"),
    compression: strength("compression"),
  };
  return { leading: STAGES[random.integer(STAGES.length)] ?? "noise", usual };
}

/**
 * Takes a picture through a camera: defocus, a sensor under a Bayer pattern with shot and read noise in linear light,
 * bilinear demosaicing, sharpening, JPEG.
 * @param strength  level of the stage at fault, 1 to 5; seed of the noise: levels of one seed differ in strength alone
 */
export async function throughCamera(
  image: Image,
  { leading, usual }: CameraPipeline,
  { level, seed }: { readonly level: number; readonly seed: number },
): Promise<Image> {
  const strength = (stage: Stage) => (stage === leading ? betweenLevels(FAULT[stage], level) : usual[stage]);
  const focused = BLURS.lens.apply(image, strength("defocus"));
  const raw = exposeSensor(focused, strength("noise"), seededRandom(seed, "sensor"));
  const sharpened = TONES.sharpness.apply(demosaic(raw), strength("sharpening"));
  return COMPRESSIONS["jpeg compression"].apply(sharpened, strength("compression"));
}

/** Share of read noise in the variance at full light, beside shot noise; dark parts show it. */
const READ_SHARE = 0.02;

/** Channel that a sensor's place sees, by its row and column modulo 2: red and green above green and blue. */
const BAYER = [
  [0, 1],
  [1, 2],
] as const;

/**
 * Records a picture as a sensor under a Bayer pattern does: one color a place, in linear light, with noise whose
 * variance grows with the light (shot noise) over a constant part (read noise).
 * @param variance  of the shot noise at full light
 * @returns         [rows, cols, 1], linear, 0 to 1
 */
export function exposeSensor({ rows, cols, pixels }: Image, variance: number, random: Random): Field {
  const noise = normalSamples(rows * cols, random);
  const values = new Float32Array(rows * cols);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++, at++) {
      const light = linearOf(pixels[at * 3 + channelAt(row, col)] ?? 0);
      const sigma = Math.sqrt(variance * (light + READ_SHARE));
      values[at] = Math.min(1, Math.max(0, light + sigma * (noise[at] ?? 0)));
    }
  }
  return { rows, cols, channels: 1, values };
}

/** Demosaics bilinearly: a color that a place did not see is the mean over its eight neighbors that did. */
export function demosaic({ rows, cols, values }: Field): Image {
  const pixels = new Uint8Array(rows * cols * 3);
  const sums = new Float64Array(3);
  const counts = new Int32Array(3);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      sums.fill(0);
      counts.fill(0);
      for (let y = Math.max(0, row - 1); y <= Math.min(rows - 1, row + 1); y++) {
        for (let x = Math.max(0, col - 1); x <= Math.min(cols - 1, col + 1); x++) {
          const channel = channelAt(y, x);
          sums[channel] = (sums[channel] ?? 0) + (values[y * cols + x] ?? 0);
          counts[channel] = (counts[channel] ?? 0) + 1;
        }
      }
      const at = row * cols + col;
      const own = channelAt(row, col);
      for (let channel = 0; channel < 3; channel++) {
        const light = channel === own ? (values[at] ?? 0) : (sums[channel] ?? 0) / (counts[channel] ?? 1);
        pixels[at * 3 + channel] = srgbOf(light);
      }
    }
  }
  return { rows, cols, pixels };
}

function channelAt(row: number, col: number): number {
  return BAYER[row % 2 === 0 ? 0 : 1][col % 2 === 0 ? 0 : 1];
}
