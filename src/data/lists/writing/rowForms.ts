/** Writers of tables: plain CSV, IQA-PyTorch, IQA-Dataset, image folders, ARNIQA's arrays, and blanks. */
import { DataError } from "../../../base/errors.js";
import { csvRow } from "../../../base/text.js";
import { type Subset, SUBSETS } from "../../sample.js";
import { isImageName } from "../formats/table.js";
import {
  leftOutOf,
  type ListWriter,
  partName,
  partsOf,
  splitColumns,
  writeInto,
  type WrittenData,
  type WrittenImage,
} from "./written.js";

interface Column {
  readonly name: string;
  readonly cell: (image: WrittenImage) => string;
  /** True for one that stands there even if all of its cells are empty. */
  readonly isNeeded?: boolean;
}

const CELLS = {
  image: ({ image }: WrittenImage) => image,
  mos: ({ mos }: WrittenImage) => mos,
  deviation: ({ mosStd }: WrittenImage) => mosStd ?? "",
  distortion: ({ distortion }: WrittenImage) => distortion ?? "",
  scenes: ({ scenes }: WrittenImage) => scenes.join("|"),
  content: ({ content }: WrittenImage) => content ?? "",
} as const;

/** Text of a CSV with a header, without the columns that are empty and not needed. */
function csvText(images: readonly WrittenImage[], columns: readonly Column[]): string {
  const used = columns.filter(({ cell, isNeeded = false }) => isNeeded || images.some((one) => cell(one) !== ""));
  const header = csvRow(used.map(({ name }) => name));
  return header + images.map((image) => csvRow(used.map(({ cell }) => cell(image)))).join("");
}

/** The splits as columns of the table of all images. */
function withSplits(data: WrittenData): Column[] {
  const places = new Map(data.images.map((image, i) => [image, i]));
  return splitColumns(data).map(({ name, cells }) => {
    return { name, cell: (image) => cells[places.get(image) ?? -1] ?? "", isNeeded: true };
  });
}

const OWN: readonly Column[] = [
  { name: "image", cell: CELLS.image, isNeeded: true },
  { name: "mos", cell: CELLS.mos, isNeeded: true },
  { name: "mos_std", cell: CELLS.deviation },
  { name: "distortion", cell: CELLS.distortion },
  { name: "scene", cell: CELLS.scenes },
  { name: "group", cell: CELLS.content },
];

/** Our own CSV: one list with a column of the split, of several splits one list for each subset. */
export const writeOwnList: ListWriter = async (data, folder) => {
  if (data.splits.length <= 1) {
    await writeInto(folder, `${data.name}.csv`, csvText(data.images, [...OWN, ...withSplits(data)]));
    return [];
  }
  for (const part of partsOf(data)) await writeInto(folder, `${partName(data, part)}.csv`, csvText(part.images, OWN));
  return leftOutOf(data, ["unlisted"]);
};

/** Columns of IQA-PyTorch's tables; further ones stand behind those that it goes through by place. */
function pyiqaColumns({ images, database }: WrittenData): Column[] {
  const hasContents = images.every(({ content }) => content !== null);
  const isKadid = database === "kadid10k"; // whose "std" is read as a variance
  return [
    ...(hasContents ? [{ name: "ref_name", cell: CELLS.content }] : []),
    { name: hasContents ? "dist_name" : "img_name", cell: CELLS.image, isNeeded: true },
    { name: "mos", cell: CELLS.mos, isNeeded: true },
    { name: isKadid ? "mos_std" : "std", cell: CELLS.deviation },
    { name: "dist_type", cell: CELLS.distortion },
    { name: "scene", cell: CELLS.scenes },
    ...(hasContents ? [{ name: "lower_better", cell: () => "False" }] : [{ name: "group", cell: CELLS.content }]),
  ];
}

export const writePyiqaList: ListWriter = async (data, folder) => {
  const text = csvText(data.images, [...pyiqaColumns(data), ...withSplits(data)]);
  await writeInto(folder, `meta_info_${data.name}Dataset.csv`, text);
  return [];
};

/** The same table, its splits in arrays of rows: `splits/{train,val,test}.npy`. */
export const writeArniqaList: ListWriter = async (data, folder) => {
  await writeInto(folder, `${data.name}.csv`, csvText(data.images, pyiqaColumns(data)));
  if (data.splits.length === 0) return [];
  for (const subset of SUBSETS) {
    const rows = data.splits.map((split) => split[subset]);
    if (rows.some(({ length }) => length > 0)) await writeInto(folder, `splits/${subset}.npy`, npyOf(rows));
  }
  return [];
};

/** Rows of whole numbers, the shorter ones padded with -1, as NumPy's int64 [rows, columns] (NPY format, version 1). */
function npyOf(rows: readonly (readonly number[])[]): Buffer {
  const columns = rows.reduce((most, { length }) => Math.max(most, length), 0);
  const told = `{'descr': '<i8', 'fortran_order': False, 'shape': (${rows.length}, ${columns}), }`;
  const header = Buffer.from(`${told.padEnd(Math.ceil((told.length + 11) / 64) * 64 - 11)}\n`, "latin1");
  const start = Buffer.from("\x93NUMPY\x01\x00\x00\x00", "latin1");
  start.writeUInt16LE(header.length, 8);
  const data = Buffer.alloc(8 * rows.length * columns);
  rows.forEach((row, i) => {
    for (let j = 0; j < columns; j++) data.writeBigInt64LE(BigInt(row[j] ?? -1), 8 * (i * columns + j));
  });
  return Buffer.concat([start, header, data]);
}

export const writeIqaDatasetList: ListWriter = async (data, folder) => {
  const hasContents = data.images.some(({ content }) => content !== null);
  const columns = [
    { name: "dis_img_path", cell: CELLS.image, isNeeded: true },
    { name: "dis_type", cell: CELLS.distortion, isNeeded: true },
    { name: "ref_img_path", cell: CELLS.content },
    { name: "score", cell: CELLS.mos, isNeeded: true },
    { name: "mos_std", cell: CELLS.deviation },
    { name: "scene", cell: CELLS.scenes },
    ...(hasContents ? [{ name: "lower_better", cell: () => "False" }] : []),
  ];
  for (const part of partsOf(data))
    await writeInto(folder, `${partName(data, part)}.txt`, csvText(part.images, columns));
  return leftOutOf(data, ["unlisted"]);
};

/** Columns of an image folder's metadata. */
export const FOLDER_COLUMNS: readonly Column[] = OWN.map((column, i) => (i === 0 ? { ...column, name: "file_name" } : column)); // prettier-ignore

export const writeImageFolder: ListWriter = async (data, folder) => {
  await writeInto(folder, "metadata.csv", csvText(data.images, [...FOLDER_COLUMNS, ...withSplits(data)]));
  return [];
};

/** Rows with blanks between: `[reference] image mos [std]`. @throws {DataError} on names that such rows cannot have */
export const writeBlankList: ListWriter = async (data, folder) => {
  const wrong = data.images.find(({ image }) => /\s/.test(image) || !isImageName(image));
  if (wrong !== undefined) {
    const what = `the name ${JSON.stringify(wrong.image)} has a blank or no image's ending`;
    throw new DataError(`${what}, and rows with blanks between them cannot hold it; choose another form`);
  }
  const hasContents = data.images.every(({ content }) => content !== null && !/\s/.test(content));
  const hasDeviations = data.images.every(({ mosStd }) => mosStd !== null);
  const someDeviations = data.images.filter(({ mosStd }) => mosStd !== null).length;
  const lineOf = ({ content, image, mos, mosStd }: WrittenImage) => {
    const reference = content === null || !hasContents ? [] : [isImageName(content) ? content : `${content}.png`];
    return `${[...reference, image, mos, ...(hasDeviations && mosStd !== null ? [mosStd] : [])].join(" ")}\n`;
  };
  for (const part of partsOf(data)) {
    await writeInto(folder, `${setName(data, part)}.txt`, part.images.map(lineOf).join(""));
  }
  const partial = hasDeviations || someDeviations === 0 ? [] : [`deviations, which not every image has: left out for ${someDeviations} images`]; // prettier-ignore
  return [...leftOutOf(data, ["distortion", "scenes", ...(hasContents ? [] : (["content"] as const)), "unlisted"]), ...partial]; // prettier-ignore
};

function setName(
  data: WrittenData,
  part: { readonly subset: Subset | null; readonly split: number; readonly images: readonly WrittenImage[] },
) {
  return part.subset === null ? partName(data, part) : `${partName(data, part)}_set`;
}
