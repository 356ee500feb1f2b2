import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { DataError } from "../../base/errors.js";
import { isMissing, writeFileAtomic } from "../../base/files.js";
import { seededRandom } from "../../base/random.js";
import { plural, reasonOf } from "../../base/text.js";
import { type DatabaseConfig, DEFAULT_SPLIT_SEED } from "../config.js";
import { contentOf } from "../databases/content.js";
import { type Sample, type Subset, SUBSETS } from "../sample.js";

/** A split of one list by content, as it is written down beside the images once a run has been trained on it. */
const SplitRecord = z.strictObject({
  settings: z.looseObject({}),
  train: z.array(z.string()),
  val: z.array(z.string()),
  test: z.array(z.string()),
});

type SplitBySubset = Readonly<Record<Subset, readonly Sample[]>>;

/**
 * The samples of one list, parted by content. Where the split is written down already, by what is written; else it is
 * drawn, and depends on the contents, `splitSeed` and the split's number alone.
 *
 * @param record  where it is or will be written down
 * @throws {DataError} where the record is of other settings, or the list has contents that it does not know, or fewer
 *                     than three
 */
export async function splitSamples(
  samples: readonly Sample[],
  database: DatabaseConfig,
  split: number,
  record: string,
): Promise<SplitBySubset> {
  const contents = [...new Set(samples.map(contentKey))].sort();
  const written = await readRecord(record);
  if (written !== null) checkRecord(written, settingsOf(database), record);
  const parts = written ?? splitContents(contents, seedOf(database), split, sharesOf(database));
  const subsets = new Map(SUBSETS.flatMap((subset) => parts[subset].map((content) => [content, subset] as const)));
  const unknown = contents.filter((content) => !subsets.has(content));
  if (unknown.length > 0) {
    const named = unknown.slice(0, 3).join(", ");
    throw new DataError(
      `${record}: ${plural(unknown.length, "content")} of the list (${named}) came after this split was drawn; ` +
        `move the file away to draw anew, or leave them out`,
    );
  }
  const of = (subset: Subset) => samples.filter((sample) => subsets.get(contentKey(sample)) === subset);
  return { train: of("train"), val: of("val"), test: of("test") };
}

/** Writes a split down, so that later runs and evaluations have the same; one that is there already stays. */
export async function recordSplit(database: DatabaseConfig, parts: SplitBySubset, record: string): Promise<void> {
  if ((await readRecord(record)) !== null) return;
  const contents = (subset: Subset) => [...new Set(parts[subset].map(contentKey))].sort();
  const text = {
    settings: settingsOf(database),
    train: contents("train"),
    val: contents("val"),
    test: contents("test"),
  };
  try {
    await mkdir(path.dirname(record), { recursive: true });
    await writeFileAtomic(record, `${JSON.stringify(text, null, 2)}\n`);
  } catch (error) {
    const hint = "make the folder writable, or name the lists by train:, val: and test:";
    throw new DataError(`${record}: the split cannot be written down (${reasonOf(error)}); ${hint}`, { cause: error });
  }
}

/** The config's own word first, then what the path tells; else the image is a content of its own. */
function contentKey({ content, database, image }: Sample): string {
  return content ?? contentOf(database, image) ?? image;
}

function sharesOf({ split = "" }: DatabaseConfig): Shares {
  const [train = NaN, val = NaN, test = NaN] = split.split("/").map(Number);
  return { train, val, test };
}

function seedOf({ splitSeed }: DatabaseConfig): number {
  return splitSeed ?? DEFAULT_SPLIT_SEED;
}

function settingsOf(database: DatabaseConfig): Record<string, unknown> {
  const { list, split, content } = database;
  return { list, split, splitSeed: seedOf(database), content: content ?? null };
}

function checkRecord({ settings }: z.output<typeof SplitRecord>, now: Record<string, unknown>, record: string): void {
  const different = Object.keys(now).filter((key) => !isDeepStrictEqual(settings[key], now[key]));
  if (different.length === 0) return;
  const changes = different.map((key) => `${key} ${JSON.stringify(settings[key])}, now ${JSON.stringify(now[key])}`);
  throw new DataError(
    `${record}: holds a split of other settings (${changes.join("; ")}); give those, or move the file away to draw anew`,
  );
}

async function readRecord(file: string): Promise<z.output<typeof SplitRecord> | null> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw new DataError(`${file}: cannot be read (${reasonOf(error)}); check its permissions`, { cause: error });
  });
  if (text === null) return null;
  const record = SplitRecord.safeParse(parseJson(text));
  if (record.success) return record.data;
  throw new DataError(`${file}: is no split that was written down here; move it away to draw anew`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema refuses it
  }
}

/** Parts of all contents, of 100. */
type Shares = Readonly<Record<Subset, number>>;

const DEFAULT_SHARES: Shares = { train: 70, val: 10, test: 20 };

/**
 * Contents into three parts, as near to their shares as whole contents allow and none of them empty.
 *
 * All images of one photograph fall into one part: a model is tested on contents that it never saw.
 *
 * @param split  its number from 1; each draws anew from (seed, split)
 * @throws {DataError} on fewer than three contents
 */
export function splitContents(
  contents: readonly string[],
  seed: number,
  split: number,
  shares: Shares = DEFAULT_SHARES,
): Record<Subset, string[]> {
  if (contents.length < SUBSETS.length) {
    throw new DataError(
      `splitContents: ${contents.length} photograph(s) cannot be parted into train, val and test; ` +
        `give at least ${SUBSETS.length}`,
    );
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
