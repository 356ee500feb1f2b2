import { withTimeout } from "../../base/concurrency.js";
import { DataError } from "../../base/errors.js";
import { seededRandom } from "../../base/random.js";
import { CROP_BYTES, cutTrainingCrops } from "../../model/preprocess/crops.js";
import type { SizedImage } from "../../model/preprocess/image.js";
import type { AugmentConfig } from "../augment/config.js";
import type { Versions } from "../augment/versions.js";
import { cutVersions } from "../augment/versions.js";
import type { DataConfig } from "../config.js";
import type { Database, Sample } from "../sample.js";
import { type Fill, fillBatch, type Unreadable } from "./fillBatch.js";
import { createImageReader, type ImageReaderOptions, type ImageReader } from "./imageReader.js";
import { type DatabaseBatch, createSampler } from "./sampler.js";

/** Steps that are read ahead of the one asked for. */
const STEPS_AHEAD = 2;

/** The images of one step, database after database, and what is known of each. */
export interface Batch {
  /** [images * cropsPerImage, 224, 224, 3], RGB, the crops of an image side by side; the receiver's own. */
  readonly pixels: Uint8Array;
  readonly cropsPerImage: number;
  /** Consecutive blocks of the images. */
  readonly databases: readonly {
    readonly name: string;
    readonly images: number;
    /** Highest minus lowest MOS of its training list: what a difference is to be compared with. */
    readonly mosSpan: number;
  }[];
  /** Blocks of images behind those of the databases: one image at several levels of a distortion, best first. */
  readonly rankings: readonly { readonly levels: readonly number[] }[];
  /** [images of databases], each database's own scale, higher is better. */
  readonly mos: Float32Array;
  /** [images of databases], null where not published. */
  readonly mosStd: readonly (number | null)[];
  /** [images, scenes], 1 for each scene of the image, all 0 where the label is missing. */
  readonly scenes: Float32Array;
  /** [images], class indices, -1 where the label is missing. */
  readonly distortions: Int32Array;
  /** [images], absolute; of a distorted version, the one that it was made from. */
  readonly files: readonly string[];
  /** Images whose places others have taken (`onUnreadable: replace`). */
  readonly unreadable: readonly Unreadable[];
}

export interface BatchOptions {
  readonly seed: number;
  readonly cropsPerImage: number;
  readonly stepsPerEpoch: number;
  /** Size of the scene table. */
  readonly scenes: number;
  readonly images: ImageReaderOptions & Pick<DataConfig, "onUnreadable">;
  /** Images of a step to be distorted anew; null for none. */
  readonly augment?: AugmentOptions | null;
  /** Told what a person should know and training goes on without. */
  readonly note?: (line: string) => void;
  /** Steps read ahead; they cost memory, never exactness. */
  readonly stepsAhead?: number;
}

export type AugmentOptions = AugmentConfig & LabelRules;

interface Loader {
  /**
   * The batch of one step; the following ones are read meanwhile.
   *
   * @throws {DataError}        naming an unreadable image
   * @throws {StalledReadError} naming what is being read, where the batch is not there within `stallSeconds`
   */
  get(epoch: number, stepInEpoch: number): Promise<Batch>;
  /**
   * Never fulfilled; rejected with a `StalledReadError` when a read does not end, also one for a later step: enough of
   * them hold all threads that files are read and written by, and then nothing else goes on either.
   */
  readonly stalled: Promise<never>;
  /** Forgets what was read ahead or remembered. */
  close(): void;
}

/**
 * Training batches, each a pure function of (seed, epoch, step): images in the order of an endless chain of
 * permutations of their database, flips, windows and distortions by (seed, epoch, step, image). Neither prefetching nor
 * caching nor the order of asking changes a byte, so a resumed run sees what an undisturbed one sees.
 *
 * @throws {DataError} where a database has fewer training images than it gives to a step, or a step fewer than are to
 *                     be distorted
 */
export function createLoader(databases: readonly Database[], options: BatchOptions): Loader {
  const { stepsPerEpoch, stepsAhead = STEPS_AHEAD } = options;
  const choose = createSampler(databases, options.seed);
  checkContents(databases, options.augment ?? null);
  const images = createImageReader(options.images, options.note ?? (() => undefined));
  const started = new Map<number, Promise<Batch>>(); // by step of the whole run
  const start = (step: number): Promise<Batch> => {
    const known = started.get(step);
    if (known !== undefined) return known;
    const place = { epoch: Math.floor(step / stepsPerEpoch), step: step % stepsPerEpoch };
    const batch = readBatch(choose(step), place, images, options);
    batch.catch(() => undefined); // an error waits for the step that needs the batch
    started.set(step, batch);
    return batch;
  };
  return {
    get: (epoch, stepInEpoch) => {
      const step = epoch * stepsPerEpoch + stepInEpoch;
      const batch = start(step);
      for (let next = step + 1; next <= step + stepsAhead; next++) void start(next);
      for (const known of started.keys()) if (known <= step || known > step + stepsAhead) started.delete(known);
      return withTimeout(batch, options.images.stallSeconds, () => images.reading());
    },
    stalled: images.stalled,
    close: () => {
      started.clear();
      images.close();
    },
  };
}

async function readBatch(
  blocks: readonly DatabaseBatch[],
  place: { epoch: number; step: number },
  images: ImageReader,
  { seed, cropsPerImage, scenes, augment = null, images: { onUnreadable } }: BatchOptions,
): Promise<Batch> {
  const { epoch, step } = place;
  const chosen = blocks.flatMap(({ samples, train }) => samples.map((sample) => ({ sample, train })));
  const groups = augment === null ? [] : chooseContents(chosen.length, augment.contents, { seed, ...place });
  const versions = augment?.versions ?? 0;
  const imageBytes = cropsPerImage * CROP_BYTES;
  const pixels = new Uint8Array((chosen.length + groups.length * versions) * imageBytes);
  const made: Versions[] = [];
  const cut =
    ({ database, image }: Sample, i: number) =>
    async (loaded: SizedImage) => {
      const random = seededRandom(seed, "crops", epoch, step, database, image);
      cutTrainingCrops(loaded, { crops: cropsPerImage, random }, pixels.subarray(i * imageBytes));
      const group = groups.indexOf(i);
      if (augment === null || group < 0) return;
      const start = (chosen.length + group * versions) * imageBytes;
      const whose = { seed, epoch, step, database, image };
      made[group] = await cutVersions(loaded, whose, { ...augment, crops: cropsPerImage }, pixels, start);
    };
  const fill: Fill = (sample, i) => images.use(sample.file, cut(sample, i));
  const { samples, unreadable } = await fillBatch(chosen, { seed, epoch, step }, onUnreadable, fill);
  const labelled = [...samples.map(labelsOf), ...versionLabels(samples, groups, made, augment)];
  return {
    pixels,
    cropsPerImage,
    databases: blocks.map(({ name, samples, mosSpan }) => ({ name, images: samples.length, mosSpan })),
    rankings: made.map(({ levels }) => ({ levels })),
    mos: Float32Array.from(samples, ({ mos }) => mos),
    mosStd: samples.map(({ mosStd }) => mosStd),
    scenes: multiHotRows(labelled, scenes),
    distortions: Int32Array.from(labelled, ({ distortion }) => distortion ?? -1),
    files: labelled.map(({ file }) => file),
    unreadable,
  };
}

/** Which images of a step are distorted anew: positions in it, drawn by (seed, epoch, step). */
function chooseContents(
  images: number,
  contents: number,
  { seed, epoch, step }: Record<"seed" | "epoch" | "step", number>,
) {
  return seededRandom(seed, "contents", epoch, step)
    .shuffle([...Array(images).keys()])
    .slice(0, contents);
}

function checkContents(databases: readonly Database[], augment: AugmentOptions | null): void {
  const images = databases.reduce((sum, { imagesPerStep }) => sum + imagesPerStep, 0);
  if (augment === null || augment.contents <= images) return;
  throw new DataError(
    `augment.contents: ${augment.contents} images are to be distorted, a step has ${images}; lower it, or give a step more`,
  );
}

/** What a batch says of an image besides its score. */
type Labels = Pick<Sample, "scenes" | "distortion" | "file">;

const labelsOf = ({ scenes, distortion, file }: Sample): Labels => ({ scenes, distortion, file });

/** How distorted versions are labelled. */
interface LabelRules {
  /** The class of a type by LIQE's lists; null where the run's labels do not know it. */
  readonly distortionOf: (type: string) => number | null;
}

/** A version shows what its content shows, and suffers from what it was given, as far as that is strong enough. */
function versionLabels(
  samples: readonly Sample[],
  groups: readonly number[],
  made: readonly Versions[],
  augment: (Pick<AugmentConfig, "labelFrom"> & LabelRules) | null,
): Labels[] {
  if (augment === null) return [];
  return made.flatMap(({ levels, type }, group) => {
    const content = samples[groups[group] ?? NaN];
    if (content === undefined) throw new RangeError("internal: versionLabels: a version of no image");
    const distortion = augment.distortionOf(type);
    return levels.map((level) => ({ ...labelsOf(content), distortion: level < augment.labelFrom ? null : distortion }));
  });
}

/** [images, scenes], flat. */
function multiHotRows(samples: readonly Labels[], scenes: number): Float32Array {
  const hot = new Float32Array(samples.length * scenes);
  samples.forEach((sample, i) => {
    for (const scene of sample.scenes) hot[i * scenes + scene] = 1;
  });
  return hot;
}
