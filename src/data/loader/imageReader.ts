import { createLimiter, FILES_AT_ONCE, stalledRead, withTimeout } from "../../base/concurrency.js";
import { StalledReadError } from "../../base/errors.js";
import type { Image, SizedImage } from "../../model/preprocess/image.js";
import { sized } from "../../model/preprocess/image.js";
import { resized } from "../../model/preprocess/resize.js";
import type { DataConfig } from "../config.js";
import type { ImageOptions } from "../images/loadImage.js";
import { loadImage, loadSized } from "../images/loadImage.js";
import type { BufferPool, DiskCache, FoundPixels } from "./diskCache.js";
import { createBufferPool, openDiskCache } from "./diskCache.js";

export interface ImageReader {
  /**
   * Works on the image at its size, decoded or remembered. Its pixels are there until the work is done; after it their
   * memory may hold others.
   *
   * @throws {DataError} naming the file
   */
  use<T>(file: string, work: (image: SizedImage) => Promise<T>): Promise<T>;
  /** Files that are being read now. */
  reading(): readonly string[];
  /** Never fulfilled; rejected with a `StalledReadError` when a read does not end, whether someone waits for it or not. */
  readonly stalled: Promise<never>;
  close(): void;
}

export type ImageReaderOptions = ImageOptions &
  Pick<DataConfig, "cacheMB"> &
  Partial<Pick<DataConfig, "pixelCacheDir" | "pixelCacheGB">>;

/**
 * Reads training images, a few at once; keeps those that fit `cacheMB` in memory, and in `pixelCacheDir`, where there is
 * one, those that fit `pixelCacheGB`.
 *
 * @param note  told what a person should know and training goes on without
 */
export function createImageReader(options: ImageReaderOptions, note: (line: string) => void): ImageReader {
  const lane = createLimiter(FILES_AT_ONCE);
  const cache = createPixelCache(options.cacheMB * 2 ** 20);
  const disk = diskPixelsOf(options, note);
  const room = createBufferPool(FILES_AT_ONCE);
  const reading = new Set<string>();
  const { promise: stalled, reject: rejectStalled } = withReject();
  let stall: StalledReadError | null = null;
  const decode = async (file: string) => {
    if (stall !== null) throw stall; // no further thread is to hang, and all that do are known by name
    reading.add(file);
    try {
      const { image, found } = await loadThroughDisk(file, options, disk, room);
      reading.delete(file);
      const whole = remember(cache, file, image);
      return { image: whole, lent: cache.get(file) === whole.source ? null : found };
    } catch (error) {
      if (!(error instanceof StalledReadError)) {
        reading.delete(file);
        throw error;
      }
      stall ??= stalledRead([...reading], options.stallSeconds); // the file is still being read, and stays among them
      rejectStalled(stall);
      throw error;
    }
  };
  return {
    use: async (file, work) => {
      const known = cache.get(file);
      if (known !== undefined) return work(sized(known));
      const { image, lent } = await lane(() => decode(file));
      const done = await work(image);
      if (lent !== null) room.giveBack(lent.pixels); // not where the work failed: part of it may still be going on
      return done;
    },
    reading: () => [...reading],
    stalled,
    close: () => {
      cache.clear();
    },
  };
}

function diskPixelsOf(options: ImageReaderOptions, note: (line: string) => void): Promise<DiskCache> | null {
  const { pixelCacheDir = null, pixelCacheGB = 0 } = options;
  if (pixelCacheDir === null) return null;
  const opening = openDiskCache(pixelCacheDir, pixelCacheGB * 1e9, options, note);
  opening.catch(() => undefined); // an error waits for the image that is to be looked up
  return opening;
}

/** What is remembered is resized whole; of anything else, the windows alone will be. */
function remember(cache: PixelCache, file: string, image: SizedImage): SizedImage {
  if (!cache.hasRoom(image.rows * image.cols * 3)) return image;
  const whole = resized(image);
  cache.offer(file, whole);
  return sized(whole);
}

/** The image, and what of it was found on disk, in memory taken of `room`. */
async function loadThroughDisk(
  file: string,
  options: ImageOptions,
  disk: Promise<DiskCache> | null,
  room: BufferPool,
): Promise<{ readonly image: SizedImage; readonly found: FoundPixels | null }> {
  if (disk === null) return { image: await loadSized(file, options), found: null };
  const { stallSeconds } = options;
  const find = async () => (await disk).find(file, room);
  const found = await withTimeout(find(), stallSeconds, () => [file]);
  if (found !== null) return { image: sized(found), found };
  const image = await loadImage(file, options);
  await (await disk).keep(file, image);
  return { image: sized(image), found };
}

/** A promise that can only be rejected, and that nobody has to listen to. */
function withReject(): { readonly promise: Promise<never>; readonly reject: (error: Error) => void } {
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<never>((_, rejectIt) => {
    reject = rejectIt;
  });
  promise.catch(() => undefined);
  return { promise, reject };
}

/** Images by file, as many as were the first to fit a budget. */
interface PixelCache {
  get(file: string): Image | undefined;
  /** Whether so many bytes would be kept. */
  hasRoom(bytes: number): boolean;
  /** Keeps the image if there is room; else it is not kept. */
  offer(file: string, image: Image): void;
  clear(): void;
}

/**
 * A cache that fills up and then stays as it is. Training asks for every image once in each pass, in random order, and
 * for that no eviction does better: each pass finds budget / size of its images. (Evicting the least recently used
 * finds fewer, and copies more.)
 */
export function createPixelCache(budgetBytes: number): PixelCache {
  const images = new Map<string, Image>();
  let free = budgetBytes;
  return {
    get: (file) => images.get(file),
    hasRoom: (bytes) => bytes <= free,
    offer: (file, image) => {
      const size = image.pixels.byteLength;
      if (size > free || images.has(file)) return;
      images.set(file, image);
      free -= size;
    },
    clear: () => {
      images.clear();
      free = budgetBytes;
    },
  };
}
