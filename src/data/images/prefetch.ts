import { createLimiter, FILES_AT_ONCE } from "../../base/concurrency.js";
import { DataError, StalledReadError } from "../../base/errors.js";
import type { Image } from "../../model/preprocess/image.js";
import { DEFAULT_IMAGE_OPTIONS, type ImageOptions, loadImage } from "./loadImage.js";

type LoadedImage =
  | { readonly file: string; readonly ok: true; readonly image: Image }
  | { readonly file: string; readonly ok: false; readonly error: DataError };

/**
 * Loads images in the files' order, reading ahead; an error of one file is a value, and the others go on.
 * @param ahead  files read ahead of the one handed out
 * @throws {StalledReadError} where a file does not come in time
 */
export async function* prefetchImages(
  files: readonly string[],
  { ahead, images = DEFAULT_IMAGE_OPTIONS }: { readonly ahead: number; readonly images?: ImageOptions },
): AsyncGenerator<LoadedImage, void, undefined> {
  const limit = createLimiter(FILES_AT_ONCE);
  const queue: Promise<LoadedImage>[] = [];
  const waiting = files.values();
  const fill = () => {
    while (queue.length <= ahead) {
      const { value: file } = waiting.next();
      if (file === undefined) return;
      const loading = limit(() => tryLoad(file, images));
      loading.catch(() => undefined); // an unexpected error waits for its turn
      queue.push(loading);
    }
  };
  for (;;) {
    fill();
    const next = queue.shift();
    if (next === undefined) return;
    yield await next;
  }
}

async function tryLoad(file: string, options: ImageOptions): Promise<LoadedImage> {
  try {
    return { file, ok: true, image: await loadImage(file, options) };
  } catch (error) {
    if (error instanceof DataError && !(error instanceof StalledReadError)) return { file, ok: false, error };
    throw error;
  }
}
