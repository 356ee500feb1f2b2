import { readdir } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../base/errors.js";
import type { ReportProgress } from "../base/progress.js";
import type { LabelTables } from "../model/labels.js";
import { findMissingImages, type ImageProblem } from "./checkImages.js";
import { checkImagesOf, countImages, findingOf, findOverlaps, mergeLists, type SplitSamples } from "./checkSamples.js";
import type { DatabaseConfig, DataConfig } from "./config.js";
import { requireFolder } from "./databases.js";
import { readDeviations } from "./deviations.js";
import type { CheckReport, DatabaseCounts, Finding } from "./findings.js";
import { layOut } from "./layout.js";
import { parseList } from "./lists.js";
import type { ImageOptions } from "./prepare.js";
import { findUnusableImages } from "./probeImages.js";
import { SUBSETS, type Sample, type Subset } from "./sample.js";

export interface CheckOptions {
  readonly tables: LabelTables;
  /** Whether images are looked for and their headers read. */
  readonly images: ImageOptions | "lists-only";
  readonly report?: ReportProgress;
}

/**
 * Checks all databases of a config, in every split that is laid out: lists, labels and scores, and whether each image
 * is there with a readable header. What is wrong is a finding, never an exception.
 */
export async function checkDatabases(
  config: Pick<DataConfig, "root" | "databases">,
  options: CheckOptions,
): Promise<CheckReport> {
  const findings: Finding[] = [];
  const counts: Record<string, DatabaseCounts> = {};
  for (const database of config.databases) {
    const { name } = database;
    const { splits, findings: inLists } = await readSplits(database, config.root, options.tables);
    const { images, findings: inMerge } = mergeLists(splits.flatMap(({ train, val, test }) => [train, val, test]));
    findings.push(...inLists, ...inMerge, ...checkImagesOf(name, images, options.tables));
    findings.push(...(await checkFiles(images, options)));
    counts[name] = countImages(images, splits, options.tables);
  }
  return { findings, counts };
}

/** Checks one list whose images are in `folder`; the list's name stands for the database's. */
export async function checkList(list: string, folder: string, options: CheckOptions): Promise<CheckReport> {
  const database = path.parse(list).name;
  const { samples, findings } = await readSubset(list, {
    database,
    folder: path.resolve(folder),
    tables: options.tables,
    deviations: new Map<string, number>(),
  });
  const { images } = mergeLists([samples]);
  const split: SplitSamples = { train: [], val: [], test: samples };
  return {
    findings: [...findings, ...checkImagesOf(database, images, options.tables), ...(await checkFiles(images, options))],
    counts: { [database]: countImages(images, [split], options.tables) },
  };
}

/** The numbers of the splits that lie in the database's folder; 1 where none does. */
async function splitsOf(database: DatabaseConfig, root: string): Promise<number[]> {
  const { folder } = layOut(database, root, 1);
  const isSplitNamed = SUBSETS.some((subset) => database[subset]?.includes("{split}") ?? true);
  if (!isSplitNamed) return [1]; // the config names one list for each subset
  const names = await readdir(path.join(folder, "splits2")).catch(() => []);
  const splits = names.filter((name) => /^[1-9]\d*$/.test(name)).map(Number);
  return splits.length === 0 ? [1] : splits.sort((a, b) => a - b);
}

interface ReadSplits {
  readonly splits: SplitSamples[];
  readonly findings: Finding[];
}

/** All lists of a database, and what is wrong with them. */
async function readSplits(database: DatabaseConfig, root: string, tables: LabelTables): Promise<ReadSplits> {
  const layout = layOut(database, root, 1);
  const { name, folder } = layout;
  const findings: Finding[] = [];
  const fail = (kind: "list-missing" | "deviation") => (error: unknown) => {
    if (!(error instanceof DataError)) throw error;
    findings.push({ ...findingOf(name, kind, "error", ""), message: error.message });
    return null;
  };
  if ((await requireFolder(layout).catch(fail("list-missing"))) === null) {
    return { splits: [], findings };
  }
  const deviations = (await readDeviations(layout.deviations).catch(fail("deviation"))) ?? new Map<string, number>();
  const splits: SplitSamples[] = [];
  for (const split of await splitsOf(database, root)) {
    const { lists } = layOut(database, root, split);
    const samples: Record<Subset, readonly Sample[]> = { train: [], val: [], test: [] };
    for (const subset of SUBSETS) {
      const read = await readSubset(lists[subset], { database: name, folder, tables, deviations });
      samples[subset] = read.samples;
      findings.push(...read.findings);
    }
    findings.push(...findOverlaps(samples));
    splits.push(samples);
  }
  return { splits, findings };
}

async function readSubset(
  list: string,
  context: Parameters<typeof parseList>[1],
): Promise<{ samples: readonly Sample[]; findings: Finding[] }> {
  const place = { severity: "error", database: context.database, list } as const;
  try {
    const { samples, problems } = await parseList(list, context);
    return { samples, findings: problems.map((problem) => ({ ...place, ...problem })) };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const missing = { ...place, kind: "list-missing", line: null, image: null, message: error.message } as const;
    return { samples: [], findings: [missing] };
  }
}

async function checkFiles(images: readonly Sample[], { images: options, report }: CheckOptions): Promise<Finding[]> {
  if (options === "lists-only") return [];
  const missing = await findMissingImages(images, report);
  const absent = new Set(missing.map(({ sample }) => sample.file));
  const present = images.filter(({ file }) => !absent.has(file));
  const unusable = await findUnusableImages(present, options, report);
  return [...missing, ...unusable].map(asFinding);
}

function asFinding({ kind, sample, message }: ImageProblem): Finding {
  const { database, list, line, image } = sample;
  return { kind, severity: "error", database, list, line, image, message };
}
