import { DataError, StalledReadError } from "../../base/errors.js";
import { seededRandom } from "../../base/random.js";
import type { Range } from "../../base/types.js";
import { cropBytes, cutTrainingCrops } from "../../model/preprocess/crops.js";
import type { SizedImage } from "../../model/preprocess/image.js";
import type { AugmentConfig } from "../augment/config.js";
import { cutVersions } from "../augment/versions.js";
import type { DataConfig } from "../config.js";
import type { ListedImage, Taught } from "../sample.js";
import type { createImageReader } from "./imageReader.js";

type ImageReader = Pick<ReturnType<typeof createImageReader>, "read" | "release">;

/** Image that could not be used in a step, and the reason. */
type Unreadable = { readonly file: string; readonly reason: string };

interface FillOptions extends Pick<DataConfig, "onUnreadable"> {
  readonly seed: number;
  readonly epoch: number;
  readonly step: number;
  readonly cropsPerImage: number;
  /** Side of a crop in pixels. */
  readonly window: number;
  /** Null: no image is distorted anew. */
  readonly augment: AugmentConfig | null;
  /** Places whose images are read; all of them by default. Then no image is distorted anew, and none replaced. */
  readonly places?: Range | undefined;
}

/** Distorted versions, and the image that they were made from. */
type PlacedVersions = Awaited<ReturnType<typeof cutVersions>> & { readonly content: ListedImage };

/** Images of a step, read and cropped. */
export interface FilledBatch {
  /** [images · cropsPerImage, embedding], in place of pixels, where the images' features are known; else absent. */
  readonly features?: Float32Array;
  /** [(images + versions) · cropsPerImage, window, window, 3], RGB; of the places that are read. */
  readonly pixels: Uint8Array;
  /** Images in the order of their places; some may have taken the place of an unreadable one. */
  readonly samples: readonly ListedImage[];
  readonly versions: readonly PlacedVersions[];
  readonly unreadable: readonly Unreadable[];
}

/**
 * Reads and crops the images of a step. With `onUnreadable: replace`, the place of an image that cannot be used goes to
 * another one of its database: the first readable one that the step does not hold yet, in the list's order from a
 * position drawn by (seed, epoch, step, image). The batch is then a function of these and of which files can be read.
 * @throws {DataError} naming an image that cannot be used, with `stop`; or where no readable image is left
 */
export async function fillBatch(
  blocks: readonly DatabaseBatch[],
  reader: ImageReader,
  options: FillOptions,
): Promise<FilledBatch> {
  const samples = blocks.flatMap((block) => block.samples);
  const lists = blocks.flatMap(({ samples: { length }, train }) => Array<readonly ListedImage[]>(length).fill(train));
  const work = startWork(samples.length, reader, options);
  const { start, end } = work.places;
  const failures = await Promise.all(
    samples.map(async (sample, place) => (place < start || place >= end ? null : fillPlace(work, sample, place))),
  );
  const unreadable: Unreadable[] = [];
  // One after the other: an image that takes the first place is not there for the second.
  for (const [place, failure] of failures.entries()) {
    const [wanted, train] = [samples[place], lists[place]];
    if (failure === null || wanted === undefined || train === undefined) continue;
    unreadable.push(failure);
    for (const candidate of candidates(wanted, train, { ...options, taken: samples })) {
      const failed = await fillPlace(work, candidate, place);
      if (failed === null) {
        samples[place] = candidate;
        break;
      }
      unreadable.push(failed);
    }
    if (samples[place] === wanted) throw nothingLeft(wanted, failure);
  }
  return { pixels: work.pixels, samples, versions: work.versions, unreadable };
}

interface Work {
  readonly reader: ImageReader;
  readonly options: FillOptions;
  readonly images: number;
  readonly places: Range;
  /** Places of the images that are distorted anew. */
  readonly distorted: readonly number[];
  readonly pixels: Uint8Array;
  /** Versions in the order of `distorted`. */
  readonly versions: PlacedVersions[];
}

function startWork(images: number, reader: ImageReader, options: FillOptions): Work {
  const { seed, epoch, step, cropsPerImage, window, augment } = options;
  const { places = { start: 0, end: images } } = options;
  const all = [...Array(images).keys()];
  const distorted =
    augment === null ? [] : seededRandom(seed, "contents", epoch, step).shuffle(all).slice(0, augment.contents);
  const versions = distorted.length * (augment?.versions ?? 0);
  const pixels = new Uint8Array((places.end - places.start + versions) * cropsPerImage * cropBytes(window));
  return { reader, options, images, places, distorted, pixels, versions: [] };
}

/** Reads an image and cuts its crops into a place of the batch. Returns why not, where another image may take the place. */
async function fillPlace(work: Work, sample: ListedImage, place: number): Promise<Unreadable | null> {
  const { seed, epoch, step, cropsPerImage, window, augment, onUnreadable } = work.options;
  try {
    const image = await work.reader.read(sample.file);
    const random = seededRandom(seed, "crops", epoch, step, sample.database, sample.image);
    const out = work.pixels.subarray((place - work.places.start) * cropsPerImage * cropBytes(window));
    cutTrainingCrops(image, { crops: cropsPerImage, random, window }, out);
    const group = work.distorted.indexOf(place);
    if (augment !== null && group >= 0) await distortInto(work, { sample, image }, { group, augment });
    work.reader.release(image); // not after an error: part of the work may still be going on
    return null;
  } catch (error) {
    const isReplaced = error instanceof DataError && !(error instanceof StalledReadError);
    if (!isReplaced || onUnreadable === "stop") throw error;
    return { file: sample.file, reason: error.message };
  }
}

/** Makes and crops the distorted versions of an image, group `group` of the batch. */
async function distortInto(
  { options, images, pixels, versions }: Work,
  { sample, image }: { readonly sample: ListedImage; readonly image: SizedImage },
  { group, augment }: { readonly group: number; readonly augment: AugmentConfig },
): Promise<void> {
  const { seed, epoch, step, cropsPerImage: crops, window } = options;
  const { database, image: name } = sample;
  const start = images + group * augment.versions;
  const bytes = crops * cropBytes(window);
  const out = pixels.subarray(start * bytes, (start + augment.versions) * bytes);
  const made = await cutVersions(image, out, { ...augment, crops, window, seed, epoch, step, database, name });
  versions[group] = { ...made, content: sample };
}

/** Other images of the database that the step does not hold, from the drawn position on. */
function candidates(
  { database, image }: ListedImage,
  train: readonly ListedImage[],
  { seed, epoch, step, taken }: FillOptions & { readonly taken: readonly ListedImage[] },
): readonly ListedImage[] {
  const start = seededRandom(seed, "replace", epoch, step, database, image).integer(train.length);
  const files = new Set(taken.map(({ file }) => file));
  return [...train.slice(start), ...train.slice(0, start)].filter(({ file }) => !files.has(file));
}

function nothingLeft({ database }: ListedImage, { reason }: Unreadable): DataError {
  const what = `no other image of ${database} that can be read is left to take its place in the step`;
  return new DataError(`${reason}; and ${what}: mend the files, or lower imagesPerStep`);
}

export interface DatabaseBatch {
  readonly name: string;
  /** Highest minus lowest MOS of the training list; undefined where it is of pairs. */
  readonly mosSpan: number | undefined;
  /** Lowest MOS of the training list. */
  readonly mosLowest: number | undefined;
  /** Of a database of pairs, the two of each pair side by side. */
  readonly samples: readonly ListedImage[];
  /** Shares of people who prefer the first of each pair; undefined where the images have scores. */
  readonly shares: readonly number[] | undefined;
  /** Told by a teacher of the images; absent where people scored them. */
  readonly taught?: Taught | undefined;
  /** All images that may take the place of an unreadable one: the whole training list. */
  readonly train: readonly ListedImage[];
}
