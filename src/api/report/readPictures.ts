import { FILES_AT_ONCE, mapParallel } from "../../base/concurrency.js";
import { DataError } from "../../base/errors.js";
import { encodeWebp } from "../../data/images/encode.js";
import type { ImageOptions } from "../../data/images/loadImage.js";
import { loadImage } from "../../data/images/loadImage.js";
import type { Picture } from "../../evaluate/report/picture.js";

/** The files' pictures as pages show them, reduced; a file that cannot be read is a reason. */
export async function readPictures(
  files: readonly string[],
  images: ImageOptions,
  { side, quality }: { readonly side: number; readonly quality: number },
): Promise<Map<string, Picture>> {
  const unique = [...new Set(files)];
  const pictures = await mapParallel(unique, FILES_AT_ONCE, async (file): Promise<Picture> => {
    try {
      return { ok: true, webp: await encodeWebp(await loadImage(file, images), side, quality) };
    } catch (error) {
      if (error instanceof DataError) return { ok: false, reason: error.message };
      throw error;
    }
  });
  return new Map(unique.map((file, i) => [file, pictures[i] ?? { ok: false, reason: "not read" }]));
}
