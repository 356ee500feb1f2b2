import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Subset, SUBSETS } from "../sample.js";
import { NOT_KNOWN, SCENES_PER_LINE } from "./entries.js";

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
export async function writeLists(images: readonly ListedImage[], lists: WrittenLists): Promise<void> {
  const { folder, name, splits } = lists;
  for (const [i, subsets] of splits.entries()) {
    const into = path.join(folder, String(i + 1));
    await mkdir(into, { recursive: true });
    for (const subset of SUBSETS) {
      const listed = images.filter(({ part }) => subsets.get(part) === subset);
      await writeFile(path.join(into, `${name}_${subset}_clip.txt`), listed.map(lineOf).join(""));
    }
  }
  await writeFile(path.join(folder, `${name}_all_clip.txt`), images.map(lineOf).join(""));
}

/** Line of a published list: path, MOS, distortion, three scenes, tab-separated. */
function lineOf({ image, mos, distortion, scenes }: ListedImage): string {
  const columns = Array.from({ length: SCENES_PER_LINE }, (_, i) => scenes[i] ?? NOT_KNOWN);
  return `${[image, mos, distortion ?? NOT_KNOWN, ...columns].join("\t")}\n`;
}
