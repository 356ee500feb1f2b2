import path from "node:path";
import { DataError } from "../../base/errors.js";
import { createImageFinder } from "../prepare/imageFinder.js";
import { matNumbers, matTexts, readMatFile } from "../prepare/matFile.js";
import { NO_SCENES, type ReadSource, dmosToMos } from "./knownDatabase.js";
import { knownDatabase } from "./registry.js";

const SCORES = "dmos_realigned.mat";
const REFERENCES = "refnames_all.mat";

/** The folders in the order of the scores, with how many images each has (readme.txt of the release). */
const FOLDERS = [
  { folder: "jp2k", images: 227 },
  { folder: "jpeg", images: 233 },
  { folder: "wn", images: 174 },
  { folder: "gblur", images: 174 },
  { folder: "fastfading", images: 174 },
] as const;

/**
 * LIVE, release 2: `dmos_realigned.mat` (`dmos_new`, `dmos_std`, `orgs`: 1 for an undistorted copy, left out),
 * `refnames_all.mat` and `<folder>/img<n>.bmp` (live.ece.utexas.edu/research/quality/subjective.htm). The published lists
 * hold the highest DMOS less an image's own: 0 to 114.4.
 */
export const readLive: ReadSource = async (folder) => {
  const [scoresFile, referencesFile] = [path.join(folder, SCORES), path.join(folder, REFERENCES)];
  const scores = await readMatFile(scoresFile);
  const dmos = matNumbers(scores, "dmos_new", scoresFile);
  const deviations = matNumbers(scores, "dmos_std", scoresFile);
  const originals = matNumbers(scores, "orgs", scoresFile);
  const references = matTexts(await readMatFile(referencesFile), "refnames_all", referencesFile);
  const names = FOLDERS.flatMap(({ folder: type, images }) =>
    Array.from({ length: images }, (_, i) => `${type}/img${i + 1}.bmp`),
  );
  if ([dmos, deviations, originals, references].some(({ length }) => length !== names.length)) {
    throw new DataError(`${scoresFile}: expected ${names.length} images, got ${dmos.length}; is it LIVE's release 2?`);
  }
  const distorted = names.flatMap((name, i) => {
    const [value = NaN, deviation = NaN, reference = ""] = [dmos[i], deviations[i], references[i]];
    return originals[i] === 0 ? [{ name, dmos: value, deviation, reference }] : [];
  });
  const worst = distorted.reduce((highest, image) => Math.max(highest, image.dmos), -Infinity);
  const finders = await Promise.all(
    FOLDERS.map(async ({ folder: type }) => [type as string, await createImageFinder(folder, [type])] as const),
  );
  const finderOf = new Map(finders);
  const images = distorted.map(({ name, dmos: value, deviation, reference }) => {
    const [type = "", file = ""] = name.split("/");
    const image = finderOf.get(type)?.find(file) ?? name;
    return {
      image,
      mos: dmosToMos(value, worst),
      mosStd: deviation,
      distortion: knownDatabase("live")?.typeOfPath(image) ?? null,
      scenes: [],
      content: reference.replace(/\.bmp$/i, ""),
    };
  });
  for (const finder of finderOf.values()) finder.throwMissing();
  return {
    images,
    files: [SCORES, REFERENCES],
    scores: `${worst} (the highest) - "dmos_new" of ${SCORES}: turned, since lower is better there`,
    distortions: "from the folders, LIVE's 5 types",
    scenes: NO_SCENES,
    contents: `"refnames_all" of ${REFERENCES}`,
  };
};
