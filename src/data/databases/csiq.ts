import { DataError } from "../../base/errors.js";
import { createImageFinder } from "../prepare/imageFinder.js";
import { readExcelTable } from "../prepare/table.js";
import { NO_SCENES, type ReadSource, dmosToMos } from "./knownDatabase.js";
import { knownDatabase } from "./registry.js";

const SCORES = "csiq.DMOS.xlsx";
const SHEET = "all_by_image";

/** `dst_type` of the sheet: the folder under `dst_imgs/`, and what the file names have for it. */
const TYPES: Readonly<Record<string, { readonly folder: string; readonly word: string }>> = {
  noise: { folder: "awgn", word: "AWGN" },
  blur: { folder: "blur", word: "BLUR" },
  contrast: { folder: "contrast", word: "contrast" },
  fnoise: { folder: "fnoise", word: "fnoise" },
  jpeg: { folder: "jpeg", word: "JPEG" },
  "jpeg 2000": { folder: "jpeg2000", word: "jpeg2000" },
};

/** DMOS runs from 0 (no difference) to 1. */
const BEST = 1;

/**
 * CSIQ: `csiq.DMOS.xlsx`, sheet `all_by_image`, with `image,dst_idx,dst_type,dst_lev,dmos_std,dmos`, its header some rows
 * and columns in, and `dst_imgs/<type>/<image>.<TYPE>.<level>.png` (s2.smu.edu/~eclarson/csiq.html). The published
 * lists hold 1 - dmos.
 */
export const readCsiq: ReadSource = async (folder) => {
  const needed = ["image", "dst_type", "dst_lev", "dmos_std", "dmos"];
  const { file, rows } = await readExcelTable(folder, SCORES, SHEET, needed);
  const folders = Object.values(TYPES).map((type) => `dst_imgs/${type.folder}`);
  const { find, throwMissing } = await createImageFinder(folder, folders);
  const images = rows.map((row) => {
    const type = TYPES[row.text("dst_type")];
    if (type === undefined) throw new DataError(`${file}: there is no dst_type "${row.text("dst_type")}" in CSIQ`);
    const image = find(`${row.text("image")}.${type.word}.${row.number("dst_lev")}.png`);
    return {
      image,
      mos: dmosToMos(row.number("dmos"), BEST),
      mosStd: row.number("dmos_std"),
      distortion: knownDatabase("csiq")?.typeOfPath(image) ?? null,
      scenes: [],
      content: row.text("image"),
    };
  });
  throwMissing();
  return {
    images,
    files: [SCORES],
    scores: `${BEST} - "dmos" of ${SCORES}: turned, since lower is better there`,
    distortions: "from the folders of dst_imgs/, CSIQ's 6 types",
    scenes: NO_SCENES,
    contents: `"image" of ${SCORES}`,
  };
};
