import { readdir } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../../base/errors.js";
import { reasonOf } from "../../base/text.js";
import { parseCommaRows, readListText } from "../lists/rows.js";
import { createImageFinder } from "../prepare/imageFinder.js";
import { numberAt } from "../prepare/table.js";
import { type KnownDatabase, pathGroups, type SourceFiles } from "./knownDatabase.js";

const LABELS = "Train_Label";
const PARTS = [1, 2, 3, 4].map((part) => `Distortion_${part}`);
const FOLDERS = ["Train_Dist", "Dist_Imgs", ...PARTS, ...PARTS.map((part) => `Train_Dist/${part}`)];
const CONTENT = /(?:^|\/)(A\d{4})(?:_\d\d_\d\d)?\.bmp$/i; // A0001_00_00.bmp

/**
 * PIPAL's training images: `Train_Label/<reference>.txt`, a line `<name>,<Elo rating>` an image, and the images in
 * `Distortion_1/` to `Distortion_4/` or in one folder (J. Gu et al., "PIPAL", 2020). Elo ratings: higher is better. Its 40
 * kinds of distortion, most of them outputs of restoration networks, have no place in LIQE's table.
 */
export const pipal: KnownDatabase = {
  name: "pipal",
  words: /pipal/i,
  title: "PIPAL (its training images)",
  folder: "PIPAL",
  images: 23_200,
  mosRange: [-Infinity, Infinity], // Elo ratings are unbounded
  address: "https://github.com/HaomingCai/PIPAL-dataset",
  contentPattern: CONTENT,
  readSource,
};

async function readSource(folder: string): Promise<SourceFiles> {
  const names = await readdir(path.join(folder, LABELS)).catch((error: unknown) => {
    throw new DataError(`${folder}/${LABELS}: cannot be read (${reasonOf(error)}); unpack it there`, { cause: error });
  });
  const files = names.filter((name) => name.endsWith(".txt")).map((name) => `${LABELS}/${name}`);
  files.sort();
  const { find, throwMissing } = await createImageFinder(folder, FOLDERS);
  const images = [];
  for (const name of files) {
    const file = path.join(folder, name);
    for (const { line, cells } of await parseCommaRows(await readListText(file), file)) {
      const [listed = "", rating = ""] = cells;
      const image = find(listed);
      const mos = numberAt(`${file}:${line}`, rating);
      const [content = path.parse(name).name] = pathGroups(CONTENT, image);
      images.push({ image, mos, mosStd: null, content });
    }
  }
  throwMissing();
  return {
    images,
    files,
    scores: `Elo ratings of ${LABELS}/ as they are, higher is better`,
    distortions: "none: PIPAL's kinds have no place in LIQE's table",
    contents: "from the file names, the reference images",
  };
}
