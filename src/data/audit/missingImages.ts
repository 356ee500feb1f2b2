import { realpath } from "node:fs/promises";
import path from "node:path";
import { mapConcurrent } from "../../base/concurrency.js";
import { DataError } from "../../base/errors.js";
import { isMissing } from "../../base/files.js";
import { plural, problemLines, reasonOf } from "../../base/text.js";
import type { ReportProgress } from "../../base/types.js";
import { createNameFinder } from "../lists/findNames.js";
import type { Sample } from "../sample.js";
import { type Finding, findingAt, placeOf } from "./findings.js";

export interface ImageProblem {
  readonly kind: "missing" | "outside" | "unreadable" | "small" | "large" | "damaged";
  readonly sample: Sample;
  readonly message: string;
}

export function uniqueFiles(samples: readonly Sample[]): Sample[] {
  const byFile = new Map<string, Sample>();
  for (const sample of samples) if (!byFile.has(sample.file)) byFile.set(sample.file, sample);
  return [...byFile.values()];
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
  samples: readonly Sample[],
  { followLinks = true, report }: LookupOptions,
): Promise<ImageProblem[]> {
  const roots = followLinks ? new Map<string, string>() : await realFolders(samples);
  const finders = new Map(samples.map(({ folder }) => [folder, createNameFinder(folder)]));
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

async function realFolders(samples: readonly Sample[]): Promise<Map<string, string>> {
  const folders = [...new Set(samples.map(({ folder }) => folder))];
  const real = async (folder: string) => realpath(folder).catch(() => folder); // a missing folder shows by its images
  return new Map(
    await mapConcurrent(folders, LOOKUPS_AT_ONCE, async (folder) => [folder, await real(folder)] as const),
  );
}

/** @param root  folder that links may not lead out of; null where they may */
async function findProblem(sample: Sample, root: string | null): Promise<ImageProblem | null> {
  try {
    const real = await realpath(sample.file);
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
export function findOtherCase(samples: readonly Sample[]): Finding[] {
  return samples.flatMap((sample) => {
    const what = `is ${sample.foundAs ?? ""} on the disk, in other case, and used; write the list as the file is named`;
    return sample.foundAs === undefined ? [] : [findingAt(sample, "name", "warning", what)];
  });
}

/** @throws {DataError} where links of images lead out of their databases' folders */
export async function requireInside(samples: readonly Sample[]): Promise<void> {
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
  samples: readonly Sample[],
  options: LookupOptions = {},
  training: ReadonlySet<Sample> = new Set(),
): Promise<ImageProblem[]> {
  const problems = await findMissingImages(samples, options);
  const dropped = problems.filter(({ kind, sample }) => kind === "missing" && training.has(sample));
  const isFew = dropped.length <= MOST_DROPPED * training.size;
  throwProblems(isFew ? problems.filter((problem) => !dropped.includes(problem)) : problems, samples.length);
  return dropped;
}

/** Images named in an error; the others are counted. */
const SHOWN_IMAGES = 5;

/** @throws {DataError} where there are problems: the missing images first, then the others */
export function throwProblems(problems: readonly ImageProblem[], total: number): void {
  if (problems.length === 0) return;
  const parts = [
    { found: problems.filter(({ kind }) => kind === "missing"), what: "missing; check data.root and the lists" },
    { found: problems.filter(({ kind }) => kind !== "missing"), what: "of no use" },
  ].filter(({ found }) => found.length > 0);
  const texts = parts.map(({ found, what }) => {
    const messages = found.map(({ message }) => message);
    return problemLines(`data: ${found.length} of ${plural(total, "image")}: ${what}`, messages, SHOWN_IMAGES);
  });
  throw new DataError(texts.join("\n"));
}
