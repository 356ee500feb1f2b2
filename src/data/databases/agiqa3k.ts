import { createImageFinder } from "../prepare/imageFinder.js";
import { readCsvTable } from "../prepare/table.js";
import { NO_SCENES, type ReadSource } from "./knownDatabase.js";

const SCORES = "data.csv";

/**
 * AGIQA-3K: `data.csv` with `name,prompt,adj1,adj2,style,mos_quality,std_quality,mos_align,std_align`
 * (github.com/lcysyzxdxc/AGIQA-3k-Database). Quality is taken, 0 to 5, and not how well an image fits its prompt. Images of
 * one prompt are one content.
 */
export const readAgiqa3k: ReadSource = async (folder) => {
  const { rows } = await readCsvTable(folder, SCORES, ["name", "prompt", "mos_quality", "std_quality"]);
  const { find, throwMissing } = await createImageFinder(folder, [".", "AGIQA-3K", "images"]);
  const images = rows.map((row) => ({
    image: find(row.text("name")),
    mos: row.number("mos_quality"),
    mosStd: row.number("std_quality"),
    distortion: null,
    scenes: [],
    content: row.text("prompt"),
  }));
  throwMissing();
  return {
    images,
    files: [SCORES],
    scores: `"mos_quality" of ${SCORES} as it is, 0 to 5, higher is better; deviations are "std_quality"`,
    distortions: "none: generated images",
    scenes: NO_SCENES,
    contents: `"prompt" of ${SCORES}`,
  };
};
