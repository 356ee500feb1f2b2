import path from "node:path";
import { DataError } from "../../base/errors.js";
import { createImageFinder } from "../prepare/imageFinder.js";
import { matNumbers, matTexts, readMatFile } from "../prepare/matFile.js";
import type { KnownDatabase, SourceFiles } from "./knownDatabase.js";

const NAMES = "AllImages_release";
const MOS = "AllMOS_release";
const DEVIATIONS = "AllStdDev_release";

const fileOf = (variable: string) => `Data/${variable}.mat`;

/** Names of the 7 images that taught observers the task: t1.bmp and so on, in a folder of their own. */
const TUTORIAL_IMAGE = /^t\d+\./;

/**
 * LIVE In the Wild Challenge: `Data/AllImages_release.mat`, `AllMOS_release.mat` and `AllStdDev_release.mat`, in the same
 * order, and `Images/` (live.ece.utexas.edu/research/ChallengeDB; its readme). MOS is 0 to 100.
 */
export const clive: KnownDatabase = {
  name: "clive",
  words: /clive|live[-_ ]?(?:c(?:dataset)?|challenge|(?:in[-_ ]?the[-_ ]?)?wild|itw)(?![a-z])/i,
  title: "LIVE In the Wild Challenge (CLIVE)",
  folder: "ChallengeDB_release",
  images: 1162,
  mosRange: [0, 100],
  address: "https://live.ece.utexas.edu/research/ChallengeDB/index.html",
  opinions: 175, // D. Ghadiyaram and A. C. Bovik, IEEE TIP 25, 2016: 175 observers an image on average
  published: { srcc: 0.904, plcc: 0.91 },
  publishedAcross: { kadid10k: 0.719 },
  readSource,
};

async function readSource(folder: string): Promise<SourceFiles> {
  const read = async (variable: string) => readMatFile(path.join(folder, fileOf(variable)));
  const names = matTexts(await read(NAMES), NAMES, fileOf(NAMES));
  const mos = matNumbers(await read(MOS), MOS, fileOf(MOS));
  const deviations = matNumbers(await read(DEVIATIONS), DEVIATIONS, fileOf(DEVIATIONS));
  if (names.length !== mos.length || names.length !== deviations.length) {
    throw new DataError(`${folder}/Data: ${names.length} names, ${mos.length} scores; are the files of one release?`);
  }
  const { find, throwMissing } = await createImageFinder(folder, ["Images"]);
  const images = names.flatMap((name, i) => {
    if (TUTORIAL_IMAGE.test(name)) return [];
    const image = find(name);
    return [{ image, mos: mos[i] ?? NaN, mosStd: deviations[i] ?? NaN }];
  });
  throwMissing();
  return {
    images,
    files: [NAMES, MOS, DEVIATIONS].map(fileOf),
    scores: `${MOS} as it is, 0 to 100, higher is better; deviations are ${DEVIATIONS}`,
  };
}
