import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { seededRandom } from "../../base/random.js";
import { distort, type SyntheticType } from "../distortions/distortions.js";
import type { RgbImage } from "../distortions/field.js";
import type { Combination } from "./combinations.js";
import { readPhotograph } from "./photographs.js";
import { proxyMos } from "./proxyMos.js";
import { structuralSimilarityTo } from "./structuralSimilarity.js";

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
  const similarity = structuralSimilarityTo(original);
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

async function writePng(file: string, { rows, cols, pixels }: RgbImage): Promise<void> {
  const raw = { width: cols, height: rows, channels: 3 } as const;
  await writeFile(file, await sharp(pixels, { raw }).png(PNG).toBuffer());
}
