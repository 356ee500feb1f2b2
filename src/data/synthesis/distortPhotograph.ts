import { writeFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import bezkrovny from "ssim.js/dist/bezkrovnySsim.js";
import type { Options } from "ssim.js/dist/types.js";
import { ConfigError } from "../../base/errors.js";
import { makeFolders } from "../../base/folders.js";
import { type Random, seededRandom } from "../../base/random.js";
import type { Image } from "../../model/preprocess/image.js";
import { DISTORTION_TYPES, DISTORTIONS } from "../../model/prompts/labels.js";
import { distort, opinionOf } from "../distortions/distortions.js";
import { decodeImage } from "../images/loadImage.js";
import { photographImages } from "./photographs.js";
import { type Level, LEVELS, SYNTHETIC_TYPES, type SyntheticType } from "../distortions/types.js";

/** Job of distorting one photograph; plain data, so that it can go to a worker. */
export interface PhotographJob {
  readonly seed: number;
  readonly content: string;
  readonly file: string;
  readonly maxMegapixels: number | undefined;
  readonly combinations: readonly Combination[];
  /** Folder of the database; it exists. */
  readonly folder: string;
}

export interface DistortedImage {
  readonly content: string;
  /** Path relative to the database's folder, with `/`. */
  readonly image: string;
  readonly type: SyntheticType;
  /** Proxy score, see `proxyMos`. */
  readonly mos: number;
}

/**
 * PNG settings: level 1 without row filters takes 8 ms to write a photograph of 481 x 321, 4.6 ms to read and 440 kB.
 * Level 2 takes 11 ms, 3.7 ms and 380 kB, filters 3 ms more, 1 ms more and 280 kB: neither pays before 7 epochs.
 */
const PNG = { compressionLevel: 1, adaptiveFiltering: false } as const;

/** Pictures that are written at once while the next one is made. */
const WRITES_AT_ONCE = 4;

/**
 * Makes and writes all distorted versions of one photograph, each a function of (seed, content, type, level) alone.
 * @param onImage  called as each image lies on the disk
 * @throws {DataError} where the photograph cannot be decoded
 */
export async function distortPhotograph(job: PhotographJob, onImage: () => void): Promise<DistortedImage[]> {
  const original = await decodeImage(job.file, photographImages(job.maxMegapixels));
  await makeFolders(path.join(job.folder, "images", job.content));
  const similarity = ssimTo(original);
  const made: DistortedImage[] = [];
  const writes = new Set<Promise<void>>();
  try {
    for (const combination of job.combinations) {
      const { type, level } = combination;
      const random = seededRandom(job.seed, "distortion", job.content, type);
      const distorted = await distort(original, combination, random);
      const image = `images/${job.content}/${type.replaceAll(" ", "_")}_${level}.png`;
      const mos = proxyMos(combination, similarity(distorted));
      made.push({ content: job.content, image, type, mos });
      const write = writePng(path.join(job.folder, image), distorted).then(() => {
        writes.delete(write);
        onImage();
      });
      writes.add(write);
      if (writes.size >= WRITES_AT_ONCE) await Promise.race(writes);
    }
    await Promise.all(writes);
  } finally {
    await Promise.allSettled(writes);
  }
  return made;
}

async function writePng(file: string, { rows, cols, pixels }: Image): Promise<void> {
  const raw = { width: cols, height: rows, channels: 3 } as const;
  await writeFile(file, await sharp(pixels, { raw }).png(PNG).toBuffer());
}

/** Weight of the viewers' opinion of type and level; the metric's value for the picture has the rest. */
const OPINION_WEIGHT = 0.75;

/** Similarity that counts as bad (1); perfect (5) is 1, and the scale between them is straight. */
const WORST_SIMILARITY = 0.4;

/** Recipe of the proxy scores, for `synthesis.json`. */
export const PROXY_MOS_RECIPE =
  `proxy MOS, not opinions of viewers on these pictures: ${OPINION_WEIGHT} x (mean opinion of KADID-10k's viewers on ` +
  `this type and level, 1 to 5) + ${1 - OPINION_WEIGHT} x (1 + 4 x (SSIM - ${WORST_SIMILARITY}) / ` +
  `${1 - WORST_SIMILARITY}, within 1 to 5); higher is better`;

/**
 * Proxy for the mean opinion score of a distorted picture that nobody has rated: 1 (bad) to 5 (perfect).
 * The mean opinion that 2,209 viewers of KADID-10k had of each type at each level puts the types on one scale of
 * visible damage (weight 0.75): level 3 of darkening is hardly noticed, level 3 of a lens blur ruins a picture. SSIM
 * against the original tells the pictures of one type and level apart (0.25): noise hides in grass and shows in a sky.
 * SSIM alone would not do, since it hardly sees color. The taste of viewers for contents is missing.
 * @param similarity  SSIM to the undistorted photograph, at most 1
 */
export function proxyMos({ type, level }: Combination, similarity: number): number {
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
 * Structural similarity (SSIM) of distorted pictures to one original, 1 for equal ones: the mode "bezkrovny" of ssim.js,
 * windows of 11 x 11 side by side, at full size, with the original turned gray once. 5 ms for a picture of 481 x 321,
 * where the mode "weber" takes 70 and the paper's sliding Gaussian window 140; on noise the three agree within 0.08.
 */
export function ssimTo(original: Image): (distorted: Image) => number {
  const reference = gray(original);
  return (distorted) => {
    const map: readonly number[] = bezkrovny.bezkrovnySsim(reference, gray(distorted), OPTIONS).data;
    return map.reduce((sum, similarity) => sum + similarity, 0) / map.length;
  };
}

/** Luma in whole numbers, with the weights of ssim.js: 77, 150 and 29 in 256. */
function gray({ rows, cols, pixels }: Image): { data: number[]; width: number; height: number } {
  const data: number[] = [];
  for (let p = 0; p < pixels.length; p += 3) {
    data.push((77 * (pixels[p] ?? 0) + 150 * (pixels[p + 1] ?? 0) + 29 * (pixels[p + 2] ?? 0) + 128) >> 8);
  }
  return { data, width: cols, height: rows };
}

/** Distortion of one version of a photograph. */
export type Combination = { readonly type: SyntheticType; readonly level: Level };

export interface CombinationOptions {
  readonly seed: number;
  /** Levels of each type, 1 to 5, spread evenly; 5 by default. */
  readonly levels?: number | undefined;
  /** Combinations of each content, even over the classes of distortion; all by default. */
  readonly perContent?: number | undefined;
}

/** Combinations of each content, even over the classes of distortion. @throws {ConfigError} on numbers out of range */
export function combinationsOf(contents: readonly string[], { seed, levels, perContent }: CombinationOptions) {
  const spread = spreadLevels(levels ?? LEVELS.length);
  const all = allCombinations(spread);
  const pick = (content: string) =>
    perContent === undefined ? all : pickCombinations(all, perContent, seededRandom(seed, "combinations", content));
  return {
    levels: spread,
    perContent: perContent ?? all.length,
    byContent: new Map(contents.map((content) => [content, pick(content)])),
  };
}

/** `count` levels spread over 1 to 5, the ends included: 3 are 1, 3, 5; a single one is 3. */
export function spreadLevels(count: number): Level[] {
  if (!Number.isInteger(count) || count < 1 || count > LEVELS.length) {
    throw new ConfigError(`--levels: must be a whole number from 1 to ${LEVELS.length}, got ${count}`);
  }
  const middle = (LEVELS.length - 1) / 2;
  const wanted = Array.from({ length: count }, (_, i) =>
    Math.round(count === 1 ? middle : (i * (LEVELS.length - 1)) / (count - 1)),
  );
  return LEVELS.filter((_, i) => wanted.includes(i));
}

export function allCombinations(levels: readonly Level[]): Combination[] {
  return SYNTHETIC_TYPES.flatMap((type) => levels.map((level) => ({ type, level })));
}

/**
 * Picks `count` of the combinations for one photograph, as even over the classes as their numbers allow: the classes
 * take turns, in a random order, each giving a random one. @throws {ConfigError} where there are fewer than `count`
 */
export function pickCombinations(all: readonly Combination[], count: number, random: Random): Combination[] {
  if (!Number.isInteger(count) || count < 1 || count > all.length) {
    throw new ConfigError(`--per-content: must be a whole number from 1 to ${all.length}, got ${count}`);
  }
  const queues = random
    .shuffle(DISTORTIONS)
    .map((name) => random.shuffle(all.filter(({ type }) => classOf(type) === name)));
  const turns = queues.flatMap((queue, place) => queue.map((combination, turn) => ({ combination, turn, place })));
  turns.sort((a, b) => a.turn - b.turn || a.place - b.place);
  const picked = new Set(turns.slice(0, count).map(({ combination }) => combination));
  return all.filter((combination) => picked.has(combination));
}

export function classOf(type: SyntheticType): (typeof DISTORTIONS)[number] {
  const found = DISTORTIONS.find((name) => (DISTORTION_TYPES[name] as readonly string[]).includes(type)); // widened to look up
  if (found === undefined) throw new Error(`internal: classOf: "${type}" belongs to no class of distortion`);
  return found;
}
