import { readdir } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../../base/errors.js";
import { plural, problemsError } from "../../base/text.js";

/**
 * Finder of images by their names in those of `folders` that are there. A name in other case than its file's is found
 * too: some makers' lists were written where that makes no difference.
 * @throws {DataError} where none of the folders is there
 */
export async function createImageFinder(database: string, folders: readonly string[]) {
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
    /** Path of a named image relative to the database's folder; a missing one is noted. */
    find: (name: string): string => {
      const image = exact.get(name) ?? folded.get(name.toLowerCase());
      if (image === undefined) missing.push(name);
      return image ?? name;
    },
    /** @throws {DataError} naming the missing images */
    throwMissing: (): void => {
      if (missing.length === 0) return;
      const heading = `${database}: ${plural(missing.length, "image")} not found in ${folders.join(", ")}; unpack all images`;
      throw problemsError(heading, missing);
    },
  };
}
