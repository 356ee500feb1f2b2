import { readdir } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../../base/errors.js";
import { plural, problemsError } from "../../base/text.js";

/** The path of a named image relative to the database's folder; throws none, and notes what is missing. */
interface ImageFinder {
  readonly find: (name: string) => string;
  /** @throws {DataError} naming the images that were asked for and are not there */
  readonly throwMissing: () => void;
}

/**
 * Finds images by their names in those of `folders` that are there. A name in other case than its file's is found too,
 * since some makers' lists were written where that makes no difference.
 *
 * @param folders  where a distribution may have its images, relative to the database's folder
 * @throws {DataError} where none of them is there
 */
export async function createImageFinder(database: string, folders: readonly string[]): Promise<ImageFinder> {
  const exact = new Map<string, string>();
  const folded = new Map<string, string>();
  let there = 0;
  for (const folder of folders) {
    const names = await readdir(path.join(database, folder)).catch(() => null);
    if (names === null) continue;
    there++;
    for (const name of names) {
      const image = path.posix.join(folder, name);
      if (!exact.has(name)) exact.set(name, image);
      if (!folded.has(name.toLowerCase())) folded.set(name.toLowerCase(), image);
    }
  }
  if (there === 0) {
    throw new DataError(`${database}: none of the image folders is there: ${folders.join(", ")}; unpack the images`);
  }
  const missing: string[] = [];
  return {
    find: (name) => {
      const image = exact.get(name) ?? folded.get(name.toLowerCase());
      if (image === undefined) missing.push(name);
      return image ?? name;
    },
    throwMissing: () => {
      if (missing.length === 0) return;
      const heading = `${database}: ${plural(missing.length, "image")} not found in ${folders.join(", ")}; unpack all images`;
      throw problemsError(heading, missing);
    },
  };
}
