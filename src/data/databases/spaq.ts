import { existsSync } from "node:fs";
import path from "node:path";
import { SCENES } from "../../model/prompts/labels.js";
import { SCENES_PER_LINE } from "../lists/entries.js";
import { createImageFinder } from "../prepare/imageFinder.js";
import { readExcelTable } from "../prepare/table.js";
import type { KnownDatabase, SourceFiles } from "./knownDatabase.js";

const SCORES = "Annotations/MOS and Image attribute scores.xlsx";
const SCENE_LABELS = "Annotations/Scene category labels.xlsx";
const IMAGE = "Image name";

/** Columns of the scene sheet, in the order of LIQE's scenes, which were taken from it. */
const SCENE_COLUMNS = [
  "Animal",
  "Cityscape",
  "Human",
  "Indoor scene",
  "Landscape",
  "Night scene",
  "Plant",
  "Still-life",
  "Others",
] as const;

/**
 * SPAQ: `Annotations/MOS and Image attribute scores.xlsx` (`Image name`, `MOS` from 0 to 100, attributes),
 * `Annotations/Scene category labels.xlsx` (`Image name` and a column a scene, above 0 where it applies) and `TestImage/`
 * (github.com/h4nwei/SPAQ). Of more than three scenes the three first are kept.
 */
export const spaq: KnownDatabase = {
  name: "spaq",
  words: /spaq/i,
  title: "SPAQ",
  folder: "SPAQ",
  images: 11_125,
  mosRange: [0, 100],
  address: "https://github.com/h4nwei/SPAQ",
  readSource,
};

async function readSource(folder: string): Promise<SourceFiles> {
  const { rows, leftOut } = await readExcelTable(folder, { name: SCORES, sheet: 1 }, [IMAGE, "MOS"]);
  const hasScenes = existsSync(path.join(folder, SCENE_LABELS));
  const scenes = hasScenes ? await readScenes(folder) : new Map<string, readonly string[]>();
  const { find, throwMissing } = await createImageFinder(folder, ["TestImage", "images"]);
  const images = rows.map((row) => {
    const image = find(row.text(IMAGE));
    const own = scenes.get(row.text(IMAGE)) ?? [];
    return { image, mos: row.number("MOS"), mosStd: null, scenes: own };
  });
  throwMissing();
  return {
    images,
    leftOut,
    files: [SCORES, ...(hasScenes ? [SCENE_LABELS] : [])],
    scores: `"MOS" of ${SCORES} as it is, 0 to 100, higher is better`,
    ...(hasScenes ? { scenes: `from ${SCENE_LABELS}, ${SCENES_PER_LINE} at most` } : {}),
  };
}

async function readScenes(folder: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await readExcelTable(folder, { name: SCENE_LABELS, sheet: 1 }, [IMAGE, ...SCENE_COLUMNS]);
  return new Map(
    rows.map((row) => {
      const marked = SCENES.filter((_, i) => row.number(SCENE_COLUMNS[i] ?? "") > 0);
      return [row.text(IMAGE), marked.slice(0, SCENES_PER_LINE)];
    }),
  );
}
