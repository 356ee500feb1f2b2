import path from "node:path";
import { FILES_AT_ONCE, mapParallel } from "../../base/concurrency.js";
import { type ImageFormat, sniffFormat } from "../images/formats.js";
import { readStart } from "../images/probeImages.js";
import type { Sample } from "../sample.js";
import type { Finding } from "./findings.js";
import { findingAt } from "./sampleChecks.js";

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
export async function findWrongExtensions(samples: readonly Sample[]): Promise<Finding[]> {
  const found = await mapParallel(samples, FILES_AT_ONCE, async (sample) => {
    const format = sniffFormat(await readStart(sample.file));
    const extension = path.extname(sample.image).toLowerCase();
    if (format === null || extension === "" || EXTENSIONS[format].includes(extension)) return null;
    const what = `is a ${format.toUpperCase()} file named ${extension}; rename it, or get the right file`;
    return findingAt(sample, "extension", "warning", what);
  });
  return found.filter((finding) => finding !== null);
}
