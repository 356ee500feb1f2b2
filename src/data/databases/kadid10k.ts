import { SYNTHETIC_TYPES } from "../distortions/types.js";
import { createImageFinder } from "../prepare/imageFinder.js";
import { readCsvTable } from "../prepare/table.js";
import type { KnownDatabase, SourceFiles } from "./knownDatabase.js";

const SCORES = "dmos.csv";

/** Number of each of SYNTHETIC_TYPES in its file names (`I<content>_<number>_<level>.png`), in their order. */
const NUMBERS = [1, 2, 3, 5, 4, 7, 8, 6, 22, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25];

/**
 * KADID-10k: `dmos.csv` with `dist_img,ref_img,dmos,var` and `images/` (database.mmsp-kn.de/kadid-10k-database.html).
 * Its "dmos" is the mean of a degradation category rating, 1 "very annoying" to 5 "imperceptible" (H. Lin et al., 2019),
 * so higher is better already; `var` is the variance: the published lists hold its square root.
 */
export const kadid10k: KnownDatabase = {
  name: "kadid10k",
  words: /kadid/i,
  title: "KADID-10k",
  folder: "kadid10k",
  images: 10125,
  mosRange: [1, 5],
  address: "http://database.mmsp-kn.de/kadid-10k-database.html",
  opinions: 30, // H. Lin et al., "KADID-10k: a large-scale artificially distorted IQA database", 2019: 30 an image
  typeOfPath,
  contentPattern: /(?:^|\/)(I\d\d)(?:_\d\d_\d\d)?\.png$/i, // I01_01_01.png
  levelPattern: /^(.*I\d\d_\d\d)_(\d\d)\.png$/i, // I01_<type>_<level>.png
  published: { srcc: 0.93, plcc: 0.931 },
  readSource,
};

function typeOfPath(image: string): string | null {
  const [, number] = /_(\d\d)_\d\d\.png$/.exec(image) ?? [];
  return SYNTHETIC_TYPES[NUMBERS.indexOf(Number(number))] ?? null;
}

async function readSource(folder: string): Promise<SourceFiles> {
  const { rows, leftOut } = await readCsvTable(folder, SCORES, ["dist_img", "ref_img", "dmos", "var"]);
  const { find, throwMissing } = await createImageFinder(folder, ["images", "distorted_images"]);
  const images = rows.map((row) => {
    const image = find(row.text("dist_img"));
    return {
      image,
      mos: row.number("dmos"),
      mosStd: Math.sqrt(row.number("var")),
      distortion: typeOfPath(image),
      content: row.text("ref_img").replace(/\.png$/i, ""),
    };
  });
  throwMissing();
  return {
    images,
    leftOut,
    files: [SCORES],
    scores: `"dmos" of ${SCORES} as it is, 1 to 5: higher is better there, whatever its name; deviations are √var`,
    distortions: "from the numbers in the file names, KADID's 25 types",
    contents: `"ref_img" of ${SCORES}`,
  };
}
