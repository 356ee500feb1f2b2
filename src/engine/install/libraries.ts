/** Brings the libraries and headers of one flavour into the cache. */
import { existsSync } from "node:fs";
import { mkdir, statfs } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { EngineError } from "../../base/errors.js";
import { removeFolderAtomically, createFolderAtomically } from "../../base/folders.js";
import type { ReportProgress } from "../../base/types.js";
import type { CachedFlavor } from "./cache.js";
import { flavorFolder } from "./cache.js";
import { findDamage, writeFileList } from "./installed.js";
import { NVIDIA_WHEELS, TENSORFLOW_WHEELS, type WheelPin } from "./pins.js";
import { unpackWheel } from "./unpack.js";
import { dropWheels, rejectUnknownWheels, withWheel } from "./wheels.js";

/**
 * Makes the folder of `flavor` whole, from the `given` wheels and for the rest from the Python index; where it is
 * whole, nothing is done. Two installations at once do the work twice, and one of them stands.
 *
 * @throws {EngineError} where there is no room for it, or a wheel cannot be had or is not the pinned one
 */
export async function installLibraries(
  flavor: CachedFlavor,
  given: readonly string[],
  report: ReportProgress,
): Promise<void> {
  await provideFolder(flavorFolder(flavor), FLAVORS[flavor], given, report);
}

/** `installLibraries` with its folder and parts given. */
export async function provideFolder(
  target: string,
  { wheels, unpackedBytes }: FlavorParts,
  given: readonly string[],
  report: ReportProgress,
): Promise<void> {
  rejectUnknownWheels(given, wheels);
  if (existsSync(target)) {
    if (findDamage(target) === null) return;
    await removeFolderAtomically(target);
  }
  const missing = wheels.filter(({ file }) => given.every((path) => basename(path) !== file));
  await checkRoom(dirname(target), unpackedBytes + missing.reduce((sum, { bytes }) => sum + bytes, 0));
  await createFolderAtomically(target, async (partial) => {
    for (const pin of wheels) {
      await withWheel(pin, given, report, (wheel) => unpackWheel(wheel, partial, isWanted, report));
    }
    await writeFileList(partial, wheels);
  });
  await dropWheels(wheels);
}

async function checkRoom(folder: string, bytes: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes) return;
  const inGB = (size: number) => (size / 1e9).toFixed(1);
  throw new EngineError(
    `engine install: ${folder} has ${inGB(bavail * bsize)} GB free, and up to ${inGB(bytes)} GB are needed; ` +
      "make room, or point XDG_CACHE_HOME at another disk",
  );
}

export interface FlavorParts {
  readonly wheels: readonly WheelPin[];
  /** What `isWanted` of them takes on the disk. */
  readonly unpackedBytes: number;
}

export const FLAVORS: Readonly<Record<CachedFlavor, FlavorParts>> = {
  cpu: { wheels: [TENSORFLOW_WHEELS.cpu], unpackedBytes: 0.9e9 },
  gpu: { wheels: [TENSORFLOW_WHEELS.gpu, ...NVIDIA_WHEELS], unpackedBytes: 6.5e9 },
  "gpu-system": { wheels: [TENSORFLOW_WHEELS.gpu], unpackedBytes: 1.7e9 },
};

const WANTED = [
  /^tensorflow\/libtensorflow_(cc|framework)\.so\.2$/,
  // The folders of the headers that the C API and the binding read; all of them would be 4,500 files.
  /^tensorflow\/include\/(tensorflow\/(c|core\/platform)|xla\/tsl\/c|tsl\/platform)\/.*\.h$/,
  // Of NVIDIA's wheels what runs: libraries, and for code compiled on the spot ptxas and libdevice.
  /^nvidia\/\w+\/(lib|bin|nvvm)\/.*$/,
];

/** Whether a file of a wheel, by its path in there, is unpacked. */
export function isWanted(path: string): boolean {
  return WANTED.some((pattern) => pattern.test(path));
}
