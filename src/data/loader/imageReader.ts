import { createLimiter, FILES_AT_ONCE, stalledRead, withTimeout } from "../../base/concurrency.js";
import { StalledReadError } from "../../base/errors.js";
import { type Image, sized, type SizedImage } from "../../model/preprocess/image.js";
import { resized } from "../../model/preprocess/resize.js";
import type { DataConfig } from "../config.js";
import { DamageLog } from "../images/damage.js";
import { type ImageOptions, loadImage, loadSized } from "../images/loadImage.js";
import { lookOf, packLook } from "../images/look.js";
import { openDiskCache } from "./diskCache.js";

interface ImageReader {
  /** Image at its size, decoded or remembered, borrowed until `release`. @throws {DataError} naming the file */
  read(file: string): Promise<SizedImage>;
  /** Takes back an image that `read` gave and nobody looks at any more: its memory may now hold another one. */
  release(image: SizedImage): void;
  reading(): readonly string[];
  /** Packed looks of the files that were read. */
  readonly looks: ReadonlyMap<string, string>;
  /** Never fulfilled; rejected with a `StalledReadError` when a read does not end, whether someone waits for it or not. */
  readonly stalled: Promise<never>;
  close(): void;
}

type ImageReaderOptions = ImageOptions &
  Pick<DataConfig, "cacheMB"> &
  Partial<Pick<DataConfig, "pixelCacheDir" | "pixelCacheGB">>;

/** Reader of training images, a few at once, with a memory cache (`cacheMB`) and one on disk (`pixelCacheDir`). */
export function createImageReader(options: ImageReaderOptions, note: (line: string) => void): ImageReader {
  const { stallSeconds } = options;
  const damage = new DamageLog(note);
  const limit = createLimiter(FILES_AT_ONCE);
  const cache = createPixelCache(options.cacheMB * 2 ** 20);
  const disk = openDisk(options, note);
  const lent = new WeakSet<SizedImage>(); // images that the memory cache does not hold
  const reading = new Set<string>();
  const looks = new Map<string, string>(); // of the pixels as decoded, whatever the caches hold
  let rejectStalled: (stall: StalledReadError) => void = () => undefined;
  const stalled = new Promise<never>((_, reject) => (rejectStalled = reject));
  stalled.catch(() => undefined); // nobody has to listen to it
  let stall: StalledReadError | null = null;
  const decode = async (file: string) => {
    if (stall !== null) throw stall; // no further thread may hang, and all that do are named
    reading.add(file);
    try {
      const loaded = await loadThroughDisk(file, { ...options, onDamaged: damage.onDamaged }, disk);
      reading.delete(file);
      if (!looks.has(file)) looks.set(file, packLook(lookOf(loaded.source)));
      const isKept = cache.hasRoom(loaded.rows * loaded.cols * 3);
      const image = isKept ? sized(resized(loaded)) : loaded; // of one that is not kept, the windows alone are resized
      if (isKept) cache.offer(file, image.source);
      if (disk !== null && cache.get(file) !== image.source) lent.add(image);
      return image;
    } catch (error) {
      if (!(error instanceof StalledReadError)) reading.delete(file);
      else {
        stall ??= stalledRead([...reading], stallSeconds); // the file is still being read, and stays among them
        rejectStalled(stall);
      }
      throw error;
    }
  };
  return {
    read: async (file) => {
      const known = cache.get(file);
      return known === undefined ? limit(() => decode(file)) : sized(known);
    },
    release: (image) => {
      if (lent.delete(image)) disk?.release(image.source);
    },
    reading: () => [...reading],
    ...{ looks, stalled },
    close: () => {
      damage.close();
      cache.clear();
    },
  };
}

function openDisk(options: ImageReaderOptions, note: (line: string) => void): ReturnType<typeof openDiskCache> | null {
  const { pixelCacheDir = null, pixelCacheGB = 0 } = options;
  if (pixelCacheDir === null) return null;
  return openDiskCache({ ...options, folder: pixelCacheDir, budgetBytes: pixelCacheGB * 1e9 }, note);
}

async function loadThroughDisk(
  file: string,
  options: ImageOptions,
  disk: ReturnType<typeof openDiskCache> | null,
): Promise<SizedImage> {
  if (disk === null) return loadSized(file, options);
  const found = await withTimeout(disk.find(file), options.stallSeconds, () => [file]);
  if (found !== null) return sized(found);
  const image = await loadImage(file, options);
  await disk.keep(file, image);
  return sized(image);
}

/** Images by file: those that were the first to fit a budget. */
interface PixelCache {
  get(file: string): Image | undefined;
  /** True where so many bytes would be kept. */
  hasRoom(bytes: number): boolean;
  offer(file: string, image: Image): void;
  clear(): void;
}

/**
 * Cache that fills up and then stays as it is. Training asks for every image once in each pass, in random order, and
 * for that no eviction does better: each pass finds budget / size of its images.
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
