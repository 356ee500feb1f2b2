import { createImageFinder } from "../prepare/imageFinder.js";
import { readExcelTable } from "../prepare/table.js";
import type { KnownDatabase, SourceFiles } from "./knownDatabase.js";

const SCORES = "DatabaseGrades.xlsx";

/**
 * BID: `DatabaseGrades.xlsx` with `Image Number`, `Average Subjective Grade` and `std`, and `ImageDatabase/` with
 * `DatabaseImage<4 digits>.JPG` (www.lps.ufrj.br/profs/eduardo/ImageDatabase.htm). Grades are 0 to 5.
 */
export const bid: KnownDatabase = {
  name: "bid",
  words: /(?:^|[^a-z])bid(?:dataset)?(?![a-z])/i,
  title: "BID",
  folder: "BID",
  images: 586,
  mosRange: [0, 5],
  address: "http://www.lps.ufrj.br/profs/eduardo/ImageDatabase.htm",
  opinions: 11, // A. Ciancio et al., IEEE TIP 20, 2011: about 11 an image
  published: { srcc: 0.875, plcc: 0.9 },
  publishedAcross: { kadid10k: 0.677 },
  readSource,
};

async function readSource(folder: string): Promise<SourceFiles> {
  const [number, grade, deviation] = ["Image Number", "Average Subjective Grade", "std"] as const;
  const { rows, leftOut } = await readExcelTable(folder, { name: SCORES, sheet: 1 }, [number, grade, deviation]);
  const { find, throwMissing } = await createImageFinder(folder, ["ImageDatabase", "."]);
  const images = rows.map((row) => {
    const image = find(`DatabaseImage${String(row.number(number)).padStart(4, "0")}.JPG`);
    const mosStd = row.number(deviation);
    return { image, mos: row.number(grade), mosStd };
  });
  throwMissing();
  return {
    images,
    leftOut,
    files: [SCORES],
    scores: `"${grade}" of ${SCORES} as it is, 0 to 5, higher is better; deviations are "${deviation}"`,
  };
}
