/** Writers of Parquet and of WebDataset's tar shards. */
import { open } from "node:fs/promises";
import path from "node:path";
import { makeFolders } from "../../../base/folders.js";
import { createTarWriter } from "../../archives/writeTar.js";
import { readImageFile } from "../../images/loadImage.js";
import { FOLDER_COLUMNS } from "./rowForms.js";
import { type ListWriter, splitColumns, writeInto, type WrittenImage } from "./written.js";

/** An image folder's metadata.parquet: numbers for scores, text for labels, null where one is not known. */
export const writeParquet: ListWriter = async (data, folder) => {
  const { parquetWriteBuffer } = await import("hyparquet-writer");
  const own = FOLDER_COLUMNS.map(({ name, cell }) => {
    const cells = data.images.map(cell);
    const isNumber = name === "mos" || name === "mos_std";
    const values = cells.map((text) => (text === "" ? null : isNumber ? Number(text) : text));
    return { name, data: values, type: isNumber ? ("DOUBLE" as const) : ("STRING" as const), nullable: true };
  });
  const splits = splitColumns(data).map(({ name, cells }) => ({ name, data: [...cells], type: "STRING" as const, nullable: true })); // prettier-ignore
  const columnData = [...own.filter((column) => column.data.some((value) => value !== null)), ...splits];
  await writeInto(folder, "metadata.parquet", new Uint8Array(parquetWriteBuffer({ columnData })));
  return [];
};

/** Images of a shard, and its bytes from which on it gets no further one. */
const SHARD_IMAGES = 10_000;
const SHARD_BYTES = 2 ** 30;

/** Shards of `key.jpg` with `key.json`, the images' bytes as they are. @throws {DataError} on images that cannot be read */
export const writeShards: ListWriter = async (data, folder) => {
  await makeFolders(folder);
  const keys = keysOf(data.images);
  const splits = splitColumns(data);
  for (let shard = 0, at = 0; at < data.images.length || shard === 0; shard++) {
    const handle = await open(path.join(folder, `${data.name}-${String(shard).padStart(6, "0")}.tar`), "w");
    try {
      const tar = createTarWriter(handle);
      for (let count = 0; at < data.images.length && count < SHARD_IMAGES && tar.bytes < SHARD_BYTES; count++, at++) {
        const image = data.images[at];
        if (image === undefined) break;
        const { key, ending } = keys[at] ?? { key: String(at), ending: "" };
        const told = splits.flatMap(({ name, cells }) => (cells[at] == null ? [] : [[name, cells[at]] as const]));
        await tar.add(`${key}${ending}`, await readImageFile(image.file));
        await tar.add(`${key}.json`, Buffer.from(JSON.stringify({ ...fieldsOf(image), ...Object.fromEntries(told) })));
      }
      await tar.end();
    } finally {
      await handle.close();
    }
  }
  return [];
};

function fieldsOf({ mos, mosStd, distortion, scenes, content }: WrittenImage) {
  return {
    mos: Number(mos),
    ...(mosStd === null ? {} : { mos_std: Number(mosStd) }),
    ...(distortion === null ? {} : { distortion }),
    ...(scenes.length === 0 ? {} : { scene: scenes }),
    ...(content === null ? {} : { group: content }),
  };
}

/** Key and ending of each image's files: its path without ending, each once, and without dots, at which a key ends. */
function keysOf(images: readonly WrittenImage[]): { key: string; ending: string }[] {
  const taken = new Set<string>();
  return images.map(({ image }) => {
    const inside = image.split("::").at(-1) ?? image; // of an archive's member its own name
    const { dir, name, ext } = path.posix.parse(inside);
    const base = `${dir === "" ? "" : `${dir}/`}${name.replaceAll(".", "_")}`;
    let key = base;
    for (let n = 2; taken.has(key); n++) key = `${base}-${n}`;
    taken.add(key);
    return { key, ending: ext.toLowerCase() };
  });
}
