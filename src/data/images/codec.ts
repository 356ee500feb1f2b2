import sharp, { type Sharp } from "sharp";
import type { ImageFormat } from "./formats.js";

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
