import path from "node:path";
import { FILES_AT_ONCE, mapConcurrent, withTimeout } from "../../base/concurrency.js";
import { DataError } from "../../base/errors.js";
import type { ReportProgress } from "../../base/types.js";
import { type ImageFormat, sniffFormat } from "../images/formats.js";
import type { ImageOptions } from "../images/loadImage.js";
import { decodeImage } from "../images/loadImage.js";
import {
  findMissingImages,
  findUnusableImages,
  type ImageProblem,
  readStart,
  uniqueFiles,
} from "../images/requireImages.js";
import { pathProblem } from "../lists/readList.js";
import type { Sample } from "../sample.js";
import type { Finding, FindingKind } from "./findings.js";
import { type Signature, signatureOf } from "./perceptualHash.js";
import { findingAt } from "./sampleChecks.js";

/** How far images are looked at: not at all, whether they are there and have a header, or every pixel. */
export type Depth = "lists" | "headers" | "pixels";

export interface CheckedFiles {
  readonly findings: readonly Finding[];
  /** Those whose pixels were looked at and are in order. */
  readonly inspected: readonly Extract<InspectedImage, { ok: true }>[];
}

/** Looks at the files of a database's images; each step leaves out what an earlier one found wrong. */
export async function checkFiles(
  images: readonly Sample[],
  depth: Depth,
  options: ImageOptions,
  report?: ReportProgress,
): Promise<CheckedFiles> {
  if (depth === "lists") return { findings: [], inspected: [] };
  const inside = images.filter(({ image }) => pathProblem(image) === null); // others are not even looked for
  const missing = await findMissingImages(inside, report);
  const present = without(uniqueFiles(inside), missing);
  const unusable = await findUnusableImages(present, options, report);
  const usable = without(present, unusable);
  const renamed = await findWrongExtensions(usable);
  const inspected = depth === "pixels" ? await inspectPixels(usable, options, report) : [];
  const damaged = inspected.filter((image) => !image.ok);
  return {
    findings: [...missing.map(asFinding), ...unusable.map(asFinding), ...renamed, ...damaged.map(asDamage)],
    inspected: inspected.filter((image) => image.ok),
  };
}

function without(samples: readonly Sample[], problems: readonly ImageProblem[]): Sample[] {
  const files = new Set(problems.map(({ sample }) => sample.file));
  return samples.filter(({ file }) => !files.has(file));
}

function asFinding({ kind, sample, message }: ImageProblem): Finding {
  return findingAbout(sample, kind, message);
}

function asDamage({ sample, message }: Extract<InspectedImage, { ok: false }>): Finding {
  return findingAbout(sample, "damaged", message);
}

function findingAbout({ database, list, line, image }: Sample, kind: FindingKind, message: string): Finding {
  return { kind, severity: "error", database, list, line, image, message };
}

type InspectedImage =
  | { readonly ok: true; readonly sample: Sample; readonly signature: Signature }
  | { readonly ok: false; readonly sample: Sample; readonly message: string };

/**
 * Decodes every image whole, a few at a time: what is truncated or broken inside shows only so. Of the pictures only
 * their signatures are kept.
 *
 * @param samples  of different files, with headers that can be read
 */
async function inspectPixels(
  samples: readonly Sample[],
  options: ImageOptions,
  report?: ReportProgress,
): Promise<InspectedImage[]> {
  let done = 0;
  return mapConcurrent(samples, FILES_AT_ONCE, async (sample): Promise<InspectedImage> => {
    try {
      const decoded = await withTimeout(decodeImage(sample.file, options), options.stallSeconds, () => [sample.file]);
      return { ok: true, sample, signature: signatureOf(decoded) };
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      return { ok: false, sample, message: `${sample.list}:${sample.line}: ${error.message}` };
    } finally {
      report?.({ label: "decoding images", done: ++done, total: samples.length, unit: "images" });
    }
  });
}

const EXTENSIONS: Readonly<Record<ImageFormat, readonly string[]>> = {
  jpeg: [".jpg", ".jpeg", ".jpe", ".jfif"],
  png: [".png"],
  webp: [".webp"],
  tiff: [".tif", ".tiff"],
  bmp: [".bmp", ".dib"],
};

/**
 * Images whose names say another format than their first bytes do. They are read by their bytes, and yet something
 * went wrong with them once: a renamed PNG has lost no JPEG artifacts, and has none.
 *
 * @param samples  of files that can be read
 */
async function findWrongExtensions(samples: readonly Sample[]): Promise<Finding[]> {
  const found = await mapConcurrent(samples, FILES_AT_ONCE, async (sample) => {
    const format = sniffFormat(await readStart(sample.file));
    const extension = path.extname(sample.image).toLowerCase();
    if (format === null || extension === "" || EXTENSIONS[format].includes(extension)) return null;
    const what = `is a ${format.toUpperCase()} file named ${extension}; rename it, or get the right file`;
    return findingAt(sample, "extension", "warning", what);
  });
  return found.filter((finding) => finding !== null);
}
