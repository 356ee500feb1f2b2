import { writeFile } from "node:fs/promises";
import path from "node:path";
import { makeFolders } from "../../base/folders.js";
import { csvRow } from "../../base/text.js";
import { type Subset, SUBSETS } from "../sample.js";
import { type Entry, NOT_KNOWN, SCENES_PER_LINE } from "./entries.js";

interface ListedImage {
  readonly image: string;
  /** Score in the decimals that are written. */
  readonly mos: string;
  readonly distortion: string | null;
  readonly scenes: readonly string[];
  /** Key of the splits: its content, or its path where the makers split by image. */
  readonly part: string;
}

interface WrittenLists {
  /** Folder that is or becomes `splits2`. */
  readonly folder: string;
  /** Beginning of the lists' file names. */
  readonly name: string;
  /** Subset of each part, split after split. */
  readonly splits: readonly ReadonlyMap<string, Subset>[];
}

/** Writes `<n>/<name>_{train,val,test}_clip.txt` for each split, and `<name>_all_clip.txt`, in the published form. */
export async function writeLists(
  images: readonly ListedImage[],
  { folder, name, splits }: WrittenLists,
): Promise<void> {
  const rows = splits.map((subsets) => (subset: Subset) => images.filter(({ part }) => subsets.get(part) === subset));
  await writeFiles(images, { folder, name, rows, form: PUBLISHED });
}

/** Image of a list with all that lists may say of it. */
export type FullyListed = Pick<Entry, "image" | "mos" | "mosStd" | "distortion" | "scenes">;

/**
 * Writes the same of splits by places of images. Deviations stand in `<name>_all.txt`, as published; where a label or a
 * name does not fit into the published form, the lists are CSV under the same names.
 * @returns the form of the lists
 */
export async function writeSplits(
  images: readonly FullyListed[],
  { folder, name, splits }: Omit<WrittenLists, "splits"> & { readonly splits: readonly Places[] },
): Promise<"published" | "csv"> {
  const isFit = ({ image, scenes, distortion }: FullyListed) =>
    scenes.length <= SCENES_PER_LINE && !/[\t\r\n]|^\s|\s$/.test(`${image}${distortion}`) && image.trim() === image;
  const form = images.every(isFit) ? PUBLISHED : CSV;
  const rows = splits.map((places) => (subset: Subset) => places[subset].flatMap((at) => images[at] ?? []));
  await writeFiles(images, { folder, name, rows, form });
  const known = images.flatMap(({ image, mos, mosStd }) => (mosStd === null ? [] : [`${[image, mos, mosStd].join("\t")}\n`])); // prettier-ignore
  if (form === PUBLISHED && known.length > 0) await writeFile(path.join(folder, `${name}_all.txt`), known.join(""));
  return form === PUBLISHED ? "published" : "csv";
}

/** Places of each subset's images. */
type Places = Readonly<Record<Subset, readonly number[]>>;

interface ListForm<T> {
  readonly header: string;
  readonly lineOf: (image: T) => string;
}

async function writeFiles<T>(
  images: readonly T[],
  { folder, name, rows, form }: Pick<WrittenLists, "folder" | "name"> & { readonly rows: readonly ((subset: Subset) => readonly T[])[]; readonly form: ListForm<T> }, // prettier-ignore
): Promise<void> {
  const textOf = (listed: readonly T[]) => form.header + listed.map(form.lineOf).join("");
  for (const [i, of] of rows.entries()) {
    const into = path.join(folder, String(i + 1));
    await makeFolders(into);
    for (const subset of SUBSETS) await writeFile(path.join(into, `${name}_${subset}_clip.txt`), textOf(of(subset)));
  }
  await makeFolders(folder);
  await writeFile(path.join(folder, `${name}_all_clip.txt`), textOf(images));
}

/** Line of a published list: path, MOS, distortion, three scenes, tab-separated. */
const PUBLISHED: ListForm<Pick<ListedImage, "image" | "mos" | "distortion" | "scenes">> = {
  header: "",
  lineOf: ({ image, mos, distortion, scenes }) => {
    const columns = Array.from({ length: SCENES_PER_LINE }, (_, i) => scenes[i] ?? NOT_KNOWN).map(orNotKnown);
    return `${[image, mos, orNotKnown(distortion ?? ""), ...columns].join("\t")}\n`;
  },
};

function orNotKnown(label: string): string {
  return label === "" ? NOT_KNOWN : label;
}

/** The same with any number of scenes, and deviations: our own CSV. */
const CSV: ListForm<FullyListed> = {
  header: "image,mos,mos_std,distortion,scene\n",
  lineOf: ({ image, mos, mosStd, distortion, scenes }) =>
    csvRow([image, mos, mosStd ?? "", distortion, scenes.join("|")]),
};
