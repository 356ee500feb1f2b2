import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { publishedLine } from "../lists/publishedLine.js";
import { splitContents } from "../lists/splitContents.js";
import { SUBSETS } from "../sample.js";
import type { DistortedImage } from "./distortPhotograph.js";
import type { ScenesByContent } from "./scenes.js";

export interface Lists {
  /** The database's folder, which may still bear another name than the database's. */
  readonly folder: string;
  /** What the lists' file names begin with. */
  readonly name: string;
  readonly images: readonly DistortedImage[];
  readonly scenes: ScenesByContent;
  readonly seed: number;
  readonly splits: number;
}

/** Writes `splits2/<n>/<name>_{train,val,test}_clip.txt` for each split and `splits2/<name>_all_clip.txt`. */
export async function writeLists({ folder, name, images, scenes, seed, splits }: Lists): Promise<void> {
  const root = path.join(folder, "splits2");
  const write = async (file: string, listed: readonly DistortedImage[]) => {
    await writeFile(file, listed.map((image) => listLine(image, scenes)).join(""));
  };
  const contents = [...new Set(images.map(({ content }) => content))];
  for (let split = 1; split <= splits; split++) {
    const parts = splitContents(contents, seed, split);
    const into = path.join(root, String(split));
    await mkdir(into, { recursive: true });
    for (const subset of SUBSETS) {
      const listed = images.filter(({ content }) => parts[subset].includes(content));
      await write(path.join(into, `${name}_${subset}_clip.txt`), listed);
    }
  }
  await write(path.join(root, `${name}_all_clip.txt`), images);
}

function listLine({ image, mos, type, content }: DistortedImage, scenes: ScenesByContent): string {
  return publishedLine({ image, mos: mos.toFixed(4), distortion: type, scenes: scenes.get(content) ?? [] });
}
