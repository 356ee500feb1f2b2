import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { withTimeout } from "../../base/concurrency.js";
import { DataError } from "../../base/errors.js";
import { reasonOf } from "../../base/text.js";
import type { Image, SizedImage } from "../../model/preprocess/image.js";
import { DEFAULT_MAX_MEGAPIXELS, DEFAULT_STALL_SECONDS } from "../../model/preprocess/image.js";
import { resized, sizeImage } from "../../model/preprocess/resize.js";
import type { DataConfig } from "../config.js";
import { decodeBmp, readBmpHeader } from "./bmp.js";
import type { ImageFormat } from "./formats.js";
import { describeBytes, IMAGE_FORMATS, jpegChannels, openImage, sniffFormat } from "./formats.js";

/** How images are read: the part of the data config that decides it. */
export type ImageOptions = Pick<DataConfig, "small" | "maxMegapixels" | "stallSeconds">;

/** What holds where there is no config. */
export const DEFAULT_IMAGE_OPTIONS: ImageOptions = {
  small: "error",
  maxMegapixels: DEFAULT_MAX_MEGAPIXELS,
  stallSeconds: DEFAULT_STALL_SECONDS,
};

/**
 * Decodes an image and brings it to the size at which windows are cut.
 *
 * @throws {DataError}        where it cannot be used
 * @throws {StalledReadError} where it does not come within `stallSeconds`
 */
export async function loadImage(file: ImageFile, options: ImageOptions = DEFAULT_IMAGE_OPTIONS): Promise<Image> {
  return resized(await loadSized(file, options));
}

/** The same, without resizing yet: a few windows of a large picture are a fifth of the work. */
export async function loadSized(file: ImageFile, options: ImageOptions): Promise<SizedImage> {
  const name = nameOf(file);
  const image = await withTimeout(decodeImage(file, options), options.stallSeconds, () => [name]);
  return sizeImage(image, options.small, name);
}

/** An image's file by its path, or its bytes under the name that messages give them. */
export type ImageFile = string | { readonly name: string; readonly bytes: Uint8Array };

function nameOf(file: ImageFile): string {
  return typeof file === "string" ? file : file.name;
}

/** A file larger than this is not read into memory: no photograph is, and a mistake may be. */
const MAX_FILE_BYTES = 512 * 2 ** 20;

interface DecodeOptions {
  /** Images of more pixels are refused before they are decoded. */
  readonly maxMegapixels: number;
}

/**
 * Decodes a JPEG, PNG, WebP, TIFF or BMP file to RGB as PIL's `convert("RGB")` does: grey repeated, palettes looked up,
 * alpha dropped, CMYK by PIL's formula, colour profiles ignored, EXIF orientation applied to TIFF alone, of several
 * pictures the first. One thing differs: 16-bit grey keeps its high byte, where PIL cuts every value above 255 to white.
 *
 * @throws {DataError} naming the file, what is wrong with it and what to do
 */
export async function decodeImage(
  source: ImageFile,
  { maxMegapixels }: DecodeOptions = { maxMegapixels: DEFAULT_MAX_MEGAPIXELS },
): Promise<Image> {
  const file = nameOf(source);
  const bytes = typeof source === "string" ? await readImageFile(source) : Buffer.from(source.bytes);
  const format = sniffFormat(bytes);
  if (format === null) throw notAnImage(file, bytes);
  if (format === "bmp") {
    const { rows, cols } = readBmpHeader(bytes, file);
    checkPixels(file, rows, cols, maxMegapixels);
    return decodeBmp(bytes, file);
  }
  try {
    return await decodeWithSharp(bytes, format, file, maxMegapixels);
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`${file}: cannot be decoded (${reasonOf(error)}); get the file again`, { cause: error });
  }
}

/** The error for bytes that are none of the formats read. */
export function notAnImage(file: string, bytes: Uint8Array): DataError {
  const formats = IMAGE_FORMATS.map((format) => format.toUpperCase()).join(", ");
  return new DataError(`${file}: not an image: ${describeBytes(bytes)}; give a file of ${formats}`);
}

/** @throws {DataError} where an image has more pixels than allowed */
export function checkPixels(file: string, rows: number, cols: number, maxMegapixels: number): void {
  if (rows * cols <= maxMegapixels * 1e6) return;
  throw new DataError(
    `${file}: ${cols} x ${rows} pixels are more than the ${maxMegapixels} megapixels allowed; ` +
      `scale it down, or raise data.maxMegapixels`,
  );
}

async function readImageFile(file: string): Promise<Buffer> {
  try {
    const handle = await open(file); // once, for size and bytes: each call is a turn of the thread pool
    try {
      return await readLimited(handle, file);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`${file}: cannot be read (${reasonOf(error)}); check the path and its permissions`, {
      cause: error,
    });
  }
}

async function readLimited(handle: FileHandle, file: string): Promise<Buffer> {
  const { size } = await handle.stat();
  if (size <= MAX_FILE_BYTES) return handle.readFile();
  throw new DataError(`${file}: ${size} bytes are more than the ${MAX_FILE_BYTES} allowed; convert it to PNG`);
}

async function decodeWithSharp(
  bytes: Buffer,
  format: ImageFormat,
  file: string,
  maxMegapixels: number,
): Promise<Image> {
  const isCmyk = await hasInks(bytes, format);
  const image = openImage(bytes, maxMegapixels, format);
  const wanted = isCmyk ? image.pipelineColourspace("cmyk").toColourspace("cmyk") : image.removeAlpha();
  const decoded = wanted.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  const { data, info } = await decoded.catch(async (error: unknown) => {
    if (!reasonOf(error).includes("exceeds pixel limit")) throw error;
    const { width, height } = await openImage(bytes, null).metadata(); // so that the message can give the size
    checkPixels(file, height, width, maxMegapixels);
    throw error;
  });
  const channels = isCmyk ? 4 : 3;
  if (info.channels !== channels) {
    throw new DataError(`${file}: has ${info.channels} colour channels; convert it to RGB`);
  }
  return { rows: info.height, cols: info.width, pixels: isCmyk ? rgbOfCmyk(data) : data };
}

/** Whether its colours are those of inks. PNG and WebP have none; of a TIFF, libvips reads the header for it. */
async function hasInks(bytes: Buffer, format: ImageFormat): Promise<boolean> {
  if (format === "jpeg") return jpegChannels(bytes) === 4;
  return format === "tiff" && (await openImage(bytes, null).metadata()).space === "cmyk";
}

/** PIL's CMYK to RGB: (255 - K) less its share c / 255 of each ink, rounded. */
function rgbOfCmyk(cmyk: Uint8Array): Uint8Array {
  const count = cmyk.length / 4;
  const rgb = new Uint8Array(count * 3);
  for (let i = 0; i < count; i++) {
    const light = 255 - (cmyk[4 * i + 3] ?? NaN);
    for (let c = 0; c < 3; c++) rgb[3 * i + c] = light - Math.round(((cmyk[4 * i + c] ?? NaN) * light) / 255);
  }
  return rgb;
}
