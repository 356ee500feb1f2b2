/** Images and splits on their way into lists, and the parts that several forms share. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { makeFolders } from "../../../base/folders.js";
import { type Subset, SUBSETS } from "../../sample.js";
import { NOT_KNOWN } from "../entries.js";
import type { SourceEntry } from "../formats/openSource.js";
import { setWords } from "../formats/table.js";

/** Image of a list to write, its labels in words; none where they are not known. */
export interface WrittenImage {
  /** Path in the images' folder. */
  readonly image: string;
  /** File on the disk, or member of an archive. */
  readonly file: string;
  /** Decimal texts. */
  readonly mos: string;
  readonly mosStd: string | null;
  readonly distortion: string | null;
  readonly scenes: readonly string[];
  readonly content: string | null;
}

/** Places of the images of each subset. */
type WrittenSplit = Readonly<Record<Subset, readonly number[]>>;

/** Images and splits to write as lists of one form. */
export interface WrittenData {
  /** Beginning of the lists' names, in which no word names a subset. */
  readonly name: string;
  /** Known database; null where it is none. */
  readonly database: string | null;
  readonly images: readonly WrittenImage[];
  readonly splits: readonly WrittenSplit[];
}

/** Writer of one form into an empty folder; its result names what the form cannot hold. */
export type ListWriter = (data: WrittenData, folder: string) => Promise<readonly string[]>;

/** An entry as it is written. */
export function writtenImage(
  { image, mos, mosStd, distortion, scenes, content }: SourceEntry,
  file: string,
): WrittenImage {
  const isKnown = (label: string) => label !== "" && label !== NOT_KNOWN;
  const type = isKnown(distortion) ? distortion : null;
  return { image, file, mos, mosStd, distortion: type, scenes: scenes.filter(isKnown), content };
}

/** A name without words that name a subset or count images: names of files are read for these. */
export function plainListName(name: string): string {
  return setWords(name).join("-") || "data";
}

/** Writes a file and the folders that it is in. */
export async function writeInto(folder: string, name: string, contents: string | Uint8Array): Promise<void> {
  const file = path.join(folder, name);
  await makeFolders(path.dirname(file));
  await writeFile(file, contents);
}

/** List of some of the images. */
interface PartOfData {
  /** Null where the data is not parted. */
  readonly subset: Subset | null;
  /** From 1. */
  readonly split: number;
  readonly images: readonly WrittenImage[];
}

/** The lists that a form of one list for each subset needs: all images where there are no splits. */
export function partsOf({ images, splits }: WrittenData): PartOfData[] {
  if (splits.length === 0) return [{ subset: null, split: 1, images }];
  return splits.flatMap((split, i) =>
    SUBSETS.flatMap((subset) => {
      const listed = split[subset].flatMap((at) => images[at] ?? []);
      return listed.length === 0 ? [] : [{ subset, split: i + 1, images: listed }];
    }),
  );
}

/** Name of such a list: `<name>_<subset>`, of several splits each in a folder of its number. */
export function partName({ name, splits }: WrittenData, { subset, split }: PartOfData): string {
  const base = subset === null ? name : `${name}_${subset}`;
  return splits.length > 1 ? `${split}/${base}` : base;
}

/** Subset of each image in each split, as columns of a table; null where it is in none. */
export function splitColumns({ images, splits }: WrittenData): { name: string; cells: readonly (Subset | null)[] }[] {
  return splits.map((split, i) => {
    const cells = new Array<Subset | null>(images.length).fill(null);
    for (const subset of SUBSETS) for (const at of split[subset]) cells[at] = subset;
    return { name: splits.length === 1 ? "split" : `split_${String(i + 1).padStart(2, "0")}`, cells };
  });
}

/** Sentences on labels and facts that some images have and the form has no place for. */
export function leftOutOf(
  { images, splits }: WrittenData,
  lacks: readonly ("distortion" | "scenes" | "content" | "unlisted")[],
): string[] {
  const told = {
    distortion: { what: "distortion label", of: ({ distortion }: WrittenImage) => distortion !== null },
    scenes: { what: "scene label", of: ({ scenes }: WrittenImage) => scenes.length > 0 },
    content: { what: "content", of: ({ content }: WrittenImage) => content !== null },
  };
  return lacks.flatMap((lack) => {
    if (lack === "unlisted") {
      const listed = new Set(splits.flatMap((split) => SUBSETS.flatMap((subset) => split[subset])));
      const left = splits.length === 0 ? 0 : images.length - listed.size;
      return left === 0 ? [] : [`images in no list of any split: ${left} left out`];
    }
    const { what, of } = told[lack];
    const count = images.filter(of).length;
    return count === 0 ? [] : [`the form has no place for a ${what}: left out for ${count} images`];
  });
}
