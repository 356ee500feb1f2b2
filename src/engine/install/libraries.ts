import { createWriteStream, existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { EngineError } from "../../base/errors.js";
import { createFolderAtomically, makeFolders, removeFolderAtomically } from "../../base/folders.js";
import { reasonOf } from "../../base/text.js";
import type { ReportProgress } from "../../base/types.js";
import { findDamage, writeFileList } from "./installed.js";
import { type FlavorParts, parseWheelName } from "./pins.js";
import { WheelStore } from "./wheels.js";

/**
 * Installs the libraries and headers of one flavor into the folder `target`: from the wheels `given`, and for the rest
 * from the Python index. A whole folder is left as it is. Two installations at once do the work twice, and one stays.
 * @throws {EngineError} where there is no room for it, or a wheel is not available or is not the pinned one
 */
export async function provideFolder(
  target: string,
  { wheels, unpackedBytes }: FlavorParts,
  { given, report }: { readonly given: readonly string[]; readonly report: ReportProgress },
): Promise<void> {
  const store = new WheelStore(wheels, given, report);
  if (existsSync(target)) {
    if (findDamage(target) === null) return;
    await removeFolderAtomically(target);
  }
  await checkRoom(dirname(target), unpackedBytes + store.missingBytes);
  const unpackAll = async (staged: string) => {
    for (const pin of wheels) await store.use(pin, (wheel) => unpackWheel(wheel, staged, report));
    await writeFileList(staged, wheels);
  };
  await createFolderAtomically(target, unpackAll, { isShared: true });
  await store.clear();
}

async function checkRoom(folder: string, bytes: number): Promise<void> {
  await makeFolders(folder);
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes) return;
  const inGB = (size: number) => (size / 1e9).toFixed(1);
  throw new EngineError(
    `engine install: ${folder} has ${inGB(bavail * bsize)} GB free, and up to ${inGB(bytes)} GB are needed; ` +
      "make room, or point XDG_CACHE_HOME at another disk",
  );
}

/** Paths in a wheel that are unpacked. */
const WANTED = [
  /^tensorflow\/libtensorflow_(cc|framework)\.so\.2$/,
  // The folders of the headers that the C API and the binding read; all of them would be 4,500 files.
  /^tensorflow\/include\/(tensorflow\/(c|core\/platform)|xla\/tsl\/c|tsl\/platform)\/.*\.h$/,
  // What runs of NVIDIA's wheels: libraries, and ptxas and libdevice for code compiled at run time.
  /^nvidia\/\w+\/(lib|bin|nvvm)\/.*$/,
];

export function isWanted(path: string): boolean {
  return WANTED.some((pattern) => pattern.test(path));
}

/** Unpacks the wanted files of a wheel, a zip file, into `folder`. @throws {EngineError} where there are none */
async function unpackWheel(wheel: string, folder: string, report: ReportProgress): Promise<void> {
  const zip = await openPromise(wheel, { autoClose: false }).catch((error: unknown) => {
    throw damaged(wheel, error);
  });
  try {
    const entries = await listWanted(zip, wheel);
    const total = entries.reduce((sum, entry) => sum + entry.uncompressedSize, 0);
    const label = `unpack ${parseWheelName(basename(wheel)).project}`;
    let done = 0;
    const count = (bytes: number) => {
      done += bytes;
      report({ label, done, total, unit: "bytes" });
    };
    for (const entry of entries) await extract(zip, entry, { folder, count });
  } finally {
    zip.close();
  }
}

/** Entries to unpack. yauzl refuses names that would leave the folder: absolute ones, and any with `..` in them. */
async function listWanted(zip: ZipFile, wheel: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  try {
    for await (const entry of zip.eachEntry()) {
      if (!entry.fileName.endsWith("/") && isWanted(entry.fileName)) entries.push(entry);
    }
  } catch (error) {
    throw damaged(wheel, error);
  }
  if (entries.length === 0)
    throw new EngineError(`${wheel}: holds no library of TensorFlow or CUDA; is it the right wheel?`);
  return entries;
}

/** Bytes from which on a file is flushed to the disk; smaller ones are headers, thousands of them. */
const FLUSHED_BYTES = 1 << 20;

async function extract(zip: ZipFile, entry: Entry, to: { folder: string; count: (bytes: number) => void }) {
  const path = join(to.folder, entry.fileName);
  await makeFolders(dirname(path));
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      to.count(chunk.length);
      done(null, chunk);
    },
  });
  const mode = (entry.externalFileAttributes >>> 16) & 0o777 || 0o644; // the Unix half; ptxas has to stay executable
  const flush = entry.uncompressedSize >= FLUSHED_BYTES; // before the rename that makes it count
  await pipeline(await zip.openReadStreamPromise(entry), counter, createWriteStream(path, { mode, flush }));
}

function damaged(wheel: string, error: unknown): EngineError {
  return new EngineError(`${wheel}: cannot be read as a wheel (${reasonOf(error)}); download it again`);
}
