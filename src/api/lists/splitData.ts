import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { ConfigError, DataError } from "../../base/errors.js";
import { createFolderAtomically, makeFolders } from "../../base/folders.js";
import { plural, problemsError } from "../../base/text.js";
import { checkFiles } from "../../data/audit/fileChecks.js";
import { ownName } from "../../data/databases/registry.js";
import { DEFAULT_IMAGE_OPTIONS } from "../../data/images/loadImage.js";
import { openImages, type SourceImages } from "../../data/lists/formats/readSource.js";
import { writeSplits } from "../../data/lists/writeLists.js";
import { plainListName } from "../../data/lists/writing/written.js";
import { usualQuota } from "../../data/openDatabases.js";
import { drawSplits, type DrawnSplit, FEWEST_FOLDS } from "../../data/split/drawSplits.js";
import {
  type Clusters,
  clustersByPixels,
  groupsByName,
  namesOfColumn,
  namesOfContents,
} from "../../data/split/groups.js";
import { PUBLISHED_LABELS } from "../../model/prompts/labels.js";
import { type DescribeDataOptions, factorOf, trainingCommand } from "../describeData.js";
import { reporterOf, type WorkOptions } from "../work.js";
import { clustersPage, picturesOf } from "./clustersPage.js";

/** Ways of forming the groups that no split parts. */
export type SplitRule = "group" | "content" | "pixels";

/** Options of `splitData`: how the images are grouped and dealt. */
export interface SplitDataOptions extends Omit<DescribeDataOptions, "split">, Pick<WorkOptions, "onProgress"> {
  /** Folder for the lists, made where it is missing. */
  readonly out: string;
  /**
   * Images that stay together: of a column (`group`), of a content, as a column or the paths of a known database tell
   * (`content`, by default), or of a content or a cluster of near-duplicates (`pixels`).
   */
  readonly by?: SplitRule | undefined;
  /** Parts of 100 to train, validate and test on; `70/10/20` by default. */
  readonly ratios?: string | undefined;
  /** Number of splits, 10 by default. */
  readonly splits?: number | undefined;
  /** Seed of the drawing, 1 by default. */
  readonly seed?: number | undefined;
  /** Number of folds in place of ratios and splits: each is tested once. */
  readonly folds?: number | undefined;
  /** Training images that each split keeps, for training on few. */
  readonly few?: number | undefined;
}

/** Splits that were written. */
export interface DataSplit {
  /** Beginning of the lists' names: the folder's name without words that name a subset or a known database. */
  readonly name: string;
  readonly folder: string;
  readonly by: SplitRule;
  readonly seed: number;
  readonly form: "published" | "csv";
  readonly images: number;
  /** Groups that stay together, single images among them. */
  readonly groups: number;
  readonly largestGroup: number;
  /** Images of each subset, split after split. */
  readonly splits: readonly { readonly train: number; readonly val: number; readonly test: number }[];
  /** Images of each cluster of near-duplicates; null where pixels were not looked at. */
  readonly clusters: readonly (readonly string[])[] | null;
  readonly notes: readonly string[];
  /** Command that trains on the first split. */
  readonly command: string;
}

/**
 * Draws splits in which no group of images stands on two sides, and writes their lists in the published layout
 * (`splits2/<n>/<name>_{train,val,test}_clip.txt`); by pixels also `clusters.html`, a page of the clusters found.
 * @throws {@link ConfigError} where `out` has lists already, or an option is out of range
 * @throws {@link DataError} where the lists or images cannot be read, or there are too few groups
 * @example
 * ```ts
 * import { splitData } from "liqe-train";
 *
 * const { splits, clusters } = await splitData("photos.csv", { out: "split", by: "pixels", splits: 1 });
 * console.log(splits, clusters);
 * ```
 */
export async function splitData(place: string, options: SplitDataOptions): Promise<DataSplit> {
  const { out, by = "content", seed = 1, splits: count = 10, folds = null, few = null } = options;
  const ratios = ratiosOf(options.ratios ?? "70/10/20");
  for (const [option, value] of Object.entries({ splits: count, few: few ?? 1 })) {
    if (!Number.isInteger(value) || value < 1) throw new ConfigError(`--${option} ${value}: must be 1 or more`);
  }
  if (folds !== null && folds < FEWEST_FOLDS)
    throw new ConfigError(`--folds ${folds}: must be at least ${FEWEST_FOLDS}: to train, to validate and to test on`);
  const folder = path.resolve(out);
  if (existsSync(path.join(folder, "splits2")))
    throw new ConfigError(`${out}: has splits2 already; give another folder, or move that away`);
  const found = await openImages(place, { ...options, split: "70/10/20" }); // its own splits are not looked at
  const { groups, clusters } = await groupsOf(found, by, place, options);
  const drawn = drawSplits(found.samples, groups, { seed, ratios, splits: count, folds, few });
  const name = plainListName(ownName(path.basename(folder)));
  await makeFolders(folder);
  const listed = imagesFrom(folder, found);
  let form: DataSplit["form"] = "published";
  await createFolderAtomically(path.join(folder, "splits2"), async (staged) => {
    form = await writeSplits(listed, { folder: staged, name, splits: drawn });
  });
  if (clusters !== null) {
    const pictures = await picturesOf(clusters.map((cluster) => cluster.flatMap((at) => found.samples[at] ?? [])));
    await writeFile(path.join(folder, "clusters.html"), clustersPage({ place, clusters, found, split: drawn[0], pictures })); // prettier-ignore
  }
  return {
    ...{ name, folder, by, seed, form, images: found.samples.length, groups: new Set(groups).size },
    largestGroup: largest(groups),
    splits: drawn.map(sizesOf),
    clusters: clusters?.map((cluster) => cluster.flatMap((at) => found.samples[at]?.image ?? [])) ?? null,
    notes: [...found.source.notes, ...notesOf(found, by)],
    command: commandFor(out, { name, found, drawn, listed }),
  };
}

function sizesOf({ train, val, test }: DrawnSplit) {
  return { train: train.length, val: val.length, test: test.length };
}

function largest(groups: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const group of groups) counts.set(group, (counts.get(group) ?? 0) + 1);
  return [...counts.values()].reduce((a, b) => Math.max(a, b), 0);
}

/** @throws {ConfigError} where the text is no three parts of 100 */
function ratiosOf(text: string): Record<"train" | "val" | "test", number> {
  const parts = text.split("/").map(Number);
  const [train = NaN, val = NaN, test = NaN] = parts;
  const isSound = /^\d{1,3}\/\d{1,3}\/\d{1,3}$/.test(text) && train + val + test === 100 && train > 0 && test > 0;
  if (isSound) return { train, val, test };
  throw new ConfigError(`--ratios ${text}: must be three parts that sum up to 100, such as 70/10/20 or 80/0/20`);
}

async function groupsOf(
  { samples }: SourceImages,
  by: SplitRule,
  place: string,
  options: SplitDataOptions,
): Promise<{ groups: readonly number[]; clusters: Clusters["clusters"] | null }> {
  if (by === "group") return { groups: groupsByName(namesOfColumn(samples, place)), clusters: null };
  const contents = namesOfContents(samples);
  if (by === "content") return { groups: groupsByName(contents), clusters: null };
  return clustersByPixels(await signaturesOf(samples, place, options), contents);
}

/** Signatures of all images, in their order. @throws {DataError} naming the images that cannot be read */
async function signaturesOf(samples: SourceImages["samples"], place: string, options: SplitDataOptions) {
  const { findings, inspected } = await checkFiles(samples, {
    ...{ tables: PUBLISHED_LABELS, depth: "pixels", followLinks: true },
    images: { ...DEFAULT_IMAGE_OPTIONS, small: "resize" },
    report: reporterOf(options).progress,
  });
  const errors = findings.filter(({ severity }) => severity === "error").map(({ message }) => message);
  if (errors.length > 0) throw problemsError(`${place}: ${plural(errors.length, "image")} cannot be compared`, errors);
  const byFile = new Map(inspected.map(({ sample, signature }) => [sample.file, signature]));
  return samples.map(({ file, image }) => {
    const signature = byFile.get(file);
    if (signature === undefined) throw new DataError(`${place}: ${image}: was not read; is it listed twice?`);
    return signature;
  });
}

/** Images as lists below `folder` name them: from there where it holds them, else from the folder of the images. */
function imagesFrom(folder: string, { source, entries }: SourceImages) {
  const inside = path.relative(folder, source.folder).split(path.sep).join("/");
  const isBelow = inside !== "" && !inside.startsWith("..") && !path.isAbsolute(inside);
  return isBelow ? entries.map((entry) => ({ ...entry, image: `${inside}/${entry.image}` })) : entries;
}

function notesOf({ samples }: SourceImages, by: SplitRule): string[] {
  const isUntold = namesOfContents(samples).every((content) => content === null);
  if (by === "content" && isUntold)
    return ["no content is told, so each image is one of its own; --by pixels keeps near-duplicates together"];
  return by === "group" ? ["the lists have no place for the groups: evaluations draw images, not groups"] : [];
}

function commandFor(
  out: string,
  { name, found, drawn, listed }: { readonly name: string; readonly found: SourceImages; readonly drawn: readonly DrawnSplit[]; readonly listed: readonly { readonly image: string }[] }, // prettier-ignore
): string {
  const isBelow = listed !== found.entries || path.resolve(out) === found.source.folder;
  const folder = isBelow ? path.resolve(out) : found.source.folder;
  const mosStdFactor = factorOf(found.source) ?? undefined;
  const imagesPerStep = usualQuota(drawn[0]?.train.length ?? 0, 1);
  return trainingCommand({ name, source: out, folder, mosStdFactor, imagesPerStep });
}
