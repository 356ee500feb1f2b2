import { createImageFinder } from "../prepare/imageFinder.js";
import { readCsvTable } from "../prepare/table.js";
import { NO_SCENES, type ReadSource } from "./knownDatabase.js";
import { knownDatabase } from "./registry.js";

const SCORES = "dmos.csv";

/**
 * KADID-10k: `dmos.csv` with `dist_img,ref_img,dmos,var` and `images/` (database.mmsp-kn.de/kadid-10k-database.html).
 *
 * Its "dmos" is the mean of a degradation category rating, 1 "very annoying" to 5 "imperceptible" (H. Lin et al., 2019),
 * so higher is better already; `var` is the variance: the published lists hold its square root.
 */
export const readKadid: ReadSource = async (folder) => {
  const { rows } = await readCsvTable(folder, SCORES, ["dist_img", "ref_img", "dmos", "var"]);
  const { find, throwMissing } = await createImageFinder(folder, ["images", "distorted_images"]);
  const images = rows.map((row) => {
    const image = find(row.text("dist_img"));
    return {
      image,
      mos: row.number("dmos"),
      mosStd: Math.sqrt(row.number("var")),
      distortion: knownDatabase("kadid10k")?.typeOfPath(image) ?? null,
      scenes: [],
      content: row.text("ref_img").replace(/\.png$/i, ""),
    };
  });
  throwMissing();
  return {
    images,
    files: [SCORES],
    scores: `"dmos" of ${SCORES} as it is, 1 to 5: higher is better there, whatever its name; deviations are √var`,
    distortions: "from the numbers in the file names, KADID's 25 types",
    scenes: NO_SCENES,
    contents: `"ref_img" of ${SCORES}`,
  };
};
