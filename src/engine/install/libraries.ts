/** Brings the libraries and headers of one flavour into the cache. */
import { existsSync } from "node:fs";
import { mkdir, statfs } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { EngineError } from "../../base/errors.js";
import { discardFolder, makeFolder } from "../../base/folders.js";
import type { ReportProgress } from "../../base/types.js";
import { type CachedFlavor, flavorFolder } from "./cache.js";
import { findDamage, writeContents } from "./contents.js";
import { type FlavorParts, FLAVORS, isWanted } from "./flavors.js";
import { unpackWheel } from "./unpack.js";
import { dropWheels, refuseStrangers, withWheel } from "./wheels.js";

/**
 * Makes the folder of `flavor` whole, from the `given` wheels and for the rest from the Python index; where it is
 * whole, nothing is done. Two installations at once do the work twice, and one of them stands.
 *
 * @throws {EngineError} where there is no room for it, or a wheel cannot be had or is not the pinned one
 */
export async function provideLibraries(
  flavor: CachedFlavor,
  given: readonly string[],
  report: ReportProgress,
): Promise<void> {
  await provideFolder(flavorFolder(flavor), FLAVORS[flavor], given, report);
}

/** `provideLibraries` with its folder and parts given. */
export async function provideFolder(
  target: string,
  { wheels, unpackedBytes }: FlavorParts,
  given: readonly string[],
  report: ReportProgress,
): Promise<void> {
  refuseStrangers(given, wheels);
  if (existsSync(target)) {
    if (findDamage(target) === null) return;
    await discardFolder(target);
  }
  const missing = wheels.filter(({ file }) => given.every((path) => basename(path) !== file));
  await checkRoom(dirname(target), unpackedBytes + missing.reduce((sum, { bytes }) => sum + bytes, 0));
  await makeFolder(target, async (partial) => {
    for (const pin of wheels) {
      await withWheel(pin, given, report, (wheel) => unpackWheel(wheel, partial, isWanted, report));
    }
    await writeContents(partial, wheels);
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
