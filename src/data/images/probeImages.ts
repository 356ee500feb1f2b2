import { open } from "node:fs/promises";
import { FILES_AT_ONCE, mapParallel, withWatchdog } from "../../base/concurrency.js";
import { DataError } from "../../base/errors.js";
import { explain } from "../../base/text.js";
import type { ReportProgress } from "../../base/types.js";
import { checkSmall } from "../../model/preprocess/resize.js";
import type { Sample } from "../sample.js";
import { BMP_HEADER_BYTES, readBmpHeader } from "./bmp.js";
import { openImage } from "./codec.js";
import { checkPixels, notAnImage } from "./decode.js";
import { sniffFormat } from "./formats.js";
import type { ImageOptions } from "./loadImage.js";
import { type ImageProblem, type ImageProblemKind, throwImageProblems, uniqueFiles } from "./requireImages.js";

/**
 * Reads the header of every listed image: a file that is none, one below 224 pixels on a side (unless
 * `small: "resize"`) or above `maxMegapixels` is found before a run begins. Damage further inside a file shows only
 * when it is decoded.
 *
 * @param isTolerated  problems that stop nothing
 * @returns            those
 * @throws {DataError} counting all others that cannot be used and naming the first five
 */
export async function probeImages(
  samples: readonly Sample[],
  options: ImageOptions,
  report?: ReportProgress,
  isTolerated: (problem: ImageProblem) => boolean = () => false,
): Promise<ImageProblem[]> {
  const problems = await findUnusableImages(samples, options, report);
  throwImageProblems(
    problems.filter((problem) => !isTolerated(problem)),
    samples.length,
  );
  return problems.filter(isTolerated);
}

/** The same, as values; a file listed twice is reported once. */
export async function findUnusableImages(
  samples: readonly Sample[],
  options: ImageOptions,
  report?: ReportProgress,
): Promise<ImageProblem[]> {
  let done = 0;
  const unique = uniqueFiles(samples);
  const probed = await mapParallel(unique, FILES_AT_ONCE, async (sample) => {
    report?.({ label: "checking images", done: ++done, total: unique.length, unit: "images" });
    return withWatchdog(probe(sample, options), options.stallSeconds, () => [sample.file]);
  });
  return probed.filter((problem) => problem !== null);
}

async function probe(sample: Sample, { small, maxMegapixels }: ImageOptions): Promise<ImageProblem | null> {
  let kind: ImageProblemKind = "unreadable";
  try {
    const { rows, cols } = await readImageSize(sample.file);
    kind = "large";
    checkPixels(sample.file, rows, cols, maxMegapixels);
    kind = "small";
    checkSmall(sample.file, rows, cols, small);
    return null;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { kind, sample, message: `${sample.list}:${sample.line}: ${error.message}` };
  }
}

/** An image's size by its header alone. @throws {DataError} where it has none that can be read */
async function readImageSize(file: string): Promise<{ rows: number; cols: number }> {
  const start = await readStart(file);
  const format = sniffFormat(start);
  if (format === null) throw notAnImage(file, start);
  if (format === "bmp") return readBmpHeader(start, file);
  try {
    const { width, height } = await openImage(file, null).metadata();
    return { rows: height, cols: width };
  } catch (error) {
    throw new DataError(`${file}: its header cannot be read (${explain(error)}); get the file again`, { cause: error });
  }
}

/** The first bytes of a file, fewer where it is shorter. @throws {DataError} where it cannot be read */
export async function readStart(file: string): Promise<Buffer> {
  try {
    const handle = await open(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(BMP_HEADER_BYTES), 0, BMP_HEADER_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new DataError(`${file}: cannot be read (${explain(error)}); check the path and its permissions`, {
      cause: error,
    });
  }
}
