import { existsSync } from "node:fs";
import path from "node:path";
import { DataError } from "../../base/errors.js";
import { readListText } from "../lists/rows.js";
import { createImageFinder } from "../prepare/imageFinder.js";
import { numberAt } from "../prepare/table.js";
import { type KnownDatabase, pathGroups, type SourceFiles } from "./knownDatabase.js";

const SCORES = "mos_with_names.txt";
const DEVIATIONS = "mos_std.txt";
const CONTENT = /(?:^|\/)(i\d\d)(?:_\d\d_\d)?\.bmp$/i; // i01_01_1.bmp

/**
 * The 24 distortions of TID2013, in the order of the numbers in its file names (`i<content>_<number>_<level>.bmp`; N.
 * Ponomarenko et al., "Image database TID2013", 2015, table 1), as types of LIQE's table: the same distortion where it
 * has one, else the one whose class is nearest. Transmission errors count as their codec, as LIQE's fast fading does.
 */
const TYPES = [
  "white noise", // additive Gaussian noise
  "white with color", // more noise in the color components
  "noise", // spatially correlated noise
  "noise", // masked noise
  "noise", // high-frequency noise
  "impulse",
  "quantization", // quantization noise
  "gaussian blur",
  "white noise with denoise", // image denoising
  "jpeg compression",
  "jpeg2000 compression",
  "jpeg compression", // JPEG transmission errors
  "jpeg2000 compression", // JPEG 2000 transmission errors
  "noneccentricity patch",
  "color blocking", // local block-wise distortions
  "shifting the mean",
  "contrast",
  "color", // change of color saturation
  "multiplicative",
  "noise", // comfort noise
  "noise", // lossy compression of noisy images
  "color quantization",
  "color", // chromatic aberrations
  "other", // sparse sampling and reconstruction
] as const;

/**
 * TID2013: `mos_with_names.txt`, a line `<MOS> <name>` for each of 3000 images, `mos_std.txt` with the deviations in
 * the same order, and `distorted_images/` (www.ponomarenko.info/tid2013.htm; its readme). MOS is 0 to 9. Case differs.
 */
export const tid2013: KnownDatabase = {
  name: "tid2013",
  words: /tid2013/i,
  title: "TID2013",
  folder: "tid2013",
  images: 3000,
  mosRange: [0, 9],
  address: "https://www.ponomarenko.info/tid2013.htm",
  typeOfPath,
  contentPattern: CONTENT,
  levelPattern: /^(.*i\d\d_\d\d)_(\d)\.bmp$/i, // i01_<type>_<level>.bmp
  readSource,
};

function typeOfPath(image: string): string | null {
  const [, number] = /_(\d\d)_\d\.bmp$/i.exec(image) ?? [];
  return TYPES[Number(number) - 1] ?? null;
}

async function readSource(folder: string): Promise<SourceFiles> {
  const scores = await linesOf(path.join(folder, SCORES));
  const hasDeviations = existsSync(path.join(folder, DEVIATIONS));
  const deviations = hasDeviations ? await linesOf(path.join(folder, DEVIATIONS)) : null;
  if (deviations !== null && deviations.length !== scores.length) {
    throw new DataError(`${folder}: ${scores.length} scores in ${SCORES}, ${deviations.length} in ${DEVIATIONS}`);
  }
  const { find, throwMissing } = await createImageFinder(folder, ["distorted_images"]);
  const images = scores.map((line, i) => {
    const [mos = "", name = ""] = line.split(/\s+/);
    const image = find(name);
    const [content = image] = pathGroups(CONTENT, image);
    return {
      image,
      mos: numberAt(`${folder}/${SCORES}:${i + 1}`, mos),
      mosStd: deviations === null ? null : numberAt(`${folder}/${DEVIATIONS}:${i + 1}`, deviations[i] ?? ""),
      distortion: typeOfPath(image),
      content,
    };
  });
  throwMissing();
  return {
    images,
    files: [SCORES, ...(hasDeviations ? [DEVIATIONS] : [])],
    scores: `${SCORES} as it is, 0 to 9, higher is better`,
    distortions: "from the numbers in the file names, TID2013's 24 types, each as the nearest of LIQE's",
    contents: "from the file names, the reference images",
  };
}

async function linesOf(file: string): Promise<string[]> {
  const lines = (await readListText(file)).split(/\r?\n/).map((line) => line.trim());
  return lines.filter((line) => line !== "");
}
