import { DataError } from "../../base/errors.js";
import { createImageFinder } from "../prepare/imageFinder.js";
import { readExcelTable } from "../prepare/table.js";
import { dmosToMos, type KnownDatabase, type SourceFiles, typesByFolder } from "./knownDatabase.js";

const SCORES = "csiq.DMOS.xlsx";
const SHEET = "all_by_image";

/** By `dst_type` of the sheet: folder, word in the file names, and type of LIQE's table. */
const TYPES: Readonly<Record<string, { readonly folder: string; readonly word: string; readonly type: string }>> = {
  noise: { folder: "dst_imgs/awgn", word: "AWGN", type: "white noise" },
  blur: { folder: "dst_imgs/blur", word: "BLUR", type: "gaussian blur" },
  contrast: { folder: "dst_imgs/contrast", word: "contrast", type: "contrast" },
  fnoise: { folder: "dst_imgs/fnoise", word: "fnoise", type: "fnoise" },
  jpeg: { folder: "dst_imgs/jpeg", word: "JPEG", type: "jpeg compression" },
  "jpeg 2000": { folder: "dst_imgs/jpeg2000", word: "jpeg2000", type: "jpeg2000 compression" },
};
const typeOfPath = typesByFolder(Object.values(TYPES));

/** Score of an undistorted picture: DMOS runs from 0 (no difference) to 1. */
const BEST = 1;

/**
 * CSIQ: `csiq.DMOS.xlsx`, sheet `all_by_image`, with `image,dst_idx,dst_type,dst_lev,dmos_std,dmos`, its header some
 * rows and columns in, and `dst_imgs/<type>/<image>.<TYPE>.<level>.png` (s2.smu.edu/~eclarson/csiq.html). Lists hold 1
 * - dmos.
 */
export const csiq: KnownDatabase = {
  name: "csiq",
  words: /csiq/i,
  title: "CSIQ",
  folder: "CSIQ",
  images: 866,
  mosRange: [0, 1],
  address: "https://s2.smu.edu/~eclarson/csiq.html",
  opinions: 6, // E. C. Larson and D. M. Chandler, J. Electronic Imaging 19, 2010: 5,000 ratings of 866 images
  typeOfPath,
  contentPattern: /(?:^|\/)([^/.]+)\.[^/]+$/, // dst_imgs/awgn/1600.AWGN.1.png
  levelPattern: /^(.*\.[^/.]+)\.(\d)\.png$/, // 1600.AWGN.<level>.png
  published: { srcc: 0.936, plcc: 0.939 },
  readSource,
};

async function readSource(folder: string): Promise<SourceFiles> {
  const needed = ["image", "dst_type", "dst_lev", "dmos_std", "dmos"];
  const { file, rows, leftOut } = await readExcelTable(folder, { name: SCORES, sheet: SHEET }, needed);
  const folders = Object.values(TYPES).map((type) => type.folder);
  const { find, throwMissing } = await createImageFinder(folder, folders);
  const images = rows.map((row) => {
    const type = TYPES[row.text("dst_type")];
    if (type === undefined) throw new DataError(`${file}: there is no dst_type "${row.text("dst_type")}" in CSIQ`);
    const image = find(`${row.text("image")}.${type.word}.${row.number("dst_lev")}.png`);
    return {
      image,
      mos: dmosToMos(row.number("dmos"), BEST),
      mosStd: row.number("dmos_std"),
      distortion: typeOfPath(image),
      content: row.text("image"),
    };
  });
  throwMissing();
  return {
    images,
    leftOut,
    files: [SCORES],
    scores: `${BEST} - "dmos" of ${SCORES}: turned, since lower is better there`,
    distortions: "from the folders of dst_imgs/, CSIQ's 6 types",
    contents: `"image" of ${SCORES}`,
  };
}
