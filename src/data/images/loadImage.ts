import { withTimeout } from "../../base/concurrency.js";
import { DataError } from "../../base/errors.js";
import { reasonOf } from "../../base/text.js";
import {
  type Image,
  DEFAULT_MAX_MEGAPIXELS,
  DEFAULT_STALL_SECONDS,
  type SizedImage,
} from "../../model/preprocess/image.js";
import { resized, sizeImage } from "../../model/preprocess/resize.js";
import type { DataConfig } from "../config.js";
import { decodeBmp, readBmpHeader } from "./bmp.js";
import { checkPixels, type ImageFormat, notAnImage, openImage, sniffFormat, withImageFile } from "./formats.js";

/** Part of the data config that decides how images are read. */
export type ImageOptions = Pick<DataConfig, "small" | "maxMegapixels" | "stallSeconds">;

export const DEFAULT_IMAGE_OPTIONS: ImageOptions = {
  small: "error",
  maxMegapixels: DEFAULT_MAX_MEGAPIXELS,
  stallSeconds: DEFAULT_STALL_SECONDS,
};

/**
 * Decodes an image and brings it to the size at which windows are cut.
 * @throws {DataError}        where it cannot be used
 * @throws {StalledReadError} where it does not come within `stallSeconds`
 */
export async function loadImage(file: ImageFile, options: ImageOptions = DEFAULT_IMAGE_OPTIONS): Promise<Image> {
  return resized(await loadSized(file, options));
}

/** Decodes an image without resizing it yet: a few windows of a large picture are a fifth of the work. */
export async function loadSized(file: ImageFile, options: ImageOptions): Promise<SizedImage> {
  const name = nameOf(file);
  const image = await withTimeout(decodeImage(file, options), options.stallSeconds, () => [name]);
  return sizeImage(image, options.small, name);
}

/** An image's file by its path, or its bytes under the name that messages give them. */
type ImageFile = string | { readonly name: string; readonly bytes: Uint8Array };

function nameOf(file: ImageFile): string {
  return typeof file === "string" ? file : file.name;
}

/**
 * Decodes a JPEG, PNG, WebP, TIFF or BMP file to RGB as PIL's `convert("RGB")` does: gray repeated, palettes looked up,
 * alpha dropped, CMYK by PIL's formula, color profiles ignored, EXIF orientation applied to TIFF alone, of several
 * pictures the first. One thing differs: 16-bit gray keeps its high byte, where PIL cuts every value above 255 to white.
 * @throws {DataError} naming the file, what is wrong with it and what to do
 */
export async function decodeImage(
  source: ImageFile,
  { maxMegapixels }: Pick<ImageOptions, "maxMegapixels"> = DEFAULT_IMAGE_OPTIONS,
): Promise<Image> {
  const file = nameOf(source);
  const bytes = typeof source === "string" ? await readImageFile(source) : Buffer.from(source.bytes);
  const format = sniffFormat(bytes);
  if (format === null) throw notAnImage(file, bytes);
  if (format === "bmp") {
    checkPixels(file, readBmpHeader(bytes, file), maxMegapixels);
    return decodeBmp(bytes, file);
  }
  try {
    return await decodeWithSharp(bytes, file, { format, maxMegapixels });
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`${file}: cannot be decoded (${reasonOf(error)}); get the file again`, { cause: error });
  }
}

/** Largest file that is read into memory: no photograph is larger, and a mistake may be. */
const MAX_FILE_BYTES = 512 * 2 ** 20;

/** Reads a file, opened once for size and bytes: each call is a turn of the thread pool. */
async function readImageFile(file: string): Promise<Buffer> {
  return withImageFile(file, async (handle) => {
    const { size } = await handle.stat();
    if (size <= MAX_FILE_BYTES) return handle.readFile();
    throw new DataError(`${file}: ${size} bytes are more than the ${MAX_FILE_BYTES} allowed; convert it to PNG`);
  });
}

async function decodeWithSharp(
  bytes: Buffer,
  file: string,
  { format, maxMegapixels }: { readonly format: ImageFormat; readonly maxMegapixels: number },
): Promise<Image> {
  const isCmyk = await hasInks(bytes, format);
  const image = openImage(bytes, maxMegapixels, format);
  const wanted = isCmyk ? image.pipelineColourspace("cmyk").toColourspace("cmyk") : image.removeAlpha();
  const decoded = wanted.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  const { data, info } = await decoded.catch(async (error: unknown) => {
    if (!reasonOf(error).includes("exceeds pixel limit")) throw error;
    const { width, height } = await openImage(bytes, null).metadata(); // so that the message can give the size
    checkPixels(file, { rows: height, cols: width }, maxMegapixels);
    throw error;
  });
  const channels = isCmyk ? 4 : 3;
  if (info.channels !== channels) {
    throw new DataError(`${file}: has ${info.channels} color channels; convert it to RGB`);
  }
  return { rows: info.height, cols: info.width, pixels: isCmyk ? rgbOfCmyk(data) : data };
}

/** True where the colors are those of inks. PNG and WebP have none; of a TIFF, libvips reads the header for it. */
async function hasInks(bytes: Buffer, format: ImageFormat): Promise<boolean> {
  if (format === "jpeg") return jpegChannels(bytes) === 4;
  return format === "tiff" && (await openImage(bytes, null).metadata()).space === "cmyk";
}

/** Channels of a JPEG by its frame header: 1 gray, 3 colors, 4 inks; null where there is none (ITU-T T.81, annex B). */
function jpegChannels(bytes: Uint8Array): number | null {
  for (let at = 2; at + 9 < bytes.length;) {
    if (bytes[at] !== 0xff) return null;
    const marker = bytes[at + 1] ?? NaN;
    if (marker === 0xff) {
      at++; // filling
      continue;
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return bytes[at + 9] ?? null;
    at += 2 + (bytes[at + 2] ?? NaN) * 256 + (bytes[at + 3] ?? NaN);
  }
  return null;
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
