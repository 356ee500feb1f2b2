/** Table of the forms that lists are written in. */
import path from "node:path";
import { makeFolders } from "../../../base/folders.js";
import { writeSplits } from "../writeLists.js";
import { writeParquet, writeShards } from "./binaryForms.js";
import { writeCompareLists, writeDeqaLists, writeQAlignLists, writeQBenchLists } from "./jsonForms.js";
import {
  writeArniqaList,
  writeBlankList,
  writeImageFolder,
  writeIqaDatasetList,
  writeOwnList,
  writePyiqaList,
} from "./rowForms.js";
import type { WrittenForm } from "../formats/names.js";
import { leftOutOf, type ListWriter } from "./written.js";

const writePublished: ListWriter = async (data, folder) => {
  const { name, images, splits } = data;
  const into = path.join(folder, "splits2");
  await makeFolders(into);
  const listed = images.map((image) => ({ ...image, distortion: image.distortion ?? "" }));
  await writeSplits(listed, { folder: into, name, splits });
  return leftOutOf(data, ["content"]);
};

export const LIST_WRITERS: Readonly<Record<WrittenForm, ListWriter>> = {
  published: writePublished,
  csv: writeOwnList,
  "iqa-pytorch": writePyiqaList,
  "deqa-score": writeDeqaLists,
  "q-align": writeQAlignLists,
  "q-bench": writeQBenchLists,
  compare2score: writeCompareLists,
  "iqa-dataset": writeIqaDatasetList,
  "visualquality-r1": writeBlankList,
  arniqa: writeArniqaList,
  "image-folder": writeImageFolder,
  parquet: writeParquet,
  webdataset: writeShards,
};
