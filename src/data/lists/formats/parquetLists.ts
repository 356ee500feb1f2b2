import { open } from "node:fs/promises";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { DataError } from "../../../base/errors.js";
import { reasonOf } from "../../../base/text.js";
import type { JsonItem } from "./jsonText.js";

/** First and last bytes of every Parquet file. */
const MAGIC = "PAR1";

/** Limit of one page's contents: a list's columns are small. */
const MAX_PAGE_BYTES = 256 * 2 ** 20;

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

/** Rows of a Parquet file, as lines from 1. @throws {DataError} where it is cut off, damaged or compressed otherwise */
export async function readParquetRows(file: string): Promise<JsonItem[]> {
  const { asyncBufferFromFile, parquetReadObjects } = await import("hyparquet");
  const inflate = (unpack: typeof gunzipSync) => (input: Uint8Array) =>
    unpack(input, { maxOutputLength: MAX_PAGE_BYTES });
  const compressors = { GZIP: inflate(gunzipSync), BROTLI: inflate(brotliDecompressSync) };
  try {
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(file), compressors });
    return rows.map((value, i) => ({ line: i + 1, value }));
  } catch (error) {
    throw new DataError(
      `${file}: cannot be read as Parquet (${reasonOf(error)}); get it again, or write metadata.csv`,
      {
        cause: error,
      },
    );
  }
}
