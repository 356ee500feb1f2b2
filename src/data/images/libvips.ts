/** The only way into libvips' decoders: sharp set up as PIL reads, and one reason for each file that it refuses. */
import sharp, { type Sharp, type SharpOptions } from "sharp";

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
export async function runBeside<T>(task: () => Promise<T>): Promise<T> {
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
