import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { ConfigError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { seededRandom } from "../../base/random.js";
import type { Image } from "../../model/preprocess/image.js";
import { type Distortion, DISTORTION_TYPES, DISTORTIONS } from "../../model/prompts/labels.js";
import { distort, SYNTHETIC_TYPES, type SyntheticType } from "../distortions/distortions.js";
import { type Level, LEVELS } from "../distortions/types.js";
import { readPhotograph } from "./photographs.js";
import { proxyMos, ssimTo } from "./proxyMos.js";

/** One photograph and what is to be made of it; plain data, so that it can go to a worker. */
export interface PhotographJob {
  readonly seed: number;
  readonly content: string;
  readonly file: string;
  readonly combinations: readonly Combination[];
  /** The database's folder; it exists. */
  readonly folder: string;
}

/** One image of the database. */
export interface DistortedImage {
  readonly content: string;
  /** Relative to the database's folder, with `/`. */
  readonly image: string;
  readonly type: SyntheticType;
  /** A proxy, see `proxyMos`. */
  readonly mos: number;
}

/**
 * Lossless, whatever the distortion: a JPEG-compressed picture is stored as what its decoder gave. Level 1 without row
 * filters: a photograph of 481 x 321 takes 8 ms to write, 4.6 ms to read and 440 kB. Level 2 takes 11 ms, 3.7 ms and
 * 380 kB, filters 3 ms more to write, 1 ms more to read and 280 kB: neither is made up for before 7 epochs.
 */
const PNG = { compressionLevel: 1, adaptiveFiltering: false } as const;

/** Pictures that may be on their way to the disk while the next one is made. */
const WRITES_AT_ONCE = 4;

/**
 * Makes and writes all distorted versions of one photograph.
 *
 * Each version depends on (seed, content, type, level) alone, so neither the order nor the number of workers matters.
 *
 * @param onImage  called as each image lies on the disk
 * @throws {DataError} where the photograph cannot be decoded
 */
export async function distortPhotograph(job: PhotographJob, onImage: () => void): Promise<DistortedImage[]> {
  const original = await readPhotograph(job.file);
  await mkdir(path.join(job.folder, "images", job.content), { recursive: true });
  const similarity = ssimTo(original);
  const made: DistortedImage[] = [];
  const writes = new Set<Promise<void>>();
  try {
    for (const combination of job.combinations) {
      const { type, level } = combination;
      const distorted = await distort(original, type, level, seededRandom(job.seed, "distortion", job.content, type));
      const image = `images/${job.content}/${type.replaceAll(" ", "_")}_${level}.png`;
      const mos = proxyMos(type, level, similarity(distorted));
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

/** One distorted version of a photograph. */
export interface Combination {
  readonly type: SyntheticType;
  readonly level: Level;
}

/** The class that a type counts as in LIQE's table. */
export function classOf(type: SyntheticType): Distortion {
  const found = DISTORTIONS.find((name) => (DISTORTION_TYPES[name] as readonly string[]).includes(type)); // widened to look up
  if (found === undefined) throw new Error(`internal: classOf: "${type}" belongs to no class of distortion`);
  return found;
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

/** Every type at each of these levels, in a fixed order. */
export function allCombinations(levels: readonly Level[]): Combination[] {
  return SYNTHETIC_TYPES.flatMap((type) => levels.map((level) => ({ type, level })));
}

/**
 * `count` of the combinations for one photograph, as even over the classes as their numbers allow: the classes take
 * turns, in a random order, each giving a random one that it has left.
 *
 * @param random  the photograph's own generator
 * @throws {ConfigError} where there are fewer than `count`
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
