import { existsSync } from "node:fs";
import path from "node:path";
import { DataError } from "../../base/errors.js";
import { createImageFinder } from "../prepare/imageFinder.js";
import { readCsvTable } from "../prepare/table.js";
import type { Subset } from "../sample.js";
import type { KnownDatabase, SourceFiles } from "./knownDatabase.js";

const SCORES = "koniq10k_scores_and_distributions.csv";
const SETS = "koniq10k_distributions_sets.csv";

type Table = Awaited<ReturnType<typeof readCsvTable>>;

const SUBSET_NAMES: Readonly<Record<string, Subset>> = { training: "train", validation: "val", test: "test" };

/**
 * KonIQ-10k: `koniq10k_scores_and_distributions.csv` with `image_name,c1,...,c5,c_total,MOS,SD,MOS_zscore` and
 * `1024x768/` or `512x384/` (database.mmsp-kn.de/koniq-10k-database.html). The makers' split is the column `set` of that
 * file, else of `koniq10k_distributions_sets.csv` (github.com/subpic/koniq, metadata/), whose own scores are not used.
 */
export const koniq10k: KnownDatabase = {
  name: "koniq10k",
  words: /koniq/i,
  title: "KonIQ-10k (1024 x 768)",
  folder: "koniq-10k",
  images: 10073,
  mosRange: [1, 5],
  address: "http://database.mmsp-kn.de/koniq-10k-database.html",
  opinions: 119, // V. Hosu et al., "KonIQ-10k", IEEE TIP 29, 2020: 1.2 million ratings of 10,073 images
  published: { srcc: 0.919, plcc: 0.908 },
  publishedAcross: { kadid10k: 0.684 },
  readSource,
};

async function readSource(folder: string, { isOfficial }: { readonly isOfficial: boolean }): Promise<SourceFiles> {
  const scores = await readCsvTable(folder, SCORES, ["image_name", "MOS", "SD"]);
  const { find, throwMissing } = await createImageFinder(folder, ["1024x768", "512x384", "images"]);
  const images = scores.rows.map((row) => {
    const image = find(row.text("image_name"));
    const mosStd = row.number("SD");
    return { image, mos: row.number("MOS"), mosStd };
  });
  throwMissing();
  const sets = isOfficial ? await readSets(folder, scores) : null;
  const official = sets === null ? {} : { official: new Map([...sets.sets].map(([name, set]) => [find(name), set])) };
  return {
    images,
    leftOut: scores.leftOut,
    files: [SCORES, ...(sets === null || sets.isOwn ? [] : [SETS])],
    scores: `"MOS" of ${SCORES} as it is, 1 to 5, higher is better; deviations are "SD"`,
    ...official,
  };
}

/** Subset of each image, and whether the file of scores itself tells it. */
async function readSets(folder: string, scores: Table): Promise<{ sets: Map<string, Subset>; isOwn: boolean }> {
  const isOwn = scores.has("set");
  if (!isOwn && !existsSync(path.join(folder, SETS))) {
    const what = `the makers' split is in ${SETS}, which is not there`;
    throw new DataError(`${folder}: ${what}; get it, or leave out --official`);
  }
  const table = isOwn ? scores : await readCsvTable(folder, SETS, ["image_name", "set"]);
  const sets = new Map<string, Subset>();
  for (const row of table.rows) {
    const subset = SUBSET_NAMES[row.text("set")];
    if (subset === undefined) {
      const what = `its set is "${row.text("set")}", none of ${Object.keys(SUBSET_NAMES).join(", ")}`;
      throw new DataError(`${table.file}: ${row.text("image_name")}: ${what}`);
    }
    sets.set(row.text("image_name"), subset);
  }
  return { sets, isOwn };
}
