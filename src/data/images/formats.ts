/** Formats of image files: told by their first bytes, since an extension is a name, not a fact; opened and encoded. */
import { type FileHandle, open } from "node:fs/promises";
import sharp, { type Sharp } from "sharp";
import { DataError } from "../../base/errors.js";
import { reasonOf } from "../../base/text.js";
import type { Image } from "../../model/preprocess/image.js";
import { resizeBilinear } from "../../model/preprocess/resize.js";
import { BMP_HEADER_BYTES } from "./bmp.js";

const IMAGE_FORMATS = ["jpeg", "png", "webp", "tiff", "bmp"] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/** Format that a file's first bytes announce; null where it is none of those that are decoded. */
export function sniffFormat(bytes: Uint8Array): ImageFormat | null {
  const text = beginning(bytes);
  if (text.startsWith("\xff\xd8\xff")) return "jpeg";
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (text.startsWith("RIFF") && text.startsWith("WEBP", 8)) return "webp";
  if (["II*\0", "MM\0*", "II+\0", "MM\0+"].some((magic) => text.startsWith(magic))) return "tiff";
  if (text.startsWith("BM")) return "bmp";
  return null;
}

export function notAnImage(file: string, bytes: Uint8Array): DataError {
  const formats = IMAGE_FORMATS.map((format) => format.toUpperCase()).join(", ");
  return new DataError(`${file}: not an image: ${describeBytes(bytes)}; give a file of ${formats}`);
}

function describeBytes(bytes: Uint8Array): string {
  const text = beginning(bytes);
  if (text === "") return "the file is empty";
  if (text.startsWith("GIF8")) return "this is a GIF";
  if (text.startsWith("ftyp", 4)) return "this is a HEIF, AVIF or video file";
  if (text.startsWith("\0\0\0\x0cjP")) return "this is a JPEG 2000 file";
  if (text.startsWith("8BPS")) return "this is a Photoshop file";
  if (text.startsWith("%PDF")) return "this is a PDF";
  if (/^[\t\r\n -~]*$/.test(text)) return `this is text that begins with ${JSON.stringify(text)}`;
  return `it begins with the bytes ${Buffer.from(bytes.subarray(0, 8)).toString("hex")}`;
}

function beginning(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, 16)).toString("latin1");
}

/** Lends `use` an open image file. @throws {DataError} where it cannot be read */
export async function withImageFile<T>(file: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  try {
    const handle = await open(file);
    try {
      return await use(handle);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof DataError) throw error;
    const what = `cannot be read (${reasonOf(error)}); check the path and its permissions`;
    throw new DataError(`${file}: ${what}`, { cause: error });
  }
}

/** First `count` bytes of a file, fewer where it is shorter. @throws {DataError} where it cannot be read */
export async function readStart(file: string, count = BMP_HEADER_BYTES): Promise<Buffer> {
  return withImageFile(file, async (handle) => {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(count), 0, count, 0);
    return buffer.subarray(0, bytesRead);
  });
}

/** @throws {DataError} where an image has more pixels than allowed */
export function checkPixels(
  file: string,
  { rows, cols }: Record<"rows" | "cols", number>,
  maxMegapixels: number,
): void {
  if (rows * cols <= maxMegapixels * 1e6) return;
  const what = `${cols} x ${rows} pixels are more than the ${maxMegapixels} megapixels allowed`;
  throw new DataError(`${file}: ${what}; scale it down, or raise data.maxMegapixels`);
}

/** Loaders of libvips that stay open; the others (SVG, PDF, HEIF, GIF, archives) only widen what a bad file can reach. */
const LOADERS = ["VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadWebp", "VipsForeignLoadTiff"];

let isConfigured = false;

/**
 * Opens an image with sharp as PIL would see it: embedded color profiles ignored, EXIF orientation applied to
 * TIFF alone, and any damage that libvips notices an error. The first use sets up the process's sharp: unused loaders
 * blocked, no cache of its own, one thread an image (images are decoded in parallel instead).
 * @param maxMegapixels  larger images are refused; null for a look at the header, which decodes nothing
 * @param format         of the file, where it is to be decoded
 */
export function openImage(source: Buffer | string, maxMegapixels: number | null, format?: ImageFormat): Sharp {
  if (!isConfigured) {
    sharp.block({ operation: ["VipsForeignLoad"] });
    sharp.unblock({ operation: LOADERS });
    sharp.cache(false);
    sharp.concurrency(1);
    isConfigured = true;
  }
  return sharp(source, {
    failOn: "warning",
    limitInputPixels: maxMegapixels === null ? false : Math.round(maxMegapixels * 1e6),
    ignoreIcc: true,
    autoOrient: format === "tiff",
  });
}

export async function encodePng(image: Image): Promise<Buffer> {
  return raw(image).png().toBuffer();
}

/** Encodes a picture as WebP, its sides at most `longestSide`. @param quality  1 to 100; from 90 losses hardly show */
export async function encodeWebp(image: Image, longestSide: number, quality: number): Promise<Buffer> {
  return raw(reduced(image, longestSide)).webp({ quality, smartSubsample: true }).toBuffer();
}

function reduced(image: Image, longestSide: number): Image {
  const scale = longestSide / Math.max(image.rows, image.cols);
  const scaled = (side: number) => Math.max(1, Math.round(side * scale));
  return scale >= 1 ? image : resizeBilinear(image, scaled(image.rows), scaled(image.cols));
}

function raw({ rows, cols, pixels }: Image) {
  return sharp(pixels, { raw: { width: cols, height: rows, channels: 3 } });
}
