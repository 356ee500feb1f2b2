import { seededRandom } from "../base/random.js";
import { DataError } from "../base/errors.js";
import type { DataConfig } from "./config.js";
import { CROP_BYTES, cutTrainingCrops } from "./crops.js";
import { createOrder } from "./order.js";
import { withWatchdog } from "./parallel.js";
import type { ImageOptions } from "./prepare.js";
import { fillBatch, type Unreadable } from "./replacement.js";
import type { Database, Sample } from "./sample.js";
import { openTrainingImages, type TrainingImages } from "./trainingImages.js";

/** Steps that are read ahead of the one asked for. */
const STEPS_AHEAD = 2;

/** The images of one step, database after database, and what is known of each. */
export interface TrainingBatch {
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
  /** [images], each database's own scale, higher is better. */
  readonly mos: Float32Array;
  /** [images], null where not published. */
  readonly mosStd: readonly (number | null)[];
  /** [images, scenes], 1 for each scene of the image, all 0 where the label is missing. */
  readonly scenes: Float32Array;
  /** [images], class indices, -1 where the label is missing. */
  readonly distortions: Int32Array;
  /** [images], absolute. */
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
  readonly images: ImageOptions & Pick<DataConfig, "cacheMB" | "onUnreadable">;
  /** Steps read ahead; they cost memory, never exactness. */
  readonly stepsAhead?: number;
}

export interface BatchSource {
  /**
   * The batch of one step; the following ones are read meanwhile.
   *
   * @throws {DataError}        naming an unreadable image
   * @throws {StalledReadError} naming what is being read, where the batch is not there within `stallSeconds`
   */
  get(epoch: number, stepInEpoch: number): Promise<TrainingBatch>;
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
 * permutations of their database, flips and windows by (seed, epoch, step, image). Neither prefetching nor caching nor
 * the order of asking changes a byte, so a resumed run sees what an undisturbed one sees.
 *
 * @throws {DataError} where a database has fewer training images than it gives to a step
 */
export function trainingBatches(databases: readonly Database[], options: BatchOptions): BatchSource {
  const { stepsPerEpoch, stepsAhead = STEPS_AHEAD } = options;
  const choose = chooserOf(databases, options.seed);
  const images = openTrainingImages(options.images);
  const started = new Map<number, Promise<TrainingBatch>>(); // by step of the whole run
  const start = (step: number): Promise<TrainingBatch> => {
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
      return withWatchdog(batch, options.images.stallSeconds, () => images.reading());
    },
    stalled: images.stalled,
    close: () => {
      started.clear();
      images.close();
    },
  };
}

/** The images that one database gives to a step. */
interface Block {
  readonly name: string;
  readonly mosSpan: number;
  readonly samples: readonly Sample[];
  /** The list that they are taken from. */
  readonly train: readonly Sample[];
}

/** @throws {DataError} naming every database that has fewer training images than it gives to a step */
export function checkQuotas(databases: readonly Database[]): void {
  const problems = databases
    .filter(({ imagesPerStep, train }) => train.length < imagesPerStep)
    .map(
      ({ name, imagesPerStep, train }) =>
        `data.databases: ${name}: its training list has ${train.length} images, fewer than imagesPerStep: ` +
        `${imagesPerStep}; lower that, or give it more images`,
    );
  if (problems.length > 0) throw new DataError(problems.join("\n"));
}

/** Which images a step of the run holds, by its number from the run's beginning. */
function chooserOf(databases: readonly Database[], seed: number): (step: number) => Block[] {
  checkQuotas(databases);
  const chains = databases.map(({ name, imagesPerStep, train }) => ({
    name,
    imagesPerStep,
    train,
    mosSpan: spanOfMos(train),
    order: createOrder(seed, name, train.length),
  }));
  return (step) =>
    chains.map(({ name, imagesPerStep, train, order, mosSpan }) => ({
      name,
      train,
      samples: Array.from({ length: imagesPerStep }, (_, i) => {
        const sample = train[order.at(step * imagesPerStep + i)];
        if (sample === undefined) throw new RangeError(`internal: ${name}: the order left its list`);
        return sample;
      }),
      mosSpan,
    }));
}

async function readBatch(
  blocks: readonly Block[],
  { epoch, step }: { epoch: number; step: number },
  images: TrainingImages,
  { seed, cropsPerImage, scenes, images: { onUnreadable } }: BatchOptions,
): Promise<TrainingBatch> {
  const chosen = blocks.flatMap(({ samples, train }) => samples.map((sample) => ({ sample, train })));
  const imageBytes = cropsPerImage * CROP_BYTES;
  const pixels = new Uint8Array(chosen.length * imageBytes);
  const fill = async ({ database, image, file }: Sample, i: number) => {
    const random = seededRandom(seed, "crops", epoch, step, database, image);
    cutTrainingCrops(await images.load(file), cropsPerImage, random, pixels, i * imageBytes);
  };
  const { samples, unreadable } = await fillBatch(chosen, { seed, epoch, step }, onUnreadable, fill);
  return {
    pixels,
    cropsPerImage,
    databases: blocks.map(({ name, samples, mosSpan }) => ({ name, images: samples.length, mosSpan })),
    mos: Float32Array.from(samples, ({ mos }) => mos),
    mosStd: samples.map(({ mosStd }) => mosStd),
    scenes: manyHot(samples, scenes),
    distortions: Int32Array.from(samples, ({ distortion }) => distortion ?? -1),
    files: samples.map(({ file }) => file),
    unreadable,
  };
}

function spanOfMos(samples: readonly Sample[]): number {
  const highest = samples.reduce((most, { mos }) => Math.max(most, mos), -Infinity);
  return highest - samples.reduce((least, { mos }) => Math.min(least, mos), Infinity);
}

/** [images, scenes], flat. */
function manyHot(samples: readonly Sample[], scenes: number): Float32Array {
  const hot = new Float32Array(samples.length * scenes);
  samples.forEach((sample, i) => {
    for (const scene of sample.scenes) hot[i * scenes + scene] = 1;
  });
  return hot;
}
