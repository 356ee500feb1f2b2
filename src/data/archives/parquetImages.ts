/** Images in a column of Parquet: structs of bytes and path, as data sets of Hugging Face hold them. */
import type { AsyncBuffer, FileMetaData, SchemaElement } from "hyparquet";
import { DataError } from "../../base/errors.js";
import { PARQUET_CODECS, withParquet } from "../lists/parquet.js";
import type { Archive } from "./tar.js";

/** Row groups whose images stay in memory: files are read in order, and a little out of it. */
const KEPT_GROUPS = 2;

/** Name of the column of images, structs of `bytes` and `path`; null where there is none. */
export function imageColumn({ schema }: FileMetaData): string | null {
  const at = schema.findIndex((element, i) => {
    const names = schema.slice(i + 1, i + 1 + (element.num_children ?? 0)).map(({ name }) => name);
    return i > 0 && names.length === 2 && names.includes("bytes") && names.includes("path");
  });
  return schema[at]?.name ?? null;
}

/** The same file's description without the images' bytes, so that reading its rows does not read them. */
export function withoutBytes(metadata: FileMetaData, column: string): FileMetaData {
  const at = metadata.schema.findIndex(({ name }) => name === column);
  const schema = metadata.schema.flatMap((element, i): SchemaElement[] => {
    if (i === at) return [{ ...element, num_children: 1 }];
    return (i === at + 1 || i === at + 2) && element.name === "bytes" ? [] : [element];
  });
  const isBytes = (path: readonly string[] | undefined) => path?.[0] === column && path[1] === "bytes";
  const row_groups = metadata.row_groups.map((group) => {
    return { ...group, columns: group.columns.filter(({ meta_data }) => !isBytes(meta_data?.path_in_schema)) };
  });
  return { ...metadata, schema, row_groups };
}

/** Name of an image in the file: its own path, else its row. */
export function parquetMember(row: number, value: unknown): string | null {
  if (typeof value !== "object" || value === null) return null;
  const { path = null } = value as { path?: unknown };
  return typeof path === "string" && path !== "" ? path : `row-${row}`;
}

/** Opens the images of a Parquet file. @throws {DataError} where it has none, or two of one name */
export async function openParquetImages(file: string): Promise<Archive> {
  return withParquet(file, async ({ hyparquet, buffer }) => {
    const metadata = await hyparquet.parquetMetadataAsync(buffer);
    const column = imageColumn(metadata);
    if (column === null) throw new DataError(`${file}: has no column of images; is it the file that the list names?`);
    const lean = { file: buffer, metadata: withoutBytes(metadata, column), columns: [column] };
    const rows = await hyparquet.parquetReadObjects({ ...lean, compressors: PARQUET_CODECS });
    const places = new Map<string, number>();
    rows.forEach((value, row) => {
      const name = parquetMember(row, value[column]);
      if (name === null) return; // said where its rows are read as a list
      if (places.has(name)) throw new DataError(`${file}: rows ${places.get(name) ?? 0} and ${row} are both ${name}; name each image once`); // prettier-ignore
      places.set(name, row);
    });
    const groupOf = createGroupReader(file, { buffer, metadata, column });
    return {
      names: [...places.keys()],
      has: (name) => places.has(name),
      read: async (name, most = Infinity) => {
        const row = places.get(name);
        if (row === undefined) throw new DataError(`${file}: has no ${name}; is it the file that the list names?`);
        const bytes = await groupOf(row);
        if (bytes === null) throw new DataError(`${file}: row ${row} (${name}) has no bytes; put the image in`);
        return bytes.subarray(0, Math.min(bytes.length, most));
      },
    };
  });
}

interface ImageSource {
  readonly buffer: AsyncBuffer;
  readonly metadata: FileMetaData;
  readonly column: string;
}

/** Reader of the bytes of a row, null where there are none: whole row groups, of which the last few are kept. */
function createGroupReader(
  file: string,
  { buffer, metadata, column }: ImageSource,
): (row: number) => Promise<Buffer | null> {
  const ends: number[] = [];
  for (const { num_rows } of metadata.row_groups) ends.push((ends.at(-1) ?? 0) + Number(num_rows));
  const kept = new Map<number, Promise<(Buffer | null)[]>>();
  const readGroup = async (group: number) =>
    withParquet(file, async ({ hyparquet }) => {
      const range = { rowStart: ends[group - 1] ?? 0, rowEnd: ends[group] ?? 0 };
      const options = { file: buffer, metadata, columns: [column], compressors: PARQUET_CODECS, utf8: false };
      const rows = await hyparquet.parquetReadObjects({ ...options, ...range });
      return rows.map((row) => bytesOf(row[column]));
    });
  return async (row) => {
    const group = ends.findIndex((end) => row < end);
    const reading = kept.get(group) ?? readGroup(group);
    kept.delete(group);
    kept.set(group, reading); // the last one again
    for (const oldest of [...kept.keys()].slice(0, -KEPT_GROUPS)) kept.delete(oldest);
    return (await reading)[row - (ends[group - 1] ?? 0)] ?? null;
  };
}

function bytesOf(value: unknown): Buffer | null {
  const bytes: unknown = typeof value === "object" && value !== null && "bytes" in value ? value.bytes : null;
  return bytes instanceof Uint8Array ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) : null;
}
