import { type FileHandle, open } from "node:fs/promises";
import sharp, { type Sharp, type SharpOptions } from "sharp";
import { withTimeout } from "../../base/concurrency.js";
import { DataError } from "../../base/errors.js";
import { reasonOf } from "../../base/text.js";
import {
  DEFAULT_MAX_MEGAPIXELS,
  DEFAULT_STALL_SECONDS,
  type Image,
  type SizedImage,
} from "../../model/preprocess/image.js";
import { resized, sizeImage } from "../../model/preprocess/resize.js";
import { readMember, splitMember } from "../archives/archive.js";
import type { DataConfig } from "../config.js";
import { BMP_HEADER_BYTES, decodeBmp, readBmpHeader } from "./bmp.js";
import type { OnDamaged } from "./damage.js";
import { hasWholeChunks } from "./damage.js";
import { checkTiff } from "./tiffHeader.js";

/** Part of the data config that decides how images are read. */
export interface ImageOptions extends Pick<DataConfig, "small" | "maxMegapixels" | "stallSeconds" | "onDamage"> {
  /** Told of files that are read in spite of their damage, unless `onDamage` is `ignore`. */
  readonly onDamaged?: OnDamaged;
  /** `apply` turns images as EXIF says; by default their pixels stay as they lie in the file, as PIL leaves them. */
  readonly orientation?: "ignore" | "apply";
  /** Side of the model's window in pixels, which `small` is about; 224 by default. */
  readonly window?: number | undefined;
}

export const DEFAULT_IMAGE_OPTIONS: ImageOptions = {
  small: "error",
  maxMegapixels: DEFAULT_MAX_MEGAPIXELS,
  stallSeconds: DEFAULT_STALL_SECONDS,
  onDamage: "warn",
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
  return sizeImage(image, options, name);
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
 * Damage that PIL reads through is read as PIL reads it, unless `onDamage` is `refuse`.
 * @throws {DataError} naming the file, what is wrong with it and what to do
 */
export async function decodeImage(source: ImageFile, options: Partial<ImageOptions> = {}): Promise<Image> {
  const { maxMegapixels = DEFAULT_MAX_MEGAPIXELS, onDamage = "warn", onDamaged, orientation = "ignore" } = options;
  const file = nameOf(source);
  const bytes = typeof source === "string" ? await readImageFile(source) : Buffer.from(source.bytes);
  const format = sniffFormat(bytes);
  if (format === null) throw notAnImage(file, bytes);
  if (format === "bmp") {
    checkPixels(file, readBmpHeader(bytes, file), maxMegapixels);
    return decodeBmp(bytes, file);
  }
  if (format === "tiff") checkTiff(bytes, file);
  const how = { format, maxMegapixels, orientation };
  try {
    return await runBeside(() => decodeWithSharp(bytes, file, { ...how, failOn: "warning" }));
  } catch (error) {
    const failOn = onDamage === "refuse" || error instanceof DataError ? null : toleranceOf(format, bytes);
    const read = failOn === null ? null : await tryToRead(() => decodeWithSharp(bytes, file, { ...how, failOn }));
    const isSaid = read === null || (onDamage === "warn" && onDamaged !== undefined);
    const again = isSaid ? await outcomeOf(() => decodeWithSharp(bytes, file, { ...how, failOn: "warning" })) : null;
    if (again instanceof DataError) throw again;
    if (again !== null && !(again instanceof Error)) return again; // it was another file that failed
    if (read === null) throw new DataError(`${file}: cannot be decoded (${reasonOf(again)}); get the file again`, { cause: again }); // prettier-ignore
    if (again !== null) onDamaged?.(file, reasonOf(again));
    return read;
  }
}

/** Image, or null where it cannot be read. */
async function tryToRead(decode: () => Promise<Image>): Promise<Image | null> {
  return runBeside(decode).catch(() => null);
}

/** Image, or the error of this very file. */
async function outcomeOf(decode: () => Promise<Image>): Promise<Image | Error> {
  return withOwnReason(decode).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
}

/** Severity of damage up to which PIL reads a file through: null where PIL, too, stops at any. */
function toleranceOf(format: ImageFormat, bytes: Buffer): "truncated" | "error" | null {
  if (format === "jpeg") return "truncated"; // libjpeg's warnings: wrong parameters of a scan, bytes too many
  if (format === "tiff") return "error"; // libtiff's warnings: tags that nobody knows
  return format === "png" && hasWholeChunks(bytes) ? "truncated" : null; // checksums of pixels are not looked at
}

/** Largest file that is read into memory: no photograph is larger, and a mistake may be. */
const MAX_FILE_BYTES = 512 * 2 ** 20;

/** Reads a file, opened once for size and bytes: each call is a turn of the thread pool; or an archive's member. */
export async function readImageFile(file: string): Promise<Buffer> {
  if (splitMember(file) !== null) return readMember(file);
  return withImageFile(file, async (handle) => {
    const { size } = await handle.stat();
    if (size <= MAX_FILE_BYTES) return handle.readFile();
    throw new DataError(`${file}: ${size} bytes are more than the ${MAX_FILE_BYTES} allowed; convert it to PNG`);
  });
}

interface DecodeSettings extends Required<Pick<ImageOptions, "orientation" | "maxMegapixels">> {
  readonly format: ImageFormat;
  readonly failOn: "warning" | "error" | "truncated";
}

async function decodeWithSharp(bytes: Buffer, file: string, settings: DecodeSettings): Promise<Image> {
  const { format, maxMegapixels } = settings;
  const { inks, isDeep } = await colorsOf(bytes, format);
  const image = openImage(bytes, settings);
  const wanted = inks ? image.pipelineColourspace("cmyk").toColourspace("cmyk") : image.removeAlpha();
  const decoded = wanted.raw({ depth: isDeep ? "ushort" : "uchar" }).toBuffer({ resolveWithObject: true });
  const { data, info } = await decoded.catch(async (error: unknown) => {
    if (!reasonOf(error).includes("exceeds pixel limit")) throw error;
    const { width, height } = await openImage(bytes, { maxMegapixels: null }).metadata(); // so that the message can give the size
    checkPixels(file, { rows: height, cols: width }, maxMegapixels);
    throw error;
  });
  const channels = inks ? 4 : 3;
  if (info.channels !== channels) {
    throw new DataError(`${file}: has ${info.channels} color channels; convert it to RGB`);
  }
  const samples = isDeep ? highBytes(data) : data;
  return { rows: info.height, cols: info.width, pixels: inks ? rgbOfCmyk(samples) : samples };
}

/** Ink colors, and 16 bits of each. PNG and WebP have no inks; of a TIFF, libvips reads the header for it. */
async function colorsOf(bytes: Buffer, format: ImageFormat): Promise<{ inks: boolean; isDeep: boolean }> {
  if (format === "jpeg") return { inks: jpegChannels(bytes) === 4, isDeep: false };
  if (format !== "tiff") return { inks: false, isDeep: false };
  const { space, depth } = await openImage(bytes, { maxMegapixels: null }).metadata();
  return { inks: space === "cmyk", isDeep: space === "cmyk" && depth === "ushort" };
}

/** The more significant byte of each 16-bit sample, which is all that PIL keeps of inks. */
function highBytes(samples: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: samples.length / 2 }, (_, i) => samples[2 * i + 1] ?? NaN); // little-endian, as x86
}

/**
 * Channels of a JPEG by its frame header: 1 gray, 3 colors, 4 inks; null where there is none (ITU-T T.81, annex B). Bytes
 * between segments are passed over, as libjpeg does.
 */
function jpegChannels(bytes: Uint8Array): number | null {
  for (let at = 2; at + 9 < bytes.length;) {
    const marker = bytes[at] === 0xff ? (bytes[at + 1] ?? 0) : 0;
    const isNone = marker === 0 || marker === 0xff; // a byte between segments, or filling
    const isAlone = marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return bytes[at + 9] ?? null;
    at += isNone ? 1 : isAlone ? 2 : 2 + (bytes[at + 2] ?? NaN) * 256 + (bytes[at + 3] ?? NaN);
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

/** Sentence on what a file is that is no image, by its first bytes. */
export function describeBytes(bytes: Uint8Array): string {
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
async function withImageFile<T>(file: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
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

/** First `count` bytes of a file or an archive's member, fewer where it is shorter. @throws {DataError} where it cannot be read */
export async function readStart(file: string, count = BMP_HEADER_BYTES): Promise<Buffer> {
  if (splitMember(file) !== null) return readMember(file, count);
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
  throw new DataError(
    `${file}: ${what}; scale it down, or raise data.maxMegapixels of the config, or --max-megapixels`,
  );
}

/** The only way into libvips' decoders: sharp set up as PIL reads, and one reason for each file that it refuses. */

/** Loaders of libvips that stay open; the others (SVG, PDF, HEIF, GIF, archives) only widen what a bad file can reach. */
const LOADERS = ["VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadWebp", "VipsForeignLoadTiff"];

let isConfigured = false;

interface OpenSettings {
  /** Larger images are refused; null for a look at the header, which decodes nothing. */
  readonly maxMegapixels: number | null;
  /** Of the file, where it is to be decoded. */
  readonly format?: string;
  /** Severity from which on damage is an error; `warning`, the strictest, by default. */
  readonly failOn?: SharpOptions["failOn"];
  /** `apply` turns every image as EXIF says; else a TIFF alone, as PIL does. */
  readonly orientation?: "ignore" | "apply";
}

/**
 * Opens an image with sharp as PIL would see it: embedded color profiles ignored, EXIF orientation applied to
 * TIFF alone, and any damage that libvips notices an error. The first use sets up the process's sharp: unused loaders
 * blocked, no cache of its own, one thread an image (images are decoded in parallel instead).
 */
export function openImage(source: Buffer | string, settings: OpenSettings): Sharp {
  const { maxMegapixels, format, failOn = "warning", orientation = "ignore" } = settings;
  if (!isConfigured) {
    sharp.block({ operation: ["VipsForeignLoad"] });
    sharp.unblock({ operation: LOADERS });
    sharp.cache(false);
    sharp.concurrency(1);
    isConfigured = true;
  }
  return sharp(source, {
    failOn,
    limitInputPixels: maxMegapixels === null ? false : Math.round(maxMegapixels * 1e6),
    ignoreIcc: true,
    autoOrient: format === "tiff" || orientation === "apply",
  });
}

/** Tasks of libvips under way, and the end of the one that runs alone; null where none does. */
const running = new Set<Promise<unknown>>();
let alone: Promise<unknown> | null = null;

/** Runs a task of libvips beside others. Where it fails, its message may be another task's: see `runAlone`. */
async function runBeside<T>(task: () => Promise<T>): Promise<T> {
  while (alone !== null) await alone;
  const promise = task();
  running.add(promise);
  try {
    return await promise;
  } finally {
    running.delete(promise);
  }
}

/** Runs a task of libvips while no other does: all threads write their errors into one text, which is then its own. */
async function runAlone<T>(task: () => Promise<T>): Promise<T> {
  while (alone !== null) await alone;
  const result = Promise.allSettled(running).then(task);
  const ended = result.catch(() => undefined).then(() => (alone = null));
  alone = ended;
  return result;
}

/** Runs a task beside others, and once more alone where it fails, so that the error is that of its own file. */
export async function withOwnReason<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await runBeside(task);
  } catch {
    return runAlone(task);
  }
}
