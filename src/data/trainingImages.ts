import { StalledReadError } from "../base/errors.js";
import type { DataConfig } from "./config.js";
import type { DecodedImage } from "./image.js";
import { type DiskPixels, openDiskPixels } from "./diskPixels.js";
import { createLane, FILES_AT_ONCE, stalledRead, withWatchdog } from "./parallel.js";
import { createPixelCache } from "./pixelCache.js";
import { type ImageOptions, loadImage } from "./prepare.js";

export interface TrainingImages {
  /** The prepared image, decoded or remembered. @throws {DataError} naming the file */
  load(file: string): Promise<DecodedImage>;
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
      cache.offer(file, image);
      return image;
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
    load: async (file) => cache.get(file) ?? (await lane(() => decode(file))),
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

async function loadThroughDisk(file: string, options: ImageOptions, disk: Promise<DiskPixels> | null) {
  if (disk === null) return loadImage(file, options);
  const { stallSeconds } = options;
  const find = async () => (await disk).find(file);
  const found = await withWatchdog(find(), stallSeconds, () => [file]);
  if (found !== null) return found;
  const image = await loadImage(file, options);
  await (await disk).keep(file, image);
  return image;
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
