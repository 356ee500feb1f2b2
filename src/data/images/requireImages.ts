import { realpath } from "node:fs/promises";
import path from "node:path";
import { mapParallel } from "../../base/concurrency.js";
import { DataError } from "../../base/errors.js";
import { count, explain, isMissing, problemLines } from "../../base/text.js";
import type { ReportProgress } from "../../base/types.js";
import type { Sample } from "../sample.js";

/** Images named in an error; the others are counted. */
const SHOWN_PROBLEMS = 5;

/** Paths looked up at once: more than threads, so that none waits for the event loop. */
const LOOKUPS_AT_ONCE = 64;

export type ImageProblemKind = "missing" | "outside" | "unreadable" | "small" | "large";

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
export async function checkImages(samples: readonly Sample[], report?: ReportProgress): Promise<void> {
  throwImageProblems(await findMissingImages(samples, report), samples.length);
}

/** The same, as values; a file listed twice is reported once. */
export async function findMissingImages(samples: readonly Sample[], report?: ReportProgress): Promise<ImageProblem[]> {
  const roots = await realFolders(samples);
  let done = 0;
  const unique = uniqueFiles(samples);
  const looked = await mapParallel(unique, LOOKUPS_AT_ONCE, async (sample) => {
    report?.({ label: "finding images", done: ++done, total: unique.length, unit: "images" });
    return findProblem(sample, roots.get(sample.folder) ?? sample.folder);
  });
  return looked.filter((problem) => problem !== null);
}

/** @throws {DataError} where there are problems: the missing images first, then the others */
export function throwImageProblems(problems: readonly ImageProblem[], total: number): void {
  if (problems.length === 0) return;
  const missing = problems.filter(({ kind }) => kind === "missing");
  const others = problems.filter(({ kind }) => kind !== "missing");
  const parts = [
    { found: missing, what: "missing; check data.root and the lists" },
    { found: others, what: "of no use" },
  ].filter(({ found }) => found.length > 0);
  const texts = parts.map(({ found, what }) => {
    const messages = found.map(({ message }) => message);
    return problemLines(`data: ${found.length} of ${count(total, "image")}: ${what}`, messages, SHOWN_PROBLEMS);
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
    await mapParallel(folders, LOOKUPS_AT_ONCE, async (folder) => [folder, await realOr(folder)] as const),
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
    const message = `${placeOf(sample)}: cannot be found (${explain(error)}); check its permissions`;
    return { kind: "unreadable", sample, message };
  }
}
