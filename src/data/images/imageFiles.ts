/** The one rule for what of a folder is an image, by names and bytes. */
import { stat } from "node:fs/promises";
import path from "node:path";
import { plural, reasonOf } from "../../base/text.js";
import { describeBytes, type ImageFormat, readStart, sniffFormat } from "./loadImage.js";

/** Endings of each format's files. */
export const EXTENSIONS: Readonly<Record<ImageFormat, readonly string[]>> = {
  jpeg: [".jpg", ".jpeg", ".jpe", ".jfif"],
  png: [".png"],
  webp: [".webp"],
  tiff: [".tif", ".tiff"],
  bmp: [".bmp", ".dib"],
};

/** Endings of image files: what has one of them is tried, whatever it holds. */
const IMAGE_EXTENSIONS: readonly string[] = Object.values(EXTENSIONS).flat();

/** True where a file's name is an image's. */
export function hasImageName(name: string): boolean {
  return IMAGE_EXTENSIONS.includes(path.extname(name).toLowerCase());
}

/** Reason why a file of a folder is not tried; null for images by name or bytes, and for what fails in its turn. */
export async function whyNoImage(file: string): Promise<string | null> {
  if (hasImageName(file)) return null;
  const found = await stat(file).catch(() => null);
  if (found === null) return null;
  if (!found.isFile()) return found.isDirectory() ? "it is a folder" : "it is no regular file"; // a pipe would wait for its writer
  const start = await readStart(file).catch(() => null);
  return start === null || sniffFormat(start) !== null ? null : describeBytes(start);
}

/** Files of a folder that a note names; the others are counted. */
const NAMED_FILES = 5;

/** Note on the files of a folder that are left out, each with its reason; null where there are none. */
export function leftOutNote(
  folder: string,
  files: number,
  left: readonly { readonly name: string; readonly why: string }[],
): string | null {
  if (left.length === 0) return null;
  const named = left.slice(0, NAMED_FILES).map(({ name, why }) => `${name} (${why})`);
  const more = left.length > NAMED_FILES ? `, and ${left.length - NAMED_FILES} more` : "";
  return `${folder}: left out ${left.length} of ${plural(files, "file")}, no images: ${named.join(", ")}${more}`;
}

/** Problem of a file that is to be read whole later: none, a folder, or unreadable. Opens no pipe. */
export async function placeProblem(file: string): Promise<string | null> {
  try {
    const found = await stat(file);
    if (found.isFile()) return null;
    return found.isDirectory() ? "is a folder with the name of an image" : "is no regular file";
  } catch (error) {
    return `cannot be read (${reasonOf(error)}), as of a link that leads nowhere`;
  }
}
