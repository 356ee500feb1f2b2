import path from "node:path";
import { DataError } from "../../base/errors.js";
import { createImageFinder } from "../prepare/imageFinder.js";
import { matNumbers, matTexts, readMatFile } from "../prepare/matFile.js";
import { dmosToMos, type KnownDatabase, type SourceFiles, typesByFolder } from "./knownDatabase.js";

const SCORES = "dmos_realigned.mat";
const REFERENCES = "refnames_all.mat";

/** Folders in the order of the scores, with their number of images (readme.txt of the release) and LIQE's type. */
const FOLDERS = [
  { folder: "jp2k", images: 227, type: "jpeg2000 compression" },
  { folder: "jpeg", images: 233, type: "jpeg compression" },
  { folder: "wn", images: 174, type: "white noise" },
  { folder: "gblur", images: 174, type: "gaussian blur" },
  { folder: "fastfading", images: 174, type: "fastfading" },
] as const;
const typeOfPath = typesByFolder(FOLDERS);

/**
 * LIVE, release 2: `dmos_realigned.mat` (`dmos_new`, `dmos_std`, `orgs`: 1 for an undistorted copy, left out),
 * `refnames_all.mat` and `<folder>/img<n>.bmp` (live.ece.utexas.edu/research/quality/subjective.htm). The published lists
 * hold the highest DMOS less an image's own: 0 to 114.4.
 */
export const live: KnownDatabase = {
  name: "live",
  words:
    /(?:^|[^a-z])live(?:dataset|iqa)?(?![a-z])(?![-_ ]?(?:c|challenge|(?:in[-_ ]?the[-_ ]?)?wild|itw|m|md|vqc|nflx|yt)(?![a-z]))/i,
  title: "LIVE, release 2",
  folder: "databaserelease2",
  images: 779,
  mosRange: [0, 120], // realigned differential scores, turned: the lists reach 114.4
  address: "https://live.ece.utexas.edu/research/quality/subjective.htm",
  typeOfPath,
  published: { srcc: 0.97, plcc: 0.951 },
  readSource,
};

async function readSource(folder: string): Promise<SourceFiles> {
  const distorted = await readScores(folder);
  const worst = distorted.reduce((highest, image) => Math.max(highest, image.dmos), -Infinity);
  const finders = await Promise.all(
    FOLDERS.map(async ({ folder: type }) => [type as string, await createImageFinder(folder, [type])] as const),
  );
  const finderOf = new Map(finders);
  const images = distorted.map(({ name, dmos, deviation, reference }) => {
    const [type = "", file = ""] = name.split("/");
    const image = finderOf.get(type)?.find(file) ?? name;
    return {
      image,
      mos: dmosToMos(dmos, worst),
      mosStd: deviation,
      distortion: typeOfPath(image),
      content: reference.replace(/\.bmp$/i, ""),
    };
  });
  for (const finder of finderOf.values()) finder.throwMissing();
  return {
    images,
    files: [SCORES, REFERENCES],
    scores: `${worst} (the highest) - "dmos_new" of ${SCORES}: turned, since lower is better there`,
    distortions: "from the folders, LIVE's 5 types",
    contents: `"refnames_all" of ${REFERENCES}`,
  };
}

/** Scores of the distorted images; `name` is the path as the release numbers its files. */
async function readScores(folder: string) {
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
  return names.flatMap((name, i) => {
    const [value = NaN, deviation = NaN, reference = ""] = [dmos[i], deviations[i], references[i]];
    return originals[i] === 0 ? [{ name, dmos: value, deviation, reference }] : [];
  });
}
