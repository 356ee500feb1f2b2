import { open, realpath } from "node:fs/promises";
import path from "node:path";
import { FILES_AT_ONCE, mapConcurrent, withTimeout } from "../../base/concurrency.js";
import { DataError } from "../../base/errors.js";
import { isMissing } from "../../base/files.js";
import { plural, reasonOf, problemLines } from "../../base/text.js";
import type { ReportProgress } from "../../base/types.js";
import { checkSmall } from "../../model/preprocess/resize.js";
import type { Sample } from "../sample.js";
import { BMP_HEADER_BYTES, readBmpHeader } from "./bmp.js";
import { openImage, sniffFormat } from "./formats.js";
import type { ImageOptions } from "./loadImage.js";
import { checkPixels, notAnImage } from "./loadImage.js";

/** Images named in an error; the others are counted. */
const SHOWN_PROBLEMS = 5;

/** Paths looked up at once: more than threads, so that none waits for the event loop. */
const LOOKUPS_AT_ONCE = 64;

type ImageProblemKind = "missing" | "outside" | "unreadable" | "small" | "large";

/** What is wrong with a listed image. */
export interface ImageProblem {
  readonly kind: ImageProblemKind;
  readonly sample: Sample;
  readonly message: string;
}

/**
 * Checks that every listed image is there and that none leaves its database's folder, through a symbolic link either.
 * Pixels are not looked at (see `probeImages`).
 *
 * @throws {DataError} counting all missing images and naming the first five
 */
export async function requireImages(samples: readonly Sample[], report?: ReportProgress): Promise<void> {
  throwImageProblems(await findMissingImages(samples, report), samples.length);
}

/** The same, as values; a file listed twice is reported once. */
export async function findMissingImages(samples: readonly Sample[], report?: ReportProgress): Promise<ImageProblem[]> {
  const roots = await realFolders(samples);
  let done = 0;
  const unique = uniqueFiles(samples);
  const looked = await mapConcurrent(unique, LOOKUPS_AT_ONCE, async (sample) => {
    report?.({ label: "finding images", done: ++done, total: unique.length, unit: "images" });
    return findProblem(sample, roots.get(sample.folder) ?? sample.folder);
  });
  return looked.filter((problem) => problem !== null);
}

/** @throws {DataError} where there are problems: the missing images first, then the others */
function throwImageProblems(problems: readonly ImageProblem[], total: number): void {
  if (problems.length === 0) return;
  const missing = problems.filter(({ kind }) => kind === "missing");
  const others = problems.filter(({ kind }) => kind !== "missing");
  const parts = [
    { found: missing, what: "missing; check data.root and the lists" },
    { found: others, what: "of no use" },
  ].filter(({ found }) => found.length > 0);
  const texts = parts.map(({ found, what }) => {
    const messages = found.map(({ message }) => message);
    return problemLines(`data: ${found.length} of ${plural(total, "image")}: ${what}`, messages, SHOWN_PROBLEMS);
  });
  throw new DataError(texts.join("\n"));
}

/** The first sample of each file. */
export function uniqueFiles(samples: readonly Sample[]): Sample[] {
  const byFile = new Map<string, Sample>();
  for (const sample of samples) if (!byFile.has(sample.file)) byFile.set(sample.file, sample);
  return [...byFile.values()];
}

/** `file:line: path`, the beginning of a message about a listed image. */
export function placeOf({ list, line, image }: Sample): string {
  return `${list}:${line}: ${image}`;
}

async function realFolders(samples: readonly Sample[]): Promise<Map<string, string>> {
  const folders = [...new Set(samples.map(({ folder }) => folder))];
  return new Map(
    await mapConcurrent(folders, LOOKUPS_AT_ONCE, async (folder) => [folder, await realOr(folder)] as const),
  );
}

async function realOr(folder: string): Promise<string> {
  return realpath(folder).catch(() => folder); // a missing folder shows by its missing images
}

async function findProblem(sample: Sample, root: string): Promise<ImageProblem | null> {
  try {
    const real = await realpath(sample.file);
    if (real.startsWith(root + path.sep)) return null;
    const message = `${placeOf(sample)}: leads out of the database's folder, to ${real}; put the image inside it`;
    return { kind: "outside", sample, message };
  } catch (error) {
    if (isMissing(error)) return { kind: "missing", sample, message: `${placeOf(sample)}: no file ${sample.file}` };
    const message = `${placeOf(sample)}: cannot be found (${reasonOf(error)}); check its permissions`;
    return { kind: "unreadable", sample, message };
  }
}

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
  const probed = await mapConcurrent(unique, FILES_AT_ONCE, async (sample) => {
    report?.({ label: "checking images", done: ++done, total: unique.length, unit: "images" });
    return withTimeout(probe(sample, options), options.stallSeconds, () => [sample.file]);
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
    throw new DataError(`${file}: its header cannot be read (${reasonOf(error)}); get the file again`, {
      cause: error,
    });
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
    throw new DataError(`${file}: cannot be read (${reasonOf(error)}); check the path and its permissions`, {
      cause: error,
    });
  }
}
