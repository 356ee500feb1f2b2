import { StalledReadError } from "../base/errors.js";
import type { DataConfig } from "./config.js";
import { sized, type SizedImage } from "./image.js";
import { type DiskPixels, openDiskPixels } from "./diskPixels.js";
import { createLane, FILES_AT_ONCE, stalledRead, withWatchdog } from "./parallel.js";
import { createPixelCache, type PixelCache } from "./pixelCache.js";
import { type ImageOptions, loadImage, loadSized } from "./prepare.js";
import { resized } from "./prepareImage.js";

export interface TrainingImages {
  /** The image at its size, decoded or remembered. @throws {DataError} naming the file */
  load(file: string): Promise<SizedImage>;
  /** Files that are being read now. */
  reading(): readonly string[];
  /** Never fulfilled; rejected with a `StalledReadError` when a read does not end, whether someone waits for it or not. */
  readonly stalled: Promise<never>;
  close(): void;
}

export type TrainingImageOptions = ImageOptions &
  Pick<DataConfig, "cacheMB"> &
  Partial<Pick<DataConfig, "pixelCacheDir" | "pixelCacheGB">>;

/**
 * Reads training images, a few at once; keeps those that fit `cacheMB` in memory, and in `pixelCacheDir`, where there is
 * one, those that fit `pixelCacheGB`.
 *
 * @param note  told what a person should know and training goes on without
 */
export function openTrainingImages(options: TrainingImageOptions, note: (line: string) => void): TrainingImages {
  const lane = createLane(FILES_AT_ONCE);
  const cache = createPixelCache(options.cacheMB * 2 ** 20);
  const disk = diskPixelsOf(options, note);
  const reading = new Set<string>();
  const { promise: stalled, reject: rejectStalled } = withReject();
  let stall: StalledReadError | null = null;
  const decode = async (file: string) => {
    if (stall !== null) throw stall; // no further thread is to hang, and all that do are known by name
    reading.add(file);
    try {
      const image = await loadThroughDisk(file, options, disk);
      reading.delete(file);
      return remember(cache, file, image);
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
    load: async (file) => {
      const known = cache.get(file);
      return known === undefined ? await lane(() => decode(file)) : sized(known);
    },
    reading: () => [...reading],
    stalled,
    close: () => {
      cache.clear();
    },
  };
}

function diskPixelsOf(options: TrainingImageOptions, note: (line: string) => void): Promise<DiskPixels> | null {
  const { pixelCacheDir = null, pixelCacheGB = 0 } = options;
  if (pixelCacheDir === null) return null;
  const opening = openDiskPixels(pixelCacheDir, pixelCacheGB * 1e9, options, note);
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

async function loadThroughDisk(
  file: string,
  options: ImageOptions,
  disk: Promise<DiskPixels> | null,
): Promise<SizedImage> {
  if (disk === null) return loadSized(file, options);
  const { stallSeconds } = options;
  const find = async () => (await disk).find(file);
  const found = await withWatchdog(find(), stallSeconds, () => [file]);
  if (found !== null) return sized(found);
  const image = await loadImage(file, options);
  await (await disk).keep(file, image);
  return sized(image);
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
