/** Takes files out of a wheel, which is a zip file, streaming: one file may be 800 MB. */
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { EngineError } from "../../base/errors.js";
import type { ReportProgress } from "../../base/types.js";
import { parseWheelName } from "./pins.js";

/** Smaller files are not waited for until they are on the disk: they are headers, thousands of them. */
const FLUSHED_BYTES = 1 << 20;

/**
 * Unpacks the entries that `wanted` accepts into `folder`, under the paths they have in the wheel.
 *
 * @throws {EngineError} where the file is no zip file, is damaged, or holds nothing that is wanted
 */
export async function unpackWheel(
  wheel: string,
  folder: string,
  wanted: (path: string) => boolean,
  report: ReportProgress,
): Promise<void> {
  const zip = await openPromise(wheel, { autoClose: false }).catch((error: unknown) => {
    throw damaged(wheel, error);
  });
  try {
    const entries = await list(zip, wheel, wanted);
    const total = entries.reduce((sum, entry) => sum + entry.uncompressedSize, 0);
    const label = `unpack ${parseWheelName(basename(wheel)).project}`;
    let done = 0;
    for (const entry of entries) {
      await extract(zip, entry, folder, (bytes) => {
        done += bytes;
        report({ label, done, total, unit: "bytes" });
      });
    }
  } finally {
    zip.close();
  }
}

/** yauzl refuses names that would leave the folder: absolute ones, and any with `..` in them. */
async function list(zip: ZipFile, wheel: string, wanted: (path: string) => boolean): Promise<Entry[]> {
  const entries: Entry[] = [];
  try {
    for await (const entry of zip.eachEntry()) {
      if (!entry.fileName.endsWith("/") && wanted(entry.fileName)) entries.push(entry);
    }
  } catch (error) {
    throw damaged(wheel, error);
  }
  if (entries.length === 0)
    throw new EngineError(`${wheel}: holds no library of TensorFlow or CUDA; is it the right wheel?`);
  return entries;
}

async function extract(zip: ZipFile, entry: Entry, folder: string, count: (bytes: number) => void): Promise<void> {
  const path = join(folder, entry.fileName);
  await mkdir(dirname(path), { recursive: true });
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      count(chunk.length);
      done(null, chunk);
    },
  });
  const mode = (entry.externalFileAttributes >>> 16) & 0o777 || 0o644; // the Unix half; ptxas has to stay executable
  const flush = entry.uncompressedSize >= FLUSHED_BYTES; // before the rename that makes it count
  await pipeline(await zip.openReadStreamPromise(entry), counter, createWriteStream(path, { mode, flush }));
}

function damaged(wheel: string, error: unknown): EngineError {
  const reason = error instanceof Error ? error.message : String(error);
  return new EngineError(`${wheel}: cannot be read as a wheel (${reason}); download it again`);
}
