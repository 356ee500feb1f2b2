import sharp, { type Sharp } from "sharp";

/** What a file is, by its first bytes: the extension is a name, not a fact. */

/** The kinds that are decoded. */
export const IMAGE_FORMATS = ["jpeg", "png", "webp", "tiff", "bmp"] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/** As many bytes as `sniffFormat` wants to see. */
const SNIFFED_BYTES = 16;

/** The format that a file's first bytes announce; null where it is none of those that are decoded. */
export function sniffFormat(bytes: Uint8Array): ImageFormat | null {
  const text = latin1(bytes);
  if (text.startsWith("\xff\xd8\xff")) return "jpeg";
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (text.startsWith("RIFF") && text.startsWith("WEBP", 8)) return "webp";
  if (["II*\0", "MM\0*", "II+\0", "MM\0+"].some((magic) => text.startsWith(magic))) return "tiff";
  if (text.startsWith("BM")) return "bmp";
  return null;
}

/**
 * Colour channels of a JPEG by its frame header: 1 grey, 3 colours, 4 inks; null where there is none (ITU-T T.81,
 * annex B).
 */
export function jpegChannels(bytes: Uint8Array): number | null {
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

/** Words for a message about bytes that are no readable image. */
export function describeBytes(bytes: Uint8Array): string {
  const text = latin1(bytes);
  if (text === "") return "the file is empty";
  if (text.startsWith("GIF8")) return "this is a GIF";
  if (text.startsWith("ftyp", 4)) return "this is a HEIF, AVIF or video file";
  if (text.startsWith("\0\0\0\x0cjP")) return "this is a JPEG 2000 file";
  if (text.startsWith("8BPS")) return "this is a Photoshop file";
  if (text.startsWith("%PDF")) return "this is a PDF";
  if (/^[\t\r\n -~]*$/.test(text)) return `this is text that begins with ${JSON.stringify(text)}`;
  return `it begins with the bytes ${Buffer.from(bytes.subarray(0, 8)).toString("hex")}`;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, SNIFFED_BYTES)).toString("latin1");
}

/** Loaders of libvips that stay open; the others (SVG, PDF, HEIF, GIF, archives) only widen what a bad file can reach. */
const LOADERS = ["VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadWebp", "VipsForeignLoadTiff"];

let isConfigured = false;

/**
 * Opens an image with sharp as PIL would see it: embedded colour profiles ignored, EXIF orientation applied to
 * TIFF alone, and any damage that libvips notices an error. On first use the process's sharp is set up: unused loaders blocked, no
 * cache of its own, one thread an image (images are decoded in parallel instead).
 *
 * @param maxMegapixels  refuses larger images; null for a look at the header, which decodes nothing
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
