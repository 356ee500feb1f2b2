import { StalledReadError } from "../base/errors.js";
import type { DataConfig } from "./config.js";
import type { DecodedImage } from "./image.js";
import { createLane, FILES_AT_ONCE, stalledRead } from "./parallel.js";
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

/** Reads training images, a few at once, and keeps those that fit `cacheMB`. */
export function openTrainingImages(options: ImageOptions & Pick<DataConfig, "cacheMB">): TrainingImages {
  const lane = createLane(FILES_AT_ONCE);
  const cache = createPixelCache(options.cacheMB * 2 ** 20);
  const reading = new Set<string>();
  const { promise: stalled, reject: rejectStalled } = withReject();
  let stall: StalledReadError | null = null;
  const decode = async (file: string) => {
    if (stall !== null) throw stall; // no further thread is to hang, and all that do are known by name
    reading.add(file);
    try {
      const image = await loadImage(file, options);
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

/** A promise that can only be rejected, and that nobody has to listen to. */
function withReject(): { readonly promise: Promise<never>; readonly reject: (error: Error) => void } {
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<never>((_, rejectIt) => {
    reject = rejectIt;
  });
  promise.catch(() => undefined);
  return { promise, reject };
}
