import type { DecodedImage } from "../../model/preprocess/image.js";

/** Images by file, as many as were the first to fit a budget. */
export interface PixelCache {
  get(file: string): DecodedImage | undefined;
  /** Whether so many bytes would be kept. */
  hasRoom(bytes: number): boolean;
  /** Keeps the image if there is room; else it is not kept. */
  offer(file: string, image: DecodedImage): void;
  clear(): void;
}

/**
 * A cache that fills up and then stays as it is. Training asks for every image once in each pass, in random order, and
 * for that no eviction does better: each pass finds budget / size of its images. (Evicting the least recently used
 * finds fewer, and copies more.)
 */
export function createPixelCache(budgetBytes: number): PixelCache {
  const images = new Map<string, DecodedImage>();
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
