import { existsSync } from "node:fs";
import path from "node:path";
import { DataError } from "../../base/errors.js";
import { readListText } from "../lists/columns.js";
import { createImageFinder } from "../prepare/imageFinder.js";
import { numberAt } from "../prepare/table.js";
import { contentOf } from "./content.js";
import { NO_SCENES, type ReadSource } from "./knownDatabase.js";
import { knownDatabase } from "./registry.js";

const SCORES = "mos_with_names.txt";
const DEVIATIONS = "mos_std.txt";

/**
 * TID2013: `mos_with_names.txt`, a line `<MOS> <name>` for each of 3000 images, `mos_std.txt` with the deviations in the
 * same order, and `distorted_images/` (www.ponomarenko.info/tid2013.htm; its readme). MOS is 0 to 9. Names there differ in
 * case from the files'.
 */
export const readTid2013: ReadSource = async (folder) => {
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
    return {
      image,
      mos: numberAt(`${folder}/${SCORES}:${i + 1}`, mos),
      mosStd: deviations === null ? null : numberAt(`${folder}/${DEVIATIONS}:${i + 1}`, deviations[i] ?? ""),
      distortion: knownDatabase("tid2013")?.typeOfPath(image) ?? null,
      scenes: [],
      content: contentOf("tid2013", image) ?? image,
    };
  });
  throwMissing();
  return {
    images,
    files: [SCORES, ...(hasDeviations ? [DEVIATIONS] : [])],
    scores: `${SCORES} as it is, 0 to 9, higher is better`,
    distortions: "from the numbers in the file names, TID2013's 24 types, each as the nearest of LIQE's",
    scenes: NO_SCENES,
    contents: "from the file names, the reference images",
  };
};

async function linesOf(file: string): Promise<string[]> {
  const lines = (await readListText(file)).split(/\r?\n/).map((line) => line.trim());
  return lines.filter((line) => line !== "");
}
