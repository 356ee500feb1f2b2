import type { DataConfig } from "./config.js";
import type { DecodedImage } from "./image.js";
import { createLane, FILES_AT_ONCE, withWatchdog } from "./parallel.js";
import { createPixelCache } from "./pixelCache.js";
import { loadImage } from "./prepare.js";

/** Seconds after which an image that is not there yet stops the run by name. */
const STALL_SECONDS = 120;

export interface TrainingImages {
  /** The prepared image, decoded or remembered. @throws {DataError} naming the file */
  load(file: string): Promise<DecodedImage>;
  close(): void;
}

/** Reads training images, a few at once, and keeps those that fit `cacheMB`. */
export function openTrainingImages(
  options: Pick<DataConfig, "small" | "maxMegapixels" | "cacheMB">,
  stallSeconds: number = STALL_SECONDS,
): TrainingImages {
  const lane = createLane(FILES_AT_ONCE);
  const cache = createPixelCache(options.cacheMB * 2 ** 20);
  const decode = async (file: string) => {
    const image = await withWatchdog(loadImage(file, options), stallSeconds, file);
    cache.offer(file, image);
    return image;
  };
  return {
    load: async (file) => cache.get(file) ?? (await lane(() => decode(file))),
    close: () => {
      cache.clear();
    },
  };
}
