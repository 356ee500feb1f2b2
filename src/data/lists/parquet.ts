/** Reading of Parquet files, with limits and errors of our own. */
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import type { AsyncBuffer } from "hyparquet";
import { DataError } from "../../base/errors.js";
import { reasonOf } from "../../base/text.js";

/** Limit of one page's contents. */
const MAX_PAGE_BYTES = 256 * 2 ** 20;

function inflate(unpack: typeof gunzipSync) {
  return (input: Uint8Array) => unpack(input, { maxOutputLength: MAX_PAGE_BYTES });
}

/** Codecs beside the reader's own Snappy. */
export const PARQUET_CODECS = { GZIP: inflate(gunzipSync), BROTLI: inflate(brotliDecompressSync) };

interface OpenParquet {
  readonly hyparquet: typeof import("hyparquet");
  readonly buffer: AsyncBuffer;
}

/** Lends `use` the reader and the file. @throws {DataError} where it is cut off, damaged or compressed otherwise */
export async function withParquet<T>(file: string, use: (open: OpenParquet) => Promise<T>): Promise<T> {
  const hyparquet = await import("hyparquet");
  try {
    return await use({ hyparquet, buffer: await hyparquet.asyncBufferFromFile(file) });
  } catch (error) {
    if (error instanceof DataError) throw error;
    const what = `cannot be read as Parquet (${reasonOf(error)}); get it again, or write metadata.csv`;
    throw new DataError(`${file}: ${what}`, { cause: error });
  }
}
