/** Formats of image files, told by their first bytes: an extension is a name, not a fact. */
import sharp, { type Sharp } from "sharp";
import { DataError } from "../../base/errors.js";

/** Formats that are decoded. */
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

/** Error for bytes that are none of the formats. */
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

/** The first 16 bytes as Latin-1 text. */
function beginning(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, 16)).toString("latin1");
}

interface ImageSize {
  readonly rows: number;
  readonly cols: number;
}

/** @throws {DataError} where an image has more pixels than allowed */
export function checkPixels(file: string, { rows, cols }: ImageSize, maxMegapixels: number): void {
  if (rows * cols <= maxMegapixels * 1e6) return;
  throw new DataError(
    `${file}: ${cols} x ${rows} pixels are more than the ${maxMegapixels} megapixels allowed; ` +
      `scale it down, or raise data.maxMegapixels`,
  );
}

/** Loaders of libvips that stay open; the others (SVG, PDF, HEIF, GIF, archives) only widen what a bad file can reach. */
const LOADERS = ["VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadWebp", "VipsForeignLoadTiff"];

let isConfigured = false;

/**
 * Opens an image with sharp as PIL would see it: embedded color profiles ignored, EXIF orientation applied to
 * TIFF alone, and any damage that libvips notices an error. The first use sets up the process's sharp: unused loaders
 * blocked, no cache of its own, one thread an image (images are decoded in parallel instead).
 *
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
