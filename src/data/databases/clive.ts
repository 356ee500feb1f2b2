import path from "node:path";
import { DataError } from "../../base/errors.js";
import { createImageFinder } from "../prepare/imageFinder.js";
import { matNumbers, matTexts, readMatFile } from "../prepare/matFile.js";
import { NO_SCENES, OWN_CONTENTS, type ReadSource } from "./knownDatabase.js";

const NAMES = "AllImages_release";
const MOS = "AllMOS_release";
const DEVIATIONS = "AllStdDev_release";

const fileOf = (variable: string) => `Data/${variable}.mat`;

/** The 7 images that people were shown to learn the task: t1.bmp and so on, in a folder of their own. */
const IS_FOR_TRAINING_PEOPLE = /^t\d+\./;

/**
 * LIVE In the Wild Challenge: `Data/AllImages_release.mat`, `AllMOS_release.mat` and `AllStdDev_release.mat`, in the same
 * order, and `Images/` (live.ece.utexas.edu/research/ChallengeDB; its readme). MOS is 0 to 100.
 */
export const readClive: ReadSource = async (folder) => {
  const read = async (variable: string) => readMatFile(path.join(folder, fileOf(variable)));
  const names = matTexts(await read(NAMES), NAMES, fileOf(NAMES));
  const mos = matNumbers(await read(MOS), MOS, fileOf(MOS));
  const deviations = matNumbers(await read(DEVIATIONS), DEVIATIONS, fileOf(DEVIATIONS));
  if (names.length !== mos.length || names.length !== deviations.length) {
    throw new DataError(`${folder}/Data: ${names.length} names, ${mos.length} scores; are the files of one release?`);
  }
  const { find, throwMissing } = await createImageFinder(folder, ["Images"]);
  const images = names.flatMap((name, i) => {
    if (IS_FOR_TRAINING_PEOPLE.test(name)) return [];
    const image = find(name);
    return [{ image, mos: mos[i] ?? NaN, mosStd: deviations[i] ?? NaN, distortion: null, scenes: [], content: image }];
  });
  throwMissing();
  return {
    images,
    files: [NAMES, MOS, DEVIATIONS].map(fileOf),
    scores: `${MOS} as it is, 0 to 100, higher is better; deviations are ${DEVIATIONS}`,
    distortions: "none: photographs as they were taken",
    scenes: NO_SCENES,
    contents: OWN_CONTENTS,
  };
};
