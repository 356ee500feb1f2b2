import { pushAll } from "../../base/collections.js";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../../base/errors.js";
import type { LabelTables } from "../../model/prompts/labels.js";
import type { DatabaseConfig, DataConfig } from "../config.js";
import { KeyIndex } from "../keyIndex.js";
import { splitSamples } from "../lists/randomSplit.js";
import { type ListContext, normalizePath, type PublishedScores } from "../lists/entries.js";
import { hasSource, readSource, type SourceConfig } from "../lists/formats/readSource.js";
import { readPublishedScores } from "../lists/publishedScores.js";
import { parseList } from "../lists/readList.js";
import { openDatabases, requireFolder, resolveLayout } from "../openDatabases.js";
import {
  type Database,
  eachOnce,
  isUnscored,
  type ListedImage,
  listedImages,
  type Sample,
  type SplitSamples,
  type Subset,
  SUBSETS,
} from "../sample.js";
import { readStart } from "../images/loadImage.js";
import { findDuplicates, type SignedImage } from "./duplicates.js";
import { checkFiles } from "./fileChecks.js";
import {
  type CheckOptions,
  type CheckReport,
  type DatabaseCounts,
  type Finding,
  findingAt,
  findingOf,
} from "./findings.js";
import { checkSamples } from "./sampleChecks.js";
import { checkPairedSplit, checkSplit, findSkew } from "./splitChecks.js";

const NO_SCORES: PublishedScores = new Map();

/**
 * Checks all databases of a config, in every split that is laid out: lists, labels, scores, contents that splits share,
 * and each image file. Problems are findings, never exceptions.
 */
export async function checkDatabases(
  config: Pick<DataConfig, "root" | "databases">,
  options: CheckOptions,
): Promise<CheckReport> {
  const findings: Finding[] = [];
  const counts: Record<string, DatabaseCounts> = {};
  const signed: SignedImage[] = [];
  for (const database of config.databases) {
    const checked = isUnscored(database)
      ? await checkUnscored(database, config.root, options)
      : await checkLists(await readAnyLists(database, config.root, options), options);
    pushAll(findings, checked.findings);
    pushAll(signed, checked.signed);
    counts[database.name] = checked.counts;
  }
  return { findings: [...findings, ...findDuplicates(signed)], counts };
}

async function readAnyLists(database: DatabaseConfig, root: string, options: ReadOptions): Promise<DatabaseLists> {
  return hasSource(database) ? readSourceLists(database, root, options) : readLists(database, root, options);
}

/**
 * Checks the lists of a database of pairs or of photographs without scores, and its images, each once, in every split
 * that is laid out.
 */
async function checkUnscored(database: DatabaseConfig, root: string, options: CheckOptions) {
  const { name } = database;
  const findings: Finding[] = [];
  const opened: { readonly number: number; readonly one: Database }[] = [];
  for (const number of await splitsOf(database, root)) {
    try {
      const [one] = await openDatabases({ root, databases: [database] }, number, { tables: options.tables });
      if (one !== undefined) opened.push({ number, one });
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      findings.push({ ...findingOf(name, "list-missing", "error", ""), message: error.message });
    }
  }
  const splits = opened.map(({ number, one }) => ({ number, one, lists: listedImages(one) }));
  const all = splits.flatMap(({ lists: { train, val, test } }) => [...train, ...val, ...test]);
  const images = [...new Map(all.map((image) => [normalizePath(image.image), image])).values()];
  const scored = opened.flatMap(({ one: { val, test } }) => [...val, ...test]);
  const files = await checkFiles(images, options);
  const counted = countImages(scored, [], options.tables);
  const [first] = splits;
  const countOf = (subset: Subset) => (first === undefined ? 0 : eachOnce(first.one, first.lists[subset]).length);
  const sizes = { train: countOf("train"), val: countOf("val"), test: countOf("test") };
  return {
    findings: [...findings, ...splits.flatMap(({ lists }) => checkPairedSplit(lists)), ...files.findings],
    counts: { ...counted, images: images.length, splits: splits.length, ...sizes },
    signed: withSubsets(files.inspected, splits),
  };
}

/** Checks one list whose images are in `folder`; the list's name stands for the database's. */
export async function checkList(list: string, folder: string, options: CheckOptions): Promise<CheckReport> {
  const { name } = path.parse(list);
  const { tables, report: progress } = options;
  const context = { database: name, folder: path.resolve(folder), tables, published: NO_SCORES, progress };
  const { samples, findings } = await readOneList(list, context);
  const splits = [{ number: 1, lists: { train: [], val: [], test: samples } }];
  const checked = await checkLists({ context, splits, whole: [], findings }, options);
  return { findings: [...checked.findings, ...findDuplicates(checked.signed)], counts: { [name]: checked.counts } };
}

type NumberedSplit = { readonly number: number; readonly lists: SplitSamples };

interface DatabaseLists {
  readonly context: ListContext;
  readonly splits: readonly NumberedSplit[];
  /** Samples of `<name>_all_clip.txt`; empty where there is none. */
  readonly whole: readonly Sample[];
  readonly findings: readonly Finding[];
}

/** Checks the lists of one database and its images, each once over all splits. */
async function checkLists({ context, splits, whole, findings }: DatabaseLists, options: CheckOptions) {
  const lists = splits.map((split) => split.lists);
  const merged = mergeLists([...lists.flatMap(({ train, val, test }) => [train, val, test]), whole]);
  const { images } = merged;
  const files = await checkFiles(images, options);
  const audits = [
    ...lists.map((split) => () => checkSplit(split, context)),
    () => merged.findings,
    () => checkSamples(images, context),
    () => findSkew(images, context),
  ];
  const found = audits.map((audit, i) => {
    options.report?.({ label: "checking lists", done: i, total: audits.length, unit: "steps" });
    return audit();
  });
  return {
    findings: [...findings, ...found.flat(), ...files.findings],
    counts: countImages(images, lists, context.tables),
    signed: withSubsets(files.inspected, splits),
  };
}

/** Keeps each image once, by its first line, and finds the lines that say something else of it. */
function mergeLists(lists: readonly (readonly Sample[])[]): { images: Sample[]; findings: Finding[] } {
  const images: Sample[] = [];
  const known = new KeyIndex((at) => normalizePath(images[at]?.image ?? ""));
  const findings: Finding[] = [];
  for (const list of lists) {
    for (const sample of list) {
      const at = known.claim(normalizePath(sample.image), images.length);
      const first = at === null ? undefined : images[at];
      if (first === undefined) images.push(sample);
      else if (!agree(first, sample)) {
        const what = `has other scores or labels than in ${first.list}:${first.line}; make them agree`;
        findings.push(findingAt(sample, "disagreement", "warning", what));
      }
    }
  }
  return { images, findings };
}

function agree(a: Sample, b: Sample): boolean {
  return Object.is(a.mos, b.mos) && a.distortion === b.distortion && a.scenes.join() === b.scenes.join();
}

/** Counts a database's images, each once. */
function countImages(images: readonly Sample[], splits: readonly SplitSamples[], tables: LabelTables): DatabaseCounts {
  const [first] = splits;
  const tally = (names: readonly string[], indices: (sample: Sample) => readonly number[]) => {
    const counts = new Array<number>(names.length).fill(0);
    for (const sample of images) for (const i of indices(sample)) counts[i] = (counts[i] ?? 0) + 1;
    return Object.fromEntries(names.map((name, i) => [name, counts[i] ?? 0] as const).filter(([, n]) => n > 0));
  };
  const scores = images.map(({ mos }) => mos).filter(Number.isFinite);
  const extent = (pick: (a: number, b: number) => number) => scores.reduce((a, b) => pick(a, b));
  return {
    images: images.length,
    splits: splits.length,
    train: first?.train.length ?? 0,
    val: first?.val.length ?? 0,
    test: first?.test.length ?? 0,
    mos:
      scores.length === 0
        ? null
        : { low: extent(Math.min), high: extent(Math.max), mean: extent((a, b) => a + b) / scores.length },
    distortions: tally(Object.keys(tables.distortions), ({ distortion }) => (distortion === null ? [] : [distortion])),
    scenes: tally(tables.scenes, (sample) => sample.scenes),
  };
}

function withSubsets(
  inspected: readonly Omit<SignedImage, "subsets">[],
  splits: readonly { readonly number: number; readonly lists: Readonly<Record<Subset, readonly ListedImage[]>> }[],
): SignedImage[] {
  if (inspected.length === 0) return []; // lists alone, without a look at images
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
  return inspected.map((image) => {
    return { ...image, subsets: subsetsOf.get(normalizePath(image.sample.image)) ?? new Map<number, Subset>() };
  });
}

type ReadOptions = Pick<CheckOptions, "tables" | "report">;

/** Reads all lists of a database, in every split that is laid out. */
async function readLists(
  database: DatabaseConfig,
  root: string,
  { tables, report: progress }: ReadOptions,
): Promise<DatabaseLists> {
  const layout = resolveLayout(database, root, 1);
  const { name, folder, drawn } = layout;
  const findings: Finding[] = [];
  const fail = (kind: "list-missing" | "deviation" | "split") => (error: unknown) => {
    if (!(error instanceof DataError)) throw error;
    findings.push({ ...findingOf(name, kind, "error", ""), message: error.message });
    return null;
  };
  const read = async (list: string) => {
    const { samples, findings: found } = await readOneList(list, context);
    pushAll(findings, found);
    return samples;
  };
  const isThere = (await requireFolder(layout).catch(fail("list-missing"))) !== null;
  const published = isThere ? await readPublishedScores(layout.deviations).catch(fail("deviation")) : null;
  const context = { database: name, folder, tables, published: published ?? NO_SCORES, ...ruleOf(database), progress };
  if (!isThere) return { context, splits: [], whole: [], findings };
  const splits: NumberedSplit[] = [];
  const one = drawn === null ? [] : await read(drawn.list);
  for (const number of await splitsOf(database, root)) {
    const { lists, drawn: part } = resolveLayout(database, root, number);
    if (part === null) {
      const [train, val, test] = [await read(lists.train), await read(lists.val), await read(lists.test)];
      splits.push({ number, lists: { train, val, test } });
    } else if (one.length > 0) {
      const settings = { split: number, record: part.record };
      const parts = await splitSamples(one, database, settings).catch(fail("split"));
      if (parts !== null) splits.push({ number, lists: parts });
    }
  }
  const whole = existsSync(layout.whole) ? await read(layout.whole) : [];
  return { context, splits, whole, findings };
}

/** Reads a source in every split that it has, or in the first one that is drawn. */
async function readSourceLists(
  database: SourceConfig,
  root: string,
  { tables, report: progress }: ReadOptions,
): Promise<DatabaseLists> {
  const { name, folder } = resolveLayout(database, root, 1);
  const context = { database: name, folder, tables, published: NO_SCORES, ...ruleOf(database), progress };
  const findings: Finding[] = [];
  const fail = (error: unknown) => {
    if (!(error instanceof DataError)) throw error;
    findings.push({ ...findingOf(name, "list-missing", "error", ""), message: error.message });
    return null;
  };
  const read = await readSource(database, context).catch(fail);
  if (read === null) return { context, splits: [], whole: [], findings };
  const place = { severity: "error", database: name, list: database.source } as const;
  pushAll(findings, read.problems.map((problem): Finding => ({ ...place, ...problem }))); // prettier-ignore
  const splits: NumberedSplit[] = [];
  for (let number = 1; number <= (read.splits ?? 1); number++) {
    const { record } = resolveLayout(database, root, number);
    const lists = await read.splitOf(number, record).catch(fail);
    if (lists !== null) splits.push({ number, lists });
  }
  return { context, splits, whole: read.samples, findings };
}

/** Numbers of the splits that lie in the database's folder; 1 where none does. */
async function splitsOf(database: DatabaseConfig, root: string): Promise<number[]> {
  const { folder } = resolveLayout(database, root, 1);
  const files = SUBSETS.map((subset) => (subset === "train" ? (database.pairs ?? database.train) : database[subset]));
  const isPublished = !isUnscored(database); // lists that it does not name are in splits2/
  const isSplitNamed = database.list !== undefined || files.some((file) => file?.includes("{split}") ?? isPublished);
  if (!isSplitNamed) return [1]; // the config names one list for each subset
  const names = await readdir(path.join(folder, "splits2")).catch(() => []);
  const splits = names.filter((name) => /^[1-9]\d*$/.test(name)).map(Number);
  return splits.length === 0 ? [1] : splits.sort((a, b) => a - b);
}

/** Reads one list; its problems are findings. */
async function readOneList(
  list: string,
  context: ListContext,
): Promise<{ samples: readonly Sample[]; findings: Finding[] }> {
  const place = { severity: "error", database: context.database, list } as const;
  try {
    const { samples, problems } = await parseList(list, context);
    const wrong = problems.map((problem): Finding => ({ ...place, ...problem }));
    return { samples, findings: [...(await findTextForm(context.database, list)), ...wrong] };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const missing = { ...place, kind: "list-missing", line: null, image: null, message: error.message } as const;
    return { samples: [], findings: [missing] };
  }
}

/** Bytes of a list that are looked at: its line ends are the same throughout. */
const LOOKED_AT_BYTES = 65_536;

/** Notes what is unusual about a list's text: it is read here without harm, and other tools may stumble over it. */
export async function findTextForm(database: string, list: string): Promise<Finding[]> {
  const start = await readStart(list, LOOKED_AT_BYTES).catch(() => null);
  if (start?.includes(0) !== false) return []; // no text: an archive, or reported where the list is read
  const note = (kind: "bom" | "line-ends", what: string): Finding => ({
    ...findingOf(database, kind, "note", what),
    list,
    message: `${list}: ${what}`,
  });
  const isMarked = start.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf]));
  return [
    ...(isMarked ? [note("bom", "begins with a byte order mark; save it as UTF-8 without one")] : []),
    ...(start.includes("\r") ? [note("line-ends", "has the line ends of Windows (CRLF); save it with LF")] : []),
  ];
}

/** Settings of a database that its lists are read by. */
function ruleOf({ content, mosStdFactor }: DatabaseConfig): Pick<ListContext, "content" | "mosStdFactor"> {
  return { content, mosStdFactor };
}
