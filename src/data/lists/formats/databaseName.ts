import path from "node:path";
import { KNOWN_DATABASES } from "../../databases/registry.js";

/** Names of images that only one database has. */
const IMAGES: readonly (readonly [RegExp, string])[] = [[/(?:^|\/)I\d\d_\d\d_\d\d\.png$/i, "kadid10k"]];

/** Known database that a list is of, by its own name, its images and their folders, or its folder; null if none. */
export function databaseOf(file: string, images: readonly string[]): string | null {
  const { base, dir } = path.parse(file);
  const folder = path.posix.dirname(images[0] ?? "");
  const named = [base, folder, path.basename(dir), path.basename(path.dirname(dir))]
    .map(databaseInWords)
    .find((one) => one !== null);
  if (named !== undefined) return named;
  return IMAGES.find(([pattern]) => images.length > 0 && images.every((image) => pattern.test(image)))?.[1] ?? null;
}

/** Known database that a file, a folder or a text names; null if none. */
export function databaseInWords(text: string): string | null {
  return KNOWN_DATABASES.find(({ words }) => words.test(text))?.name ?? null;
}
