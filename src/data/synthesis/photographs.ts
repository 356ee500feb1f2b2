import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { DataError } from "../../base/errors.js";
import type { Image } from "../../model/preprocess/image.js";

const EXTENSIONS: readonly string[] = [".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"];

/** The shortest side that a model's window of 224 x 224 fits into. */
const SHORTEST_SIDE = 224;

/** An undistorted photograph. */
export interface Photograph {
  /** Its name without the extension: the content that splits are made by. */
  readonly content: string;
  readonly file: string;
  /** Its name in the folder, as scene lists have it. */
  readonly name: string;
}

/**
 * The photographs that lie directly in a folder, sorted by name.
 *
 * @throws {DataError} where there is no such folder, no photograph in it, or names that a list cannot hold
 */
export async function findPhotographs(folder: string): Promise<Photograph[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw new DataError(`--photos: ${folder} cannot be read (${String(error)}); name a folder of photographs`);
  });
  const photographs = names
    .filter((name) => EXTENSIONS.includes(path.extname(name).toLowerCase()))
    .sort()
    .map((name) => ({ content: path.parse(name).name, file: path.join(folder, name), name }));
  if (photographs.length === 0) {
    throw new DataError(
      `--photos: ${folder} holds no photograph; put files in it that end in ${EXTENSIONS.join(", ")}`,
    );
  }
  checkNames(folder, photographs);
  return photographs;
}

function checkNames(folder: string, photographs: readonly Photograph[]): void {
  const problems = photographs.flatMap(({ content, name }, i) => {
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for: a list's own marks
    if (/[\u0000-\u001f\u007f]/.test(name)) return [`${JSON.stringify(name)} has a control character in its name`];
    const twin = photographs.slice(0, i).find((other) => other.content.toLowerCase() === content.toLowerCase());
    return twin === undefined ? [] : [`${twin.name} and ${name} would be one content; rename one of them`];
  });
  if (problems.length > 0) throw new DataError(`--photos: ${folder}:\n  ${problems.join("\n  ")}`);
}

/**
 * Looks at every photograph before hours are spent.
 *
 * @returns the SHA-256 of their names and bytes, 64 hexadecimal digits
 * @throws {DataError} naming every one that is unreadable or shorter than 224 pixels on a side
 */
export async function inspectPhotographs(photographs: readonly Photograph[]): Promise<string> {
  const hash = createHash("sha256");
  const problems: string[] = [];
  for (const { file, name } of photographs) {
    const bytes = await readFile(file);
    hash.update(`${name}\n${bytes.length}\n`).update(bytes);
    const problem = await problemOf(bytes);
    if (problem !== undefined) problems.push(`${name}: ${problem}`);
  }
  if (problems.length > 0) {
    throw new DataError(
      `--photos: ${problems.length} of ${photographs.length} photographs do not serve; ` +
        `replace them or take them out:\n  ${problems.join("\n  ")}`,
    );
  }
  return hash.digest("hex");
}

async function problemOf(bytes: Buffer): Promise<string | undefined> {
  try {
    const { width, height } = await sharp(bytes).metadata();
    const isLargeEnough = Math.min(width, height) >= SHORTEST_SIDE;
    return isLargeEnough
      ? undefined
      : `${width} x ${height} pixels, the shorter side must be at least ${SHORTEST_SIDE}`;
  } catch (error) {
    return `not an image that can be read (${error instanceof Error ? error.message : String(error)})`;
  }
}

/**
 * Decodes a photograph to sRGB, turned upright as its EXIF data say, transparency dropped.
 *
 * @throws {DataError} where it is damaged
 */
export async function readPhotograph(file: string): Promise<Image> {
  try {
    const upright = sharp(file).autoOrient().toColourspace("srgb").removeAlpha();
    const { data, info } = await upright.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    return { rows: info.height, cols: info.width, pixels: new Uint8Array(data) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DataError(`${file}: cannot be decoded (${reason}); replace the photograph or take it out`);
  }
}
