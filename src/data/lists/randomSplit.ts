import { readFile } from "node:fs/promises";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { DataError } from "../../base/errors.js";
import { isMissing, writeFileAtomic } from "../../base/files.js";
import { makeFolders } from "../../base/folders.js";
import { seededRandom } from "../../base/random.js";
import { jsonOf, plural, reasonOf } from "../../base/text.js";
import { type DatabaseConfig, DEFAULT_SPLIT_SEED } from "../config.js";
import { contentOf } from "../databases/content.js";
import { type Sample, type SplitSamples, type Subset, SUBSETS } from "../sample.js";

/** Record of a split of one list by content, written beside the images once a run has been trained on it. */
const SplitRecord = z.strictObject({
  settings: z.looseObject({}),
  train: z.array(z.string()),
  val: z.array(z.string()),
  test: z.array(z.string()),
});

/**
 * Splits the samples of one list by content: as its record says, else drawn by contents, `splitSeed` and split number.
 * @throws {DataError} where the record is of other settings or lacks contents of the list, or on fewer than three
 */
export async function splitSamples(
  samples: readonly Sample[],
  database: DatabaseConfig,
  { split, record }: { readonly split: number; readonly record: string },
): Promise<SplitSamples> {
  const contents = [...new Set(samples.map(contentKey))].sort();
  const written = await readRecord(record);
  const settings = settingsOf(database);
  if (written !== null) checkRecord(written, settings, record);
  const options = { seed: settings.splitSeed, split, shares: sharesOf(database) };
  const subsets = written === null ? drawSubsets(contents, options) : subsetsByContent(written);
  const unknown = contents.filter((content) => !subsets.has(content));
  if (unknown.length > 0) {
    const named = `${plural(unknown.length, "content")} of the list (${unknown.slice(0, 3).join(", ")})`;
    const hint = "move the file away to draw anew, or leave them out";
    throw new DataError(`${record}: ${named} came after this split was drawn; ${hint}`);
  }
  const of = (subset: Subset) => samples.filter((sample) => subsets.get(contentKey(sample)) === subset);
  return { train: of("train"), val: of("val"), test: of("test") };
}

/** Writes the record of a split, so that later runs and evaluations have the same; an existing one stays. */
export async function recordSplit(database: DatabaseConfig, parts: SplitSamples, record: string): Promise<void> {
  if ((await readRecord(record)) !== null) return;
  const contents = (subset: Subset) => [...new Set(parts[subset].map(contentKey))].sort();
  const written = { train: contents("train"), val: contents("val"), test: contents("test") };
  const text = JSON.stringify({ settings: settingsOf(database), ...written }, null, 2);
  try {
    await makeFolders(path.dirname(record));
    await writeFileAtomic(record, `${text}\n`);
  } catch (error) {
    const hint = "make the folder writable, or name the lists by train:, val: and test:";
    throw new DataError(`${record}: the split cannot be written down (${reasonOf(error)}); ${hint}`, { cause: error });
  }
}

/** Content of a sample; an image whose content is not known is one of its own. */
function contentKey(sample: Sample): string {
  return contentOf(sample) ?? sample.image;
}

function sharesOf({ split = "" }: DatabaseConfig): Shares {
  const [train = NaN, val = NaN, test = NaN] = split.split("/").map(Number);
  return { train, val, test };
}

function settingsOf({ list, split, splitSeed = DEFAULT_SPLIT_SEED, content }: DatabaseConfig) {
  return { list, split, splitSeed, content: content ?? null };
}

function checkRecord({ settings }: z.output<typeof SplitRecord>, now: Record<string, unknown>, record: string): void {
  const different = Object.keys(now).filter((key) => !isDeepStrictEqual(settings[key], now[key]));
  if (different.length === 0) return;
  const changes = different.map((key) => `${key} ${JSON.stringify(settings[key])}, now ${JSON.stringify(now[key])}`);
  const hint = "give those, or move the file away to draw anew";
  throw new DataError(`${record}: holds a split of other settings (${changes.join("; ")}); ${hint}`);
}

async function readRecord(file: string): Promise<z.output<typeof SplitRecord> | null> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw new DataError(`${file}: cannot be read (${reasonOf(error)}); check its permissions`, { cause: error });
  });
  if (text === null) return null;
  const record = SplitRecord.safeParse(jsonOf(text));
  if (record.success) return record.data;
  throw new DataError(`${file}: is no split that was written down here; move it away to draw anew`);
}

/** Parts of all contents, of 100. */
type Shares = Readonly<Record<Subset, number>>;

const DEFAULT_SHARES: Shares = { train: 70, val: 10, test: 20 };

interface DrawOptions {
  readonly seed: number;
  /** Number of the split from 1; each is drawn anew from (seed, split). */
  readonly split: number;
  readonly shares?: Shares;
}

/** Subset of each content in the first `splits` splits. @throws {DataError} on fewer than three contents */
export function drawSplits(contents: readonly string[], seed: number, splits: number): ReadonlyMap<string, Subset>[] {
  return Array.from({ length: splits }, (_, i) => drawSubsets(contents, { seed, split: i + 1 }));
}

function drawSubsets(contents: readonly string[], options: DrawOptions): ReadonlyMap<string, Subset> {
  return subsetsByContent(splitContents(contents, options));
}

function subsetsByContent(parts: Readonly<Record<Subset, readonly string[]>>): ReadonlyMap<string, Subset> {
  return new Map(SUBSETS.flatMap((subset) => parts[subset].map((content) => [content, subset] as const)));
}

/**
 * Splits contents into three parts, as near to their shares as whole contents allow and none of them empty. All images of
 * one photograph fall into one part: a model is tested on contents that it never saw.
 * @throws {DataError} on fewer than three contents
 */
export function splitContents(
  contents: readonly string[],
  { seed, split, shares = DEFAULT_SHARES }: DrawOptions,
): Record<Subset, string[]> {
  if (contents.length < SUBSETS.length) {
    const what = `${contents.length} photograph(s) cannot be parted into train, val and test`;
    throw new DataError(`splitContents: ${what}; give at least ${SUBSETS.length}`);
  }
  const shuffled = seededRandom(seed, "split", split).shuffle(contents);
  const sizeOf = (share: number) => Math.max(1, Math.round((share / 100) * contents.length));
  const test = Math.min(sizeOf(shares.test), contents.length - 2);
  const validation = Math.min(sizeOf(shares.val), contents.length - test - 1);
  const train = contents.length - validation - test;
  return {
    train: shuffled.slice(0, train).sort(),
    val: shuffled.slice(train, train + validation).sort(),
    test: shuffled.slice(train + validation).sort(),
  };
}
