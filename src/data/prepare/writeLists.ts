import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../../base/errors.js";
import type { SourceImage, SourceFiles } from "../databases/knownDatabase.js";
import { publishedLine } from "../lists/columns.js";
import { splitContents } from "../lists/randomSplit.js";
import { type Subset, SUBSETS } from "../sample.js";

/** Decimals of the published lists. */
const DECIMALS = 6;

interface WrittenLists {
  /** The folder that becomes `splits2`. */
  readonly folder: string;
  /** What the lists' file names begin with. */
  readonly name: string;
  readonly distribution: SourceFiles;
  readonly seed: number;
  readonly splits: number;
}

/**
 * Writes `<n>/<name>_{train,val,test}_clip.txt` for each split, `<name>_all_clip.txt`, and `<name>_all.txt` where there are
 * deviations, all as published.
 *
 * @throws {DataError} where a content stands in two of the makers' own parts, or an image in none
 */
export async function writeSourceLists({ folder, name, distribution, seed, splits }: WrittenLists): Promise<void> {
  const { images, official } = distribution;
  const contents = [...new Set(images.map(({ content }) => content))].sort();
  for (let split = 1; split <= splits; split++) {
    const subsetOf = official === undefined ? drawn(contents, seed, split) : makers(official);
    await mkdir(path.join(folder, String(split)), { recursive: true });
    for (const subset of SUBSETS) {
      const listed = images.filter((image) => subsetOf(image) === subset);
      await writeFile(path.join(folder, String(split), `${name}_${subset}_clip.txt`), listed.map(listLine).join(""));
    }
  }
  await writeFile(path.join(folder, `${name}_all_clip.txt`), images.map(listLine).join(""));
  const deviations = images.flatMap(({ image, mos, mosStd }) =>
    mosStd === null ? [] : [`${image}\t${mos.toFixed(DECIMALS)}\t${mosStd.toFixed(DECIMALS)}\n`],
  );
  if (deviations.length > 0) await writeFile(path.join(folder, `${name}_all.txt`), deviations.join(""));
}

type SubsetOf = (image: SourceImage) => Subset;

function drawn(contents: readonly string[], seed: number, split: number): SubsetOf {
  const parts = splitContents(contents, seed, split);
  const subsets = new Map(SUBSETS.flatMap((subset) => parts[subset].map((content) => [content, subset] as const)));
  return ({ content }) => subsets.get(content) ?? "train"; // each of them is in a part
}

function makers(official: ReadonlyMap<string, Subset>): SubsetOf {
  return ({ image }) => {
    const subset = official.get(image);
    if (subset === undefined)
      throw new DataError(`${image}: is in no part of the makers' split; are the files of one release?`);
    return subset;
  };
}

function listLine({ image, mos, distortion, scenes }: SourceImage): string {
  return publishedLine({ image, mos: String(Number(mos.toFixed(DECIMALS))), distortion, scenes });
}
