import { createImageFinder } from "../prepare/imageFinder.js";
import { readCsvTable } from "../prepare/table.js";
import type { KnownDatabase, SourceFiles } from "./knownDatabase.js";

const SCORES = "data.csv";

/**
 * AGIQA-3K: `data.csv` with `name,prompt,adj1,adj2,style,mos_quality,std_quality,mos_align,std_align`
 * (github.com/lcysyzxdxc/AGIQA-3k-Database). Scores are those of quality, 0 to 5, not of how well an image fits its prompt.
 * Images of one prompt are one content.
 */
export const agiqa3k: KnownDatabase = {
  name: "agiqa3k",
  words: /agiqa-?3k|(?:^|[^a-z])agi(?![a-z])/i,
  title: "AGIQA-3K",
  folder: "AGIQA-3K",
  images: 2982,
  mosRange: [0, 5],
  address: "https://github.com/lcysyzxdxc/AGIQA-3k-Database",
  readSource,
};

async function readSource(folder: string): Promise<SourceFiles> {
  const { rows, leftOut } = await readCsvTable(folder, SCORES, ["name", "prompt", "mos_quality", "std_quality"]);
  const { find, throwMissing } = await createImageFinder(folder, [".", "AGIQA-3K", "images"]);
  const images = rows.map((row) => ({
    image: find(row.text("name")),
    mos: row.number("mos_quality"),
    mosStd: row.number("std_quality"),
    content: row.text("prompt"),
  }));
  throwMissing();
  return {
    images,
    leftOut,
    files: [SCORES],
    scores: `"mos_quality" of ${SCORES} as it is, 0 to 5, higher is better; deviations are "std_quality"`,
    distortions: "none: generated images",
    contents: `"prompt" of ${SCORES}`,
  };
}
