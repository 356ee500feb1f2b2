import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ConfigError, DataError } from "../../base/errors.js";
import { createFolderAtomically } from "../../base/folders.js";
import { didYouMean, jsonOf, plural, problemsError } from "../../base/text.js";
import type { KnownDatabase, SourceFiles } from "../databases/knownDatabase.js";
import { KNOWN_DATABASES, knownDatabase } from "../databases/registry.js";
import { drawSplits } from "../lists/randomSplit.js";
import { writeLists } from "../lists/writeLists.js";

const RECORD = "preparation.json";

/** Raised whenever equal files and settings would give other lists than before. */
const RECIPE = 1;

/** Decimals of the published lists. */
const DECIMALS = 6;

export interface PrepareOptions {
  /** Name of a known database. */
  readonly name: string;
  /** Folder of the databases, which has the database's own folder in it. */
  readonly root: string;
  /** Folder of the database, where it is not the known one. */
  readonly folder?: string | undefined;
  readonly seed: number;
  readonly splits: number;
  /** Asks for the makers' own split, as the only one. */
  readonly isOfficial: boolean;
  readonly version: string;
}

/** Contents of a database's own files, with defaults where the makers tell nothing. */
interface Distribution extends SourceFiles {
  readonly images: readonly Required<SourceFiles["images"][number]>[];
  readonly distortions: string;
  readonly scenes: string;
  readonly contents: string;
  readonly leftOut: readonly string[];
}

interface PreparedDatabase {
  /** "complete" where the same lists lay there already. */
  readonly status: "made" | "complete";
  readonly folder: string;
  readonly images: number;
  readonly contents: number;
  readonly splits: number;
  readonly distribution: Distribution;
  /** More or fewer images than the database is known to have; null where the count is right. */
  readonly wrongCount: string | null;
}

/**
 * Makes a database's lists from what its makers distribute: `splits2/` in its folder, in the published layout, with
 * splits by content, and a record of the files and settings. Existing lists are never touched.
 * @throws {ConfigError} on a name that is not known, or where other lists lie there
 * @throws {DataError} where the distribution is not there, incomplete or of another form
 */
export async function prepareDatabase(options: PrepareOptions): Promise<PreparedDatabase> {
  const { name, seed, isOfficial, version } = options;
  const known = requireKnown(name);
  const folder = path.resolve(options.root, options.folder ?? known.folder);
  const distribution = await readDistribution(known, folder, isOfficial);
  const splits = isOfficial ? 1 : options.splits;
  const files = await sums(folder, distribution);
  const settings = { recipe: RECIPE, database: name, seed, splits, isOfficial, files };
  const target = path.join(folder, "splits2");
  const status = await stateOf(target, settings);
  const contents = new Set(distribution.images.map(({ content }) => content)).size;
  if (status === "free") {
    const { images: listed, scores, distortions, scenes, contents: contentsFrom } = distribution;
    const told = { images: listed.length, contents, scores, distortions, scenes, contentsFrom };
    await createFolderAtomically(target, async (partial) => {
      await writeSourceLists(distribution, { folder: partial, name, splits, seed });
      await writeFile(path.join(partial, RECORD), `${JSON.stringify({ version, settings, ...told }, null, 2)}\n`);
    });
  }
  const images = distribution.images.length;
  const wrongCount = images === known.images ? null : `${plural(images, "image")}, ${known.title} has ${known.images}`;
  const made = { folder, images, contents, splits, distribution, wrongCount };
  return { status: status === "free" ? "made" : "complete", ...made };
}

function requireKnown(name: string): KnownDatabase {
  const known = knownDatabase(name);
  if (known !== undefined) return known;
  const names = KNOWN_DATABASES.map((database) => database.name);
  const hint = didYouMean(name, names) || `; known are ${names.join(", ")}`;
  throw new ConfigError(`data prepare: there is no known database "${name}"${hint}`);
}

async function readDistribution(known: KnownDatabase, folder: string, isOfficial: boolean): Promise<Distribution> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) {
    const hint = `get ${known.title} from ${known.address} (--folder DIR)`;
    throw new DataError(`data prepare: there is no folder ${folder}; ${hint}`);
  }
  const read = await known.readSource(folder, { isOfficial });
  if (isOfficial && read.official === undefined) {
    throw new ConfigError(`data prepare: ${known.name} has no split of its makers; leave out --official`);
  }
  requireOnce(folder, read.images);
  return {
    leftOut: [],
    distortions: "none: photographs as they were taken",
    scenes: "none: their makers publish no scene labels in LIQE's terms",
    contents: "each image is one of its own",
    ...read,
    images: read.images.map((image) => ({ distortion: null, scenes: [], content: image.image, ...image })),
  };
}

/** @throws {DataError} naming the images that have several rows: which score is right, only their makers know */
function requireOnce(folder: string, images: SourceFiles["images"]): void {
  const rows = new Map<string, number>();
  for (const { image } of images) rows.set(image, (rows.get(image) ?? 0) + 1);
  const doubled = [...rows].filter(([, count]) => count > 1).map(([image, count]) => `${image}: ${count} rows`);
  if (doubled.length === 0) return;
  const heading = `${folder}: ${plural(doubled.length, "image")} with several rows of scores; keep one row of each`;
  throw problemsError(heading, doubled);
}

/** SHA-256 of all files that were read. */
async function sums(folder: string, { files }: SourceFiles): Promise<Record<string, string>> {
  const hash = createHash("sha256");
  const named: Record<string, string> = {};
  for (const file of files) {
    const bytes = await readFile(path.join(folder, file));
    if (files.length > 10) hash.update(file).update("\0").update(bytes);
    else named[file] = createHash("sha256").update(bytes).digest("hex");
  }
  return files.length > 10 ? { [`${files.length} files`]: hash.digest("hex") } : named;
}

/** @throws {ConfigError} where lists lie there that these settings did not make */
async function stateOf(folder: string, settings: object): Promise<"free" | "complete"> {
  if (!existsSync(folder)) return "free";
  const record = path.join(folder, RECORD);
  const text = await readFile(record, "utf8").catch(() => null);
  const rest = "they are left as they are; move them away to make others";
  if (text === null)
    throw new ConfigError(`data prepare: ${folder} holds lists from elsewhere (no ${RECORD}); ${rest}`);
  const theirs = (jsonOf(text) as { settings?: unknown } | null | undefined)?.settings; // of any form: it is only compared
  if (isDeepStrictEqual(theirs, JSON.parse(JSON.stringify(settings)))) return "complete";
  throw new ConfigError(`data prepare: ${folder} holds lists of other settings or files (${RECORD}); ${rest}`);
}

/** Writes all lists as published into `folder`, and `<name>_all.txt` where there are deviations. */
async function writeSourceLists(
  { images, official }: Distribution,
  { folder, name, splits, seed }: Pick<PrepareOptions, "name" | "splits" | "seed"> & { readonly folder: string },
): Promise<void> {
  const outside = images.find(({ image }) => official?.has(image) === false);
  if (outside !== undefined) {
    throw new DataError(`${outside.image}: is in no part of the makers' split; are the files of one release?`);
  }
  const contents = [...new Set(images.map(({ content }) => content))].sort();
  const listed = images.map((image) => ({
    ...image,
    mos: String(Number(image.mos.toFixed(DECIMALS))),
    part: official === undefined ? image.content : image.image,
  }));
  const subsets = official === undefined ? drawSplits(contents, seed, splits) : [official];
  await writeLists(listed, { folder, name, splits: subsets });
  const deviations = images.flatMap(({ image, mos, mosStd }) =>
    mosStd === null ? [] : [`${image}\t${mos.toFixed(DECIMALS)}\t${mosStd.toFixed(DECIMALS)}\n`],
  );
  if (deviations.length > 0) await writeFile(path.join(folder, `${name}_all.txt`), deviations.join(""));
}
