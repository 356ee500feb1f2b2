import { realpath } from "node:fs/promises";
import path from "node:path";
import { FILES_AT_ONCE, mapConcurrent, withTimeout } from "../../base/concurrency.js";
import { DataError } from "../../base/errors.js";
import { isMissing } from "../../base/files.js";
import { plural, problemLines, reasonOf } from "../../base/text.js";
import type { ReportProgress } from "../../base/types.js";
import { checkSmall } from "../../model/preprocess/resize.js";
import { fileOnDisk, hasMember, splitMember } from "../archives/archive.js";
import { readBmpHeader } from "../images/bmp.js";
import { EXTENSIONS } from "../images/imageFiles.js";
import {
  checkPixels,
  decodeImage,
  DEFAULT_IMAGE_OPTIONS,
  type ImageOptions,
  notAnImage,
  openImage,
  readImageFile,
  readStart,
  sniffFormat,
  withOwnReason,
} from "../images/loadImage.js";
import { checkTiff } from "../images/tiffHeader.js";
import { firstOfEach } from "../keyIndex.js";
import { pathProblem } from "../lists/entries.js";
import { createNameFinder, withFoundNames } from "../lists/foundNames.js";
import type { ListedImage } from "../sample.js";
import { signatureOf, type SignedImage } from "./duplicates.js";
import { type CheckOptions, type Finding, findingAt, placeOf } from "./findings.js";

type InspectedImage = Omit<SignedImage, "subsets">;

/** Checks the files of a database's images; each step leaves out what an earlier one found wrong. */
export async function checkFiles(
  images: readonly ListedImage[],
  { depth = "pixels", images: options = DEFAULT_IMAGE_OPTIONS, followLinks, report }: CheckOptions,
): Promise<{ readonly findings: readonly Finding[]; readonly inspected: readonly InspectedImage[] }> {
  if (depth === "lists") return { findings: [], inspected: [] };
  const sound = images.filter(({ image }) => pathProblem(image) === null); // others are not even looked for
  const inside = await withFoundNames(sound);
  const missing = await findMissingImages(inside, { followLinks, report });
  const present = without(uniqueFiles(inside), missing);
  const unusable = await findUnusableImages(present, options, report);
  const usable = without(present, unusable);
  const renamed = await findWrongExtensions(usable);
  const { inspected, damaged } =
    depth === "pixels" ? await inspectPixels(usable, options, report) : { inspected: [], damaged: [] };
  return {
    findings: [...missing.map(asFinding), ...findOtherCase(inside), ...unusable.map(asFinding), ...renamed, ...damaged],
    inspected,
  };
}

function without(samples: readonly ListedImage[], problems: readonly ImageProblem[]): ListedImage[] {
  const files = new Set(problems.map(({ sample }) => sample.file));
  return samples.filter(({ file }) => !files.has(file));
}

function asFinding({ kind, sample, message }: ImageProblem): Finding {
  const { database, list, line, image } = sample;
  return { kind, severity: "error", database, list, line, image, message };
}

/**
 * Finds images, each file once, whose headers show that they cannot be used: no image, below the window on a side
 * (unless `small: "resize"`) or above `maxMegapixels`. Damage further inside a file shows only when it is decoded.
 */
export async function findUnusableImages(
  samples: readonly ListedImage[],
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

async function probe(sample: ListedImage, options: ImageOptions): Promise<ImageProblem | null> {
  let kind: ImageProblem["kind"] = "unreadable";
  try {
    const size = await readImageSize(sample.file);
    kind = "large";
    checkPixels(sample.file, size, options.maxMegapixels);
    kind = "small";
    checkSmall(size, options, sample.file);
    return null;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { kind, sample, message: `${sample.list}:${sample.line}: ${error.message}` };
  }
}

/** Size of an image by its header alone. @throws {DataError} where it has none that can be read */
async function readImageSize(file: string): Promise<{ rows: number; cols: number }> {
  const start = await readStart(file);
  const format = sniffFormat(start);
  if (format === null) throw notAnImage(file, start);
  if (format === "bmp") return readBmpHeader(start, file);
  if (format === "tiff") checkTiff(await readImageFile(file), file); // its header may stand anywhere
  try {
    const source = splitMember(file) === null ? file : await readImageFile(file);
    const { width, height } = await withOwnReason(() => openImage(source, { maxMegapixels: null }).metadata());
    return { rows: height, cols: width };
  } catch (error) {
    const what = `its header cannot be read (${reasonOf(error)}); get the file again`;
    throw new DataError(`${file}: ${what}`, { cause: error });
  }
}

/**
 * Finds readable images of another format than their names say. They are read by their bytes, and yet something went
 * wrong with them once: a renamed PNG has lost no JPEG artifacts, and has none.
 */
async function findWrongExtensions(samples: readonly ListedImage[]): Promise<Finding[]> {
  const found = await mapConcurrent(samples, FILES_AT_ONCE, async (sample) => {
    const format = sniffFormat(await readStart(sample.file));
    const extension = path.extname(sample.image).toLowerCase();
    if (format === null || extension === "" || EXTENSIONS[format].includes(extension)) return null;
    const what = `is a ${format.toUpperCase()} file named ${extension}; rename it, or get the right file`;
    return findingAt(sample, "extension", "warning", what);
  });
  return found.filter((finding) => finding !== null);
}

/** Decodes images of different files whole, which shows what is broken inside, and keeps their signatures alone. */
async function inspectPixels(
  samples: readonly ListedImage[],
  options: ImageOptions,
  report?: ReportProgress,
): Promise<{ readonly inspected: readonly InspectedImage[]; readonly damaged: readonly Finding[] }> {
  let done = 0;
  const readThrough = new Map<ListedImage, Finding>(); // in the order of reading, which differs from run to run
  const images = await mapConcurrent(samples, FILES_AT_ONCE, async (sample): Promise<InspectedImage | Finding> => {
    const onDamaged = (_: string, reason: string) => {
      const what = `is damaged (${reason}), read as PIL reads it; get the file again, or set data.onDamage`;
      readThrough.set(sample, findingAt(sample, "damaged", "warning", what));
    };
    try {
      const decoding = decodeImage(sample.file, { ...options, onDamaged });
      const decoded = await withTimeout(decoding, options.stallSeconds, () => [sample.file]);
      return { sample, signature: signatureOf(decoded) };
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      return asFinding({ kind: "damaged", sample, message: `${sample.list}:${sample.line}: ${error.message}` });
    } finally {
      report?.({ label: "decoding images", done: ++done, total: samples.length, unit: "images" });
    }
  });
  return {
    inspected: images.filter((image) => "signature" in image),
    damaged: [
      ...samples.flatMap((sample) => readThrough.get(sample) ?? []),
      ...images.filter((image) => "kind" in image),
    ],
  };
}

interface ProbeOptions {
  readonly report?: ReportProgress;
  /** True for problems that stop nothing; by default none. */
  readonly isTolerated?: (problem: ImageProblem) => boolean;
}

/** Reads every header; returns tolerated problems. @throws {DataError} counting the others, naming the first five */
export async function probeImages(
  samples: readonly ListedImage[],
  options: ImageOptions,
  { report, isTolerated = () => false }: ProbeOptions = {},
): Promise<ImageProblem[]> {
  const problems = await findUnusableImages(samples, options, report);
  const others = problems.filter((problem) => !isTolerated(problem));
  throwProblems(others, samples.length);
  return problems.filter(isTolerated);
}

export interface ImageProblem {
  readonly kind: "missing" | "outside" | "unreadable" | "small" | "large" | "damaged";
  readonly sample: ListedImage;
  readonly message: string;
}

function uniqueFiles(samples: readonly ListedImage[]): ListedImage[] {
  return firstOfEach(samples, ({ file }) => file);
}

/** Paths looked up at once: more than threads, so that none waits for the event loop. */
const LOOKUPS_AT_ONCE = 64;

interface LookupOptions {
  /** False refuses links that lead out of the database's folder; true by default. */
  readonly followLinks?: boolean | undefined;
  readonly report?: ReportProgress | undefined;
}

/** Finds images, each file once, that are missing or, where links are not followed, lead out of their folder. */
export async function findMissingImages(
  samples: readonly ListedImage[],
  { followLinks = true, report }: LookupOptions,
): Promise<ImageProblem[]> {
  const roots = followLinks ? new Map<string, string>() : await realFolders(samples);
  const folders = new Set(samples.map(({ folder }) => folder));
  const finders = new Map([...folders].map((folder) => [folder, createNameFinder(folder)]));
  let done = 0;
  const unique = uniqueFiles(samples);
  const looked = await mapConcurrent(unique, LOOKUPS_AT_ONCE, async (sample) => {
    report?.({ label: "finding images", done: ++done, total: unique.length, unit: "images" });
    const problem = await findProblem(sample, roots.get(sample.folder) ?? null);
    if (problem?.kind !== "missing") return problem;
    const found = await finders.get(sample.folder)?.(sample.image);
    if (found?.kind !== "alike") return problem;
    return { ...problem, message: `${problem.message}; there is ${JSON.stringify(found.path)}: ${found.why}` };
  });
  return looked.filter((problem) => problem !== null);
}

async function realFolders(samples: readonly ListedImage[]): Promise<Map<string, string>> {
  const folders = [...new Set(samples.map(({ folder }) => folder))];
  const real = async (folder: string) => realpath(folder).catch(() => folder); // a missing folder shows by its images
  return new Map(
    await mapConcurrent(folders, LOOKUPS_AT_ONCE, async (folder) => [folder, await real(folder)] as const),
  );
}

/** @param root  folder that links may not lead out of; null where they may */
async function findProblem(sample: ListedImage, root: string | null): Promise<ImageProblem | null> {
  try {
    const real = await realpath(fileOnDisk(sample.file));
    if (splitMember(sample.file) !== null && !(await hasMember(sample.file)))
      return { kind: "missing", sample, message: `${placeOf(sample)}: no ${sample.file} in its archive` };
    if (root === null || real.startsWith(root + path.sep)) return null;
    const what = `leads out of the database's folder, to ${real}, and data.followLinks is false; put the image inside it`;
    return { kind: "outside", sample, message: `${placeOf(sample)}: ${what}` };
  } catch (error) {
    if (isMissing(error)) return { kind: "missing", sample, message: `${placeOf(sample)}: no file ${sample.file}` };
    const message = `${placeOf(sample)}: cannot be found (${reasonOf(error)}); check its permissions`;
    return { kind: "unreadable", sample, message };
  }
}

/** Warns of images whose files have names in other case: another system will not find them. */
export function findOtherCase(samples: readonly ListedImage[]): Finding[] {
  return samples.flatMap((sample) => {
    const what = `is ${sample.foundAs ?? ""} on the disk, in other case, and used; write the list as the file is named`;
    return sample.foundAs === undefined ? [] : [findingAt(sample, "name", "warning", what)];
  });
}

/** @throws {DataError} where links of images lead out of their databases' folders */
export async function requireInside(samples: readonly ListedImage[]): Promise<void> {
  const problems = await findMissingImages(samples, { followLinks: false });
  throwProblems(
    problems.filter(({ kind }) => kind === "outside"),
    samples.length,
  );
}

/** Share of the training images up to which missing ones may be left out. */
const MOST_DROPPED = 0.01;

/**
 * Checks that all images are there. @param training  images that may be left out, up to 1 % of them
 * @returns the missing ones of these
 * @throws {DataError} counting the others, naming the first five
 */
export async function requireImages(
  samples: readonly ListedImage[],
  options: LookupOptions = {},
  training: ReadonlySet<ListedImage> = new Set(),
): Promise<ImageProblem[]> {
  const problems = await findMissingImages(samples, options);
  const dropped = problems.filter(({ kind, sample }) => kind === "missing" && training.has(sample));
  const isFew = dropped.length <= MOST_DROPPED * training.size;
  const left = new Set(isFew ? dropped : []);
  throwProblems(
    problems.filter((problem) => !left.has(problem)),
    samples.length,
  );
  return dropped;
}

/** Images named in an error; the others are counted. */
const SHOWN_IMAGES = 5;

/** @throws {DataError} where there are problems: the missing images first, then the others */
function throwProblems(problems: readonly ImageProblem[], total: number): void {
  if (problems.length === 0) return;
  const parts = [
    { found: problems.filter(({ kind }) => kind === "missing"), what: "missing; check data.root and the lists" },
    { found: problems.filter(({ kind }) => kind !== "missing"), what: "unusable" },
  ].filter(({ found }) => found.length > 0);
  const texts = parts.map(({ found, what }) => {
    const messages = found.map(({ message }) => message);
    return problemLines(`data: ${found.length} of ${plural(total, "image")}: ${what}`, messages, SHOWN_IMAGES);
  });
  throw new DataError(texts.join("\n"));
}
