import { readdir } from "node:fs/promises";
import path from "node:path";
import { ConfigError, DataError } from "../../base/errors.js";
import { createFolderAtomically, filesIn } from "../../base/folders.js";
import { ownName } from "../../data/databases/registry.js";
import { openImages } from "../../data/lists/formats/readSource.js";
import { LIST_WRITERS } from "../../data/lists/writing/forms.js";
import type { WrittenForm } from "../../data/lists/formats/names.js";
import { plainListName, writtenImage } from "../../data/lists/writing/written.js";
import type { DescribeDataOptions } from "../describeData.js";

/** Options of `convertData`: the form, and what the path does not say itself. */
export interface ConvertDataOptions extends DescribeDataOptions {
  /** Form to write. */
  readonly to: WrittenForm;
  /** Folder for the lists, made where it is missing; one that holds something is refused. */
  readonly out: string;
}

/** Lists that were written. */
export interface ConvertedData {
  readonly form: WrittenForm;
  readonly folder: string;
  readonly images: number;
  readonly splits: number;
  /** Files below the folder. */
  readonly files: readonly string[];
  /** Folder in which the lists' paths begin; null where the images lie in the files. */
  readonly imagesIn: string | null;
  /** Facts that the form has no place for, and what was turned. */
  readonly notes: readonly string[];
}

/**
 * Writes the lists of a path in another form: the same images, scores (higher is better), deviations, labels and splits.
 * @throws {@link ConfigError} where `out` holds something already
 * @throws {@link DataError} where the lists cannot be read, allow two readings, or do not fit into the form
 * @example
 * ```ts
 * import { convertData } from "liqe-train";
 *
 * const { files, notes } = await convertData("meta_info_KonIQ10kDataset.csv", { to: "deqa-score", out: "koniq-deqa" });
 * console.log(files, notes);
 * ```
 */
export async function convertData(place: string, options: ConvertDataOptions): Promise<ConvertedData> {
  const { to, out } = options;
  const folder = path.resolve(out);
  if ((await readdir(folder).catch(() => [])).length > 0)
    throw new ConfigError(`${out}: holds something already; give another folder, or empty it`);
  const { source, entries, samples, splits } = await openImages(place, options);
  if (entries.length === 0) throw new DataError(`${place}: holds no image with a score`);
  const images = entries.map((entry, i) => writtenImage(entry, samples[i]?.file ?? ""));
  const name = plainListName(source.database ?? ownName(path.basename(folder)));
  const data = { name, database: source.database, images, splits };
  let leftOut: readonly string[] = [];
  await createFolderAtomically(folder, async (staged) => {
    leftOut = await LIST_WRITERS[to](data, staged);
  });
  return {
    ...{ form: to, folder, images: images.length, splits: splits.length },
    files: await filesIn(folder),
    imagesIn: to === "webdataset" ? null : source.folder,
    notes: [...source.notes, ...leftOut],
  };
}
