import { createHash, randomUUID } from "node:crypto";
import { open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { ConfigError } from "../../base/errors.js";
import { ageMs } from "../../base/files.js";
import { makeFolders } from "../../base/folders.js";
import { reasonOf } from "../../base/text.js";
import type { Image } from "../../model/preprocess/image.js";
import type { DataConfig } from "../config.js";

/** Raised whenever equal files give another entry than before: those of other versions are not found. */
const PIXELS_VERSION = 2; // 1 had another checksum
const SUFFIX = ".pixels";
/** No process takes so long to write an entry: what is older was left by one that was killed. */
const LEFTOVER_AGE_MS = 3_600_000;
/** Magic, rows, cols, checksum. */
const MAGIC = "LIQEPIX1";
const HEADER_BYTES = 24;

/** What decides the pixels of a file besides the file. */
type PixelOptions = Pick<DataConfig, "small" | "maxMegapixels">;

/** An image in memory that it alone is in. */
export interface FoundPixels extends Image {
  readonly pixels: Uint8Array<ArrayBuffer>;
}

/** Decoded and prepared pixels on disk. */
export interface DiskCache {
  /** Null where the file, as it is now, is not there, or its entry is damaged. The pixels are in memory taken of `room`. */
  find(file: string, room: BufferPool): Promise<FoundPixels | null>;
  /** Keeps the pixels if there is room. */
  keep(file: string, image: Image): Promise<void>;
}

/**
 * Opens a folder of decoded pixels, made where it is missing. An entry belongs to a file's path, size and time of change,
 * so that a changed file is decoded anew; entries appear whole, by renaming, and carry a checksum. Several processes may
 * share a folder. It fills up to `budgetBytes` and then stays as it is.
 *
 * @param note  told once when the folder cannot be written: then nothing is added, and what is there is still used
 * @throws {ConfigError} where the folder cannot be read
 */
export async function openDiskCache(
  folder: string,
  budgetBytes: number,
  options: PixelOptions,
  note: (line: string) => void,
): Promise<DiskCache> {
  let free = budgetBytes - (await bytesIn(folder));
  return {
    find: async (file, room) => {
      const key = await keyOf(file, options).catch(() => null); // whoever decodes the file says what is wrong with it
      if (key === null) return null;
      const bytes = await readWhole(entry(folder, key), room).catch(nullIfMissing(folder));
      return bytes === null ? null : unpackEntry(bytes);
    },
    keep: async (file, image) => {
      const size = HEADER_BYTES + image.pixels.length;
      if (size > free) return;
      free -= size;
      try {
        const to = entry(folder, await keyOf(file, options));
        const passing = path.join(folder, `.tmp-${randomUUID()}`);
        try {
          await makeFolders(folder);
          await writeFile(passing, [header(image), image.pixels]);
          await rename(passing, to);
        } finally {
          await rm(passing, { force: true });
        }
      } catch (error) {
        if (free < 0) return; // said already
        free = -1;
        note(`${folder}: no more pixels are kept (${reasonOf(error)}); training goes on without (data.pixelCacheDir)`);
      }
    },
  };
}

function entry(folder: string, key: string): string {
  return path.join(folder, `${key}${SUFFIX}`);
}

/** A name for the pixels of a file as it is now; files that were changed have another. */
async function keyOf(file: string, { small, maxMegapixels }: PixelOptions): Promise<string> {
  const { size, mtimeNs } = await stat(file, { bigint: true });
  const key = [PIXELS_VERSION, file, String(size), String(mtimeNs), small, maxMegapixels];
  return createHash("sha256").update(JSON.stringify(key)).digest("hex").slice(0, 40);
}

function header({ rows, cols, pixels }: Image): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(MAGIC, "latin1");
  bytes.writeUInt32LE(rows, 8);
  bytes.writeUInt32LE(cols, 12);
  bytes.writeUInt32LE(checksum(pixels), 16);
  return bytes;
}

/** A file's bytes; fewer where it becomes shorter meanwhile. */
async function readWhole(file: string, room: BufferPool): Promise<Uint8Array<ArrayBuffer>> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const bytes = room.take(size);
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

/** Null for what is no whole entry. */
function unpackEntry(bytes: Uint8Array<ArrayBuffer>): FoundPixels | null {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (head.length < HEADER_BYTES || head.toString("latin1", 0, 8) !== MAGIC) return null;
  const [rows, cols, sum] = [head.readUInt32LE(8), head.readUInt32LE(12), head.readUInt32LE(16)];
  const pixels = bytes.subarray(HEADER_BYTES);
  if (pixels.length !== rows * cols * 3 || checksum(pixels) !== sum) return null;
  return { rows, cols, pixels };
}

/** The prime that FNV-1a multiplies with, and where it begins. */
const PRIME = 0x01000193;
const BASIS = 0x811c9dc5;

/**
 * 32 bits over words of four bytes, each multiplied in as FNV-1a does with bytes: a flipped bit, a hole or swapped parts
 * show. Four sums take turns, since each word would else wait for the one before: 0.9 ms a megapixel, half of what one
 * sum takes.
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

/** Bytes of all entries; what a killed process has left is cleared away after an hour. */
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

/** For what may not be there; any other failure is the folder's. */
function nullIfMissing(folder: string): (error: unknown) => null {
  return (error) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw new ConfigError(
      `data.pixelCacheDir: ${folder} cannot be read (${reasonOf(error)}); name a folder of your own, or leave it out`,
      { cause: error },
    );
  };
}

/** Memory for what is read, worked on and done with, over and over. */
export interface BufferPool {
  /** So many bytes, of unknown content, the receiver's until they are given back. */
  take(bytes: number): Uint8Array<ArrayBuffer>;
  /** Anything inside of what was taken gives all of it back; nobody may look at it any more. */
  giveBack(taken: Uint8Array<ArrayBuffer>): void;
}

/** A piece is used for less than it has room for, but not for less than this share of it. */
const LEAST_USE = 0.5;

/**
 * Keeps pieces that were given back for whoever needs about as much next. Fresh memory costs more than what is read into
 * it: each of its pages is first made and cleared, and all of it counts towards the next collection of garbage.
 *
 * @param most  pieces kept; of more, the one that was given back first goes
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
