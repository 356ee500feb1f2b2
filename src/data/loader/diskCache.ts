import { createHash, randomUUID } from "node:crypto";
import { open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { FILES_AT_ONCE } from "../../base/concurrency.js";
import { ConfigError } from "../../base/errors.js";
import { ageMs, isCode } from "../../base/files.js";
import { makeFolders } from "../../base/folders.js";
import { reasonOf } from "../../base/text.js";
import { type Image, WINDOW } from "../../model/preprocess/image.js";
import type { SizeRule } from "../../model/preprocess/resize.js";
import { fileOnDisk } from "../archives/archive.js";
import type { DataConfig } from "../config.js";

/** Raised whenever equal files give another entry than before; entries of other versions are not found. */
const PIXELS_VERSION = 2; // 1 had another checksum
const SUFFIX = ".pixels";
/** Age from which an unfinished entry was left by a killed process: none takes so long to write. */
const LEFTOVER_AGE_MS = 3_600_000;
/** An entry begins with magic, rows, cols and checksum. */
const MAGIC = "LIQEPIX1";
const HEADER_BYTES = 24;

interface DiskCacheOptions extends Pick<DataConfig, "small" | "maxMegapixels">, Pick<SizeRule, "window"> {
  /** Made where it is missing. */
  readonly folder: string;
  readonly budgetBytes: number;
}

interface DiskCache {
  /** Pixels of a file as it is now, borrowed until `release`; null where there is no entry or a damaged one. */
  find(file: string): Promise<Image | null>;
  /** Takes back the memory of an image that `find` gave; ignores any other image. */
  release(image: Image): void;
  keep(file: string, image: Image): Promise<void>;
}

/**
 * Opens a folder of decoded pixels. An entry belongs to a file's path, size and time of change, so that a changed file
 * is decoded anew; entries appear whole, by renaming, and carry a checksum. Several processes may share a folder. It
 * fills up to `budgetBytes` and then stays as it is. `find` and `keep` throw a ConfigError if it cannot be read.
 * @param note  told once when the folder cannot be written: nothing is added any more, and entries are still used
 */
export function openDiskCache(options: DiskCacheOptions, note: (line: string) => void): DiskCache {
  const { folder, budgetBytes } = options;
  const pool = createBufferPool(FILES_AT_ONCE);
  const lent = new WeakMap<Image, Uint8Array<ArrayBuffer>>();
  const counting = bytesIn(folder);
  counting.catch(() => undefined); // an error waits for the first image
  let added = 0;
  return {
    find: async (file) => {
      await counting;
      const entry = await entryOf(file, options).catch(() => null); // decoding the file says what is wrong with it
      if (entry === null) return null;
      const bytes = await readWhole(entry, pool).catch(nullIfMissing(folder));
      const found = bytes === null ? null : unpackEntry(bytes);
      if (bytes !== null && found !== null) lent.set(found, bytes);
      return found;
    },
    release: (image) => {
      const bytes = lent.get(image);
      if (bytes !== undefined) pool.giveBack(bytes);
      lent.delete(image);
    },
    keep: async (file, image) => {
      const size = HEADER_BYTES + image.pixels.length;
      if (size > budgetBytes - (await counting) - added) return;
      added += size;
      try {
        await writeEntry(await entryOf(file, options), image);
      } catch (error) {
        if (added === Infinity) return; // said already
        added = Infinity;
        note(`${folder}: no more pixels are kept (${reasonOf(error)}); training goes on without (data.pixelCacheDir)`);
      }
    },
  };
}

async function writeEntry(entry: string, image: Image): Promise<void> {
  const folder = path.dirname(entry);
  const passing = path.join(folder, `.tmp-${randomUUID()}`);
  try {
    await makeFolders(folder);
    await writeFile(passing, [header(image), image.pixels]);
    await rename(passing, entry);
  } finally {
    await rm(passing, { force: true });
  }
}

/** Path of the entry of a file as it is now. */
async function entryOf(
  file: string,
  { folder, small, maxMegapixels, window = WINDOW }: DiskCacheOptions,
): Promise<string> {
  const { size, mtimeNs } = await stat(fileOnDisk(file), { bigint: true });
  const key = [
    PIXELS_VERSION,
    file,
    String(size),
    String(mtimeNs),
    small,
    maxMegapixels,
    ...(window === WINDOW ? [] : [window]),
  ];
  const name = createHash("sha256").update(JSON.stringify(key)).digest("hex").slice(0, 40);
  return path.join(folder, `${name}${SUFFIX}`);
}

function header({ rows, cols, pixels }: Image): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(MAGIC, "latin1");
  bytes.writeUInt32LE(rows, 8);
  bytes.writeUInt32LE(cols, 12);
  bytes.writeUInt32LE(checksum(pixels), 16);
  return bytes;
}

/** Bytes of a file, in memory of the pool; fewer where it becomes shorter meanwhile. */
async function readWhole(file: string, pool: BufferPool): Promise<Uint8Array<ArrayBuffer>> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const bytes = pool.take(size);
    let end = 0;
    while (end < size) {
      const { bytesRead } = await handle.read(bytes, end, size - end, end);
      if (bytesRead === 0) break;
      end += bytesRead;
    }
    return bytes.subarray(0, end);
  } finally {
    await handle.close();
  }
}

/** Null where the bytes are no whole entry. */
function unpackEntry(bytes: Uint8Array<ArrayBuffer>): Image | null {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (head.length < HEADER_BYTES || head.toString("latin1", 0, 8) !== MAGIC) return null;
  const [rows, cols, sum] = [head.readUInt32LE(8), head.readUInt32LE(12), head.readUInt32LE(16)];
  const pixels = bytes.subarray(HEADER_BYTES);
  if (pixels.length !== rows * cols * 3 || checksum(pixels) !== sum) return null;
  return { rows, cols, pixels };
}

const PRIME = 0x01000193; // and offset basis, of FNV-1a
const BASIS = 0x811c9dc5;

/**
 * 32 bits over words of four bytes, each multiplied in as FNV-1a does with bytes: a flipped bit, a hole or swapped
 * parts show. Four sums take turns, since each word would else wait for the one before: half the time.
 */
function checksum(pixels: Uint8Array): number {
  const aligned = pixels.byteOffset % 4 === 0 ? pixels : pixels.slice();
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, Math.floor(pixels.length / 4));
  const inTurns = words.length - (words.length % 4);
  let [a, b, c, d] = [BASIS, BASIS + 1, BASIS + 2, BASIS + 3];
  for (let i = 0; i < inTurns; i += 4) {
    a = mixed(a, words[i] as number); // inside: four at a time
    b = mixed(b, words[i + 1] as number);
    c = mixed(c, words[i + 2] as number);
    d = mixed(d, words[i + 3] as number);
  }
  const rest = [...words.subarray(inTurns), ...pixels.subarray(4 * words.length)];
  return [a, b, c, d, ...rest].reduce(mixed, BASIS ^ pixels.length) >>> 0;
}

function mixed(sum: number, word: number): number {
  return Math.imul(sum ^ word, PRIME) ^ (sum >>> 15);
}

/** Bytes of all entries. Removes what a killed process left an hour ago. @throws {ConfigError} where it cannot be read */
async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder).catch(nullIfMissing(folder));
  let sum = 0;
  for (const name of names ?? []) {
    const found = await stat(path.join(folder, name)).catch(nullIfMissing(folder)); // others may be at work here
    if (found === null) continue;
    if (name.endsWith(SUFFIX)) sum += found.size;
    else if (name.startsWith(".tmp-") && ageMs(found.mtimeMs) > LEFTOVER_AGE_MS) {
      await rm(path.join(folder, name), { force: true });
    }
  }
  return sum;
}

/** Handler of errors: null where a file is missing, else a ConfigError about the folder. */
function nullIfMissing(folder: string): (error: unknown) => null {
  return (error) => {
    if (isCode(error, "ENOENT")) return null;
    const what = `${folder} cannot be read (${reasonOf(error)}); name a folder of your own, or leave it out`;
    throw new ConfigError(`data.pixelCacheDir: ${what}`, { cause: error });
  };
}

interface BufferPool {
  /** So many bytes, of unknown content, the receiver's until they are given back. */
  take(bytes: number): Uint8Array<ArrayBuffer>;
  /** Takes back the whole piece that `taken` is a part of; nobody may look at it any more. */
  giveBack(taken: Uint8Array<ArrayBuffer>): void;
}

/** Smallest share of a piece that is worth using it. */
const LEAST_USE = 0.5;

/**
 * Pool of pieces that were given back, for requests of about their size. Fresh memory costs more than reading into it.
 * @param most  pieces kept; of more, the one that was given back first is dropped
 */
export function createBufferPool(most: number): BufferPool {
  const free: ArrayBuffer[] = [];
  return {
    take: (bytes) => {
      const fits = ({ byteLength }: ArrayBuffer) => byteLength >= bytes && bytes >= LEAST_USE * byteLength;
      const found = free.findIndex(fits);
      const [piece = new ArrayBuffer(bytes)] = found < 0 ? [] : free.splice(found, 1);
      return new Uint8Array(piece, 0, bytes);
    },
    giveBack: ({ buffer }) => {
      free.push(buffer);
      if (free.length > most) free.shift();
    },
  };
}
