import { open } from "node:fs/promises";
import path from "node:path";
import { INSIDE } from "../../archives/archive.js";
import { imageColumn, parquetMember, withoutBytes } from "../../archives/parquetImages.js";
import { PARQUET_CODECS, withParquet } from "../parquet.js";
import { tableOf } from "./jsonLists.js";
import type { JsonItem } from "./jsonText.js";
import type { ListTable, ReadingChoice } from "./table.js";

/** First and last bytes of every Parquet file. */
const MAGIC = "PAR1";

/** True for Parquet files, by their first bytes. */
export async function isParquet(file: string): Promise<boolean> {
  const handle = await open(file, "r").catch(() => null);
  if (handle === null) return false; // said where it is read
  try {
    const start = Buffer.alloc(MAGIC.length);
    await handle.read(start, 0, MAGIC.length, 0).catch(() => null);
    return start.toString("latin1") === MAGIC;
  } finally {
    await handle.close();
  }
}

/** Rows of a Parquet file, as lines from 1; images inside are named and not read. @throws {DataError} where it is damaged */
export async function readParquetList(file: string, choice: ReadingChoice): Promise<ListTable | null> {
  const { items, column } = await withParquet(file, async ({ hyparquet, buffer }) => {
    const metadata = await hyparquet.parquetMetadataAsync(buffer);
    const images = imageColumn(metadata);
    const lean = images === null ? metadata : withoutBytes(metadata, images);
    const rows = await hyparquet.parquetReadObjects({ file: buffer, metadata: lean, compressors: PARQUET_CODECS });
    return { items: rows.map((value, i): JsonItem => ({ line: i + 1, value })), column: images };
  });
  if (column === null) return tableOf(items, file, choice);
  const named = items.map(({ line, value }): JsonItem => {
    const fields = value as Record<string, unknown>; // a row is an object
    const member = parquetMember(line - 1, fields[column]);
    return {
      line,
      value: { ...fields, [column]: member === null ? null : `${path.basename(file)}${INSIDE}${member}` },
    };
  });
  const columns = { ...choice.columns, image: choice.columns?.image ?? column };
  return tableOf(named, file, { ...choice, columns, format: choice.format ?? "parquet" });
}
