import { withTimeout } from "../../base/concurrency.js";
import { DataError } from "../../base/errors.js";
import { seededRandom } from "../../base/random.js";
import type { Range } from "../../base/types.js";
import { WINDOW } from "../../model/preprocess/image.js";
import type { AugmentConfig } from "../augment/config.js";
import type { DataConfig } from "../config.js";
import { checkQuotas } from "../openDatabases.js";
import {
  type Database,
  type ListedImage,
  type PairSample,
  type Sample,
  scoreScale,
  type SoftLabels,
  type Taught,
} from "../sample.js";
import { type DatabaseBatch, fillBatch, type FilledBatch } from "./fillBatch.js";
import { createImageReader } from "./imageReader.js";

const STEPS_AHEAD = 2;

/** Images and labels of one step, database after database, then distorted versions: what the losses take. */
export interface Batch {
  /**
   * [images · cropsPerImage, window, window, 3], RGB, the crops of an image side by side; the receiver's own. Of the
   * places that are read (`BatchOptions.places`).
   */
  readonly pixels: Uint8Array;
  /** [images · cropsPerImage, embedding], in place of pixels, where the loader was told how to fill them; else absent. */
  readonly features?: Float32Array;
  readonly cropsPerImage: number;
  /** Consecutive blocks of the images. */
  readonly databases: readonly {
    readonly name: string;
    readonly images: number;
    /** Highest minus lowest MOS of its training list, which differences are compared with; undefined for pairs. */
    readonly mosSpan: number | undefined;
    /** Lowest MOS of its training list. */
    readonly mosLowest: number | undefined;
    /** Of a database of pairs, whose images come in twos: shares of people who prefer the first. */
    readonly shares: readonly number[] | undefined;
    /** Of scores by a teacher: the difference of them that is one of its levels. */
    readonly perLevel?: number | undefined;
  }[];
  /** Blocks of images behind those of the databases: one image at several levels of a distortion, best first. */
  readonly rankings: {
    readonly groups: readonly { readonly levels: readonly number[] }[];
    /** Weight of all ranking pairs in the quality loss, where each database has 1. */
    readonly weight: number;
  };
  /** [images of databases], each database's own scale, higher is better; NaN for images of pairs. */
  readonly mos: Float32Array;
  /** [images of databases], null where not published. */
  readonly mosStd: readonly (number | null)[];
  /** [images, scenes], 1 for each scene of the image, all 0 where the label is missing. */
  readonly scenes: Float32Array;
  /** [images], class indices, -1 where the label is missing. */
  readonly distortions: Int32Array;
  /** [images], a teacher's probabilities of the labels; null where people labeled the image, or nobody. */
  readonly soft: readonly (SoftLabels | null)[];
  /** [images], absolute; of a distorted version, the image that it was made from. */
  readonly files: readonly string[];
  /** Images whose places others have taken (`onUnreadable: replace`). */
  readonly unreadable: FilledBatch["unreadable"];
}

export interface BatchOptions {
  readonly seed: number;
  readonly cropsPerImage: number;
  /** Side of the model's window in pixels; 224 by default. */
  readonly window?: number | undefined;
  readonly stepsPerEpoch: number;
  /** Size of the scene table. */
  readonly scenes: number;
  readonly images: Parameters<typeof createImageReader>[0] & Pick<DataConfig, "onUnreadable">;
  /** Images of a step that are distorted anew; null for none. */
  readonly augment?: AugmentOptions | null;
  /** Places of a step's images whose pixels are read; all by default. Labels are those of all images. */
  readonly places?: Range | undefined;
  /** Told what a person should know while training goes on. */
  readonly note?: (line: string) => void;
  /** Fills a step's images from what is known of them, in place of reading their pixels. */
  readonly fill?: ((blocks: readonly DatabaseBatch[], place: StepPlace) => Promise<FilledBatch>) | undefined;
  /** Steps read ahead; they cost memory, never exactness. */
  readonly stepsAhead?: number;
}

/** Step of a run: its epoch, and its number in that. */
export interface StepPlace {
  readonly epoch: number;
  readonly step: number;
}

export interface AugmentOptions extends AugmentConfig {
  /** Class of a distortion type of LIQE's lists; null where the run's labels do not know it. */
  readonly distortionOf: (type: string) => number | null;
}

export interface Loader {
  /**
   * Batch of one step; the following ones are read meanwhile.
   * @throws {DataError}        naming an unreadable image
   * @throws {StalledReadError} naming what is being read, where the batch is not there within `stallSeconds`
   */
  get(epoch: number, stepInEpoch: number): Promise<Batch>;
  /** Looks of the images read so far, those of every batch that was given among them, as `packLook` has them; by file. */
  readonly looks: ReadonlyMap<string, string>;
  /** Never fulfilled; rejected with a `StalledReadError` when a read does not end: enough of them hold all threads. */
  readonly stalled: Promise<never>;
  /** Forgets what was read ahead or remembered. */
  close(): void;
}

/**
 * Loader of training batches, each a pure function of (seed, epoch, step): images in the order of an endless chain of
 * permutations of their database, flips, windows and distortions by (seed, epoch, step, image). Neither prefetching nor
 * caching nor the order of asking changes a byte, so a resumed run sees what an undisturbed one sees.
 * @throws {DataError} where a database has fewer training images than a step takes, or a step fewer than are distorted
 */
export function createLoader(databases: readonly Database[], options: BatchOptions): Loader {
  checkQuotas(databases);
  return startLoader(databases, options);
}

/** Loader over databases whose quotas `checkBeforeTraining` has checked. */
export function startLoader(databases: readonly Database[], options: BatchOptions): Loader {
  const { stepsPerEpoch, stepsAhead = STEPS_AHEAD, window = WINDOW, augment = null } = options;
  const images = { ...options.images, window };
  const choose = createSampler(databases, options.seed);
  checkContents(databases, augment);
  const reader = createImageReader(images, options.note ?? (() => undefined));
  const read = async (step: number): Promise<Batch> => {
    const blocks = choose(step);
    const place = { epoch: Math.floor(step / stepsPerEpoch), step: step % stepsPerEpoch };
    const settings = { ...options, ...place, window, augment, onUnreadable: images.onUnreadable };
    const filled = options.fill?.(blocks, place) ?? fillBatch(blocks, reader, settings);
    return labeledBatch(blocks, await filled, options);
  };
  const started = new Map<number, Promise<Batch>>(); // by step of the whole run
  const start = (step: number): Promise<Batch> => {
    const known = started.get(step);
    if (known !== undefined) return known;
    const batch = read(step);
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
      // What fills batches instead has its own limits: a step's images may have to be encoded first
      return options.fill ? batch : withTimeout(batch, images.stallSeconds, () => reader.reading());
    },
    looks: reader.looks,
    stalled: reader.stalled,
    close: () => {
      started.clear();
      reader.close();
    },
  };
}

function checkContents(databases: readonly Database[], augment: AugmentOptions | null): void {
  const images = databases.reduce((sum, { imagesPerStep }) => sum + imagesPerStep, 0);
  if (augment === null || augment.contents <= images) return;
  const what = `${augment.contents} images are to be distorted, a step has ${images}`;
  throw new DataError(`augment.contents: ${what}; lower it, or give a step more`);
}

function labeledBatch(
  blocks: readonly DatabaseBatch[],
  { pixels, features, samples, versions, unreadable }: FilledBatch,
  { cropsPerImage, scenes, augment = null }: BatchOptions,
): Batch {
  const labeled: readonly Labels[] = [...samples, ...versionLabels(versions, augment)];
  return {
    pixels,
    ...(features && { features }),
    cropsPerImage,
    databases: blocks.map(({ samples: { length }, name, mosSpan, mosLowest, shares, taught }) => {
      return { name, images: length, mosSpan, mosLowest, shares, perLevel: taught?.perLevel };
    }),
    rankings: { groups: versions.map(({ levels }) => ({ levels })), weight: augment?.weight ?? 0 },
    mos: Float32Array.from(samples, (sample) => (isScored(sample) ? sample.mos : NaN)),
    mosStd: samples.map((sample) => (isScored(sample) ? sample.mosStd : null)),
    scenes: multiHotRows(labeled, scenes),
    distortions: Int32Array.from(labeled, ({ distortion }) => distortion ?? -1),
    soft: [...softLabels(blocks, samples), ...labeled.slice(samples.length).map(() => null)],
    files: labeled.map(({ file }) => file),
    unreadable,
  };
}

/** Teachers' probabilities of the images of the databases; an image may have taken the place of another one. */
function softLabels(blocks: readonly DatabaseBatch[], samples: FilledBatch["samples"]): (SoftLabels | null)[] {
  const teachers = blocks.flatMap(({ samples: { length }, taught }) => Array<Taught | undefined>(length).fill(taught));
  return samples.map(({ file }, i) => teachers[i]?.probabilities.get(file) ?? null);
}

function isScored(image: ListedImage | Sample): image is Sample {
  return "mos" in image;
}

/** Labels of an image besides its score. */
type Labels = Pick<Sample, "scenes" | "distortion" | "file">;

/** Labels of versions: the scenes of their content, and the class of their distortion from level `labelFrom` on. */
function versionLabels(versions: FilledBatch["versions"], augment: AugmentOptions | null): Labels[] {
  if (augment === null) return [];
  return versions.flatMap(({ levels, type, content: { scenes, file } }) => {
    const distortion = augment.distortionOf(type);
    return levels.map((level) => ({ scenes, file, distortion: level < augment.labelFrom ? null : distortion }));
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

/**
 * Sampler of the images of a step, by its number from the run's beginning, in an endless chain of permutations.
 * @param databases  each with as many training images as it gives to a step (`checkQuotas`)
 */
function createSampler(databases: readonly Database[], seed: number): (step: number) => DatabaseBatch[] {
  const chains = databases.map((database) => {
    const { name, train, pairs, taught } = database;
    if (pairs !== undefined) return pairSampler(name, pairs.train, { seed, pairsPerStep: database.imagesPerStep / 2 });
    const { mosSpan, mosLowest } = scoreScale(database);
    const scale = { mosSpan, mosLowest, shares: undefined, taught };
    const draw = drawer(name, train, seed);
    return (step: number) => ({ ...scale, name, train, samples: draw(step, database.imagesPerStep) });
  });
  return (step) => chains.map((draw) => draw(step));
}

/** Sampler of a database's pairs, whose two images stand side by side. */
function pairSampler(
  name: string,
  pairs: readonly PairSample[],
  { seed, pairsPerStep }: { readonly seed: number; readonly pairsPerStep: number },
): (step: number) => DatabaseBatch {
  const draw = drawer(name, pairs, seed);
  return (step) => {
    const drawn = draw(step, pairsPerStep);
    const samples = drawn.flatMap(({ a, b }) => [a, b]);
    const none = { mosSpan: undefined, mosLowest: undefined, train: [] };
    return { name, ...none, shares: drawn.map(({ p }) => p), samples };
  };
}

/** Drawer of a step's items from a database's list, `perStep` of them. */
function drawer<T>(name: string, list: readonly T[], seed: number): (step: number, perStep: number) => T[] {
  const order = permutation(seed, name, list.length);
  return (step, perStep) =>
    Array.from({ length: perStep }, (_, i) => {
      const item = list[order.at(step * perStep + i)];
      if (item === undefined) throw new RangeError(`internal: ${name}: the order left its list`);
      return item;
    });
}

/**
 * Endless chain of permutations of {0, ..., size - 1}: `at(position)` is defined for every position, so that a batch is
 * never short and a run is resumed by its next position. The order depends on seed, database and size alone.
 */
export function permutation(seed: number, database: string, size: number): { at(position: number): number } {
  const passes = new Map<number, readonly number[]>();
  const pass = (index: number): readonly number[] => {
    const known = passes.get(index);
    if (known !== undefined) return known;
    // Steps are asked for in order, more or less: two passes are enough to remember.
    for (const old of passes.keys()) if (passes.size > 1) passes.delete(old);
    const order = seededRandom(seed, "order", database, index).shuffle([...Array(size).keys()]);
    passes.set(index, order);
    return order;
  };
  return {
    at: (position) => {
      const image = pass(Math.floor(position / size))[position % size];
      if (image === undefined) throw new RangeError(`internal: order: no position ${position} among ${size} images`);
      return image;
    },
  };
}
