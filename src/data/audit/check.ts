import path from "node:path";
import type { ReportProgress } from "../../base/types.js";
import type { LabelTables } from "../../model/prompts/labels.js";
import type { DataConfig } from "../config.js";
import { type ImageOptions, DEFAULT_IMAGE_OPTIONS } from "../images/loadImage.js";
import type { PublishedScore } from "../lists/deviations.js";
import { readPublishedScores } from "../lists/deviations.js";
import { normalizePath } from "../lists/readList.js";
import { resolveLayout } from "../openDatabases.js";
import type { Database } from "../sample.js";
import { type Subset, SUBSETS } from "../sample.js";
import { findDuplicates, type SignedImage } from "./duplicates.js";
import { type CheckedFiles, checkFiles, type Depth } from "./fileChecks.js";
import type { CheckReport, DatabaseCounts, Finding } from "./findings.js";
import { readForCheck, type ReadSplit, readSplits, type ReadSplits } from "./readSplits.js";
import { checkImagesOf, compareWithPublished, countImages, mergeLists, type SplitSamples } from "./sampleChecks.js";
import { checkSplit, findSkew } from "./splitChecks.js";

export interface CheckOptions {
  readonly tables: LabelTables;
  /** How far images are looked at; every pixel by default. */
  readonly depth?: Depth;
  readonly images?: ImageOptions;
  readonly report?: ReportProgress;
}

/**
 * Checks all databases of a config, in every split that is laid out: lists, labels and scores, contents that splits
 * share, and the images: whether each is there, can be read, is large enough, and stands in one list only. What is
 * wrong is a finding, never an exception.
 */
export async function checkDatabases(
  config: Pick<DataConfig, "root" | "databases">,
  options: CheckOptions,
): Promise<CheckReport> {
  const findings: Finding[] = [];
  const counts: Record<string, DatabaseCounts> = {};
  const signed: SignedImage[] = [];
  for (const database of config.databases) {
    const { name } = database;
    const read = await readSplits(database, config.root, options.tables);
    findings.push(...read.findings);
    for (const { lists } of read.splits) findings.push(...checkSplit(name, lists, read.published, options.tables));
    const checked = await auditImages(name, read, options);
    findings.push(...checked.findings);
    signed.push(...checked.signed);
    counts[name] = checked.counts;
  }
  return { findings: [...findings, ...findDuplicates(signed)], counts };
}

/** Checks one list whose images are in `folder`; the list's name stands for the database's. */
export async function checkList(list: string, folder: string, options: CheckOptions): Promise<CheckReport> {
  const name = path.parse(list).name;
  const { tables } = options;
  const context = { database: name, folder: path.resolve(folder), tables, deviations: new Map<string, number>() };
  const { samples, findings } = await readForCheck(list, context);
  const lists: SplitSamples = { train: [], val: [], test: samples };
  const read = { splits: [{ number: 1, lists }], whole: [], published: new Map<string, PublishedScore>() };
  const split = checkSplit(name, lists, read.published, tables);
  const { findings: inImages, counts, signed } = await auditImages(name, read, options);
  return { findings: [...findings, ...split, ...inImages, ...findDuplicates(signed)], counts: { [name]: counts } };
}

interface CheckedImages {
  readonly findings: readonly Finding[];
  readonly counts: DatabaseCounts;
  readonly signed: readonly SignedImage[];
}

/** A database's images, each once over all of its splits. */
async function auditImages(
  name: string,
  { splits, whole, published }: Omit<ReadSplits, "findings">,
  { tables, depth = "pixels", images: options = DEFAULT_IMAGE_OPTIONS, report }: CheckOptions,
): Promise<CheckedImages> {
  const lists = splits.map((split) => split.lists);
  const { images, findings: inMerge } = mergeLists([
    ...lists.flatMap(({ train, val, test }) => [train, val, test]),
    whole,
  ]);
  const files = await checkFiles(images, depth, options, report);
  return {
    findings: [
      ...inMerge,
      ...checkImagesOf(name, images, tables),
      ...compareWithPublished(name, images, published),
      ...findSkew(name, images, tables),
      ...files.findings,
    ],
    counts: countImages(images, lists, tables),
    signed: signedImages(files.inspected, splits),
  };
}

function signedImages(inspected: CheckedFiles["inspected"], splits: readonly ReadSplit[]): SignedImage[] {
  const subsetsOf = new Map<string, Map<number, Subset>>();
  for (const { number, lists } of splits) {
    for (const subset of SUBSETS) {
      for (const { image } of lists[subset]) {
        const key = normalizePath(image);
        const subsets = subsetsOf.get(key) ?? new Map<number, Subset>();
        subsetsOf.set(key, subsets.set(number, subset));
      }
    }
  }
  return inspected.map(({ sample, signature }) => {
    return { sample, signature, subsets: subsetsOf.get(normalizePath(sample.image)) ?? new Map<number, Subset>() };
  });
}

/** What the lists of one split show within seconds, without an image: the part of `data check` before a training run. */
export async function checkBeforeTraining(
  databases: readonly Database[],
  config: Pick<DataConfig, "root" | "databases">,
  split: number,
  tables: LabelTables,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { name, train, val, test } of databases) {
    const settings = config.databases.find((database) => database.name === name);
    if (settings === undefined) throw new Error(`internal: checkBeforeTraining: ${name} is not in the config`);
    const published = await readPublishedScores(resolveLayout(settings, config.root, split).deviations);
    const images = [...train, ...val, ...test];
    findings.push(
      ...checkSplit(name, { train, val, test }, published, tables),
      ...checkImagesOf(name, images, tables),
      ...compareWithPublished(name, images, published),
    );
  }
  return findings;
}
