import { randomUUID } from "node:crypto";
import { access, chmod, constants, mkdir, readFile, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { ConfigError } from "./errors.js";
import { ageMs, isCode, syncFolder, writeFileAtomic } from "./files.js";
import { processState, processToken } from "./processes.js";

/**
 * Makes a folder and its missing parents, one after the other: Node's own recursive `mkdir` never ends where a file
 * system takes no folders and says ENOENT, as /proc does.
 * @returns true where this call made the folder
 * @throws {ConfigError} where there can be no folder of that name; else the file system's own error
 */
export async function makeFolders(folder: string): Promise<boolean> {
  if (await isFolder(folder)) return false;
  const parent = path.dirname(path.resolve(folder));
  await makeFolders(parent);
  try {
    await mkdir(folder);
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) {
      if (await isFolder(folder)) return false; // another process was faster
      throw new ConfigError(`${folder}: is there and is no folder; give another name`, { cause: error });
    }
    if (!isCode(error, "ENOENT")) throw error;
    throw new ConfigError(`${folder}: no folder can be made in ${parent}; give another place`, { cause: error });
  }
}

/**
 * Looks whether a folder can be there and be written to, and makes nothing: for places that are written to in the end.
 * @throws {ConfigError} where something else stands in its place; else the file system's own error
 */
export async function requireFolderPlace(folder: string): Promise<void> {
  for (let place = path.resolve(folder); ; place = path.dirname(place)) {
    const found = await stat(place).catch(() => null);
    if (found === null && place !== path.dirname(place)) continue;
    if (found?.isDirectory() === false) throw new ConfigError(`${place}: is there and is no folder; give another name`);
    return access(place, constants.W_OK);
  }
}

/** As `requireFolderPlace`, of a file. @throws {ConfigError} also where a folder has its name */
export async function requireFilePlace(file: string): Promise<void> {
  if (await isFolder(file)) throw new ConfigError(`${file}: is a folder; name a file`);
  await requireFolderPlace(path.dirname(file));
}

/** Writes a file that a user named as a whole, and makes its folder. @throws {ConfigError} as `requireFilePlace` */
export async function writeNamedFile(file: string, contents: string | Uint8Array): Promise<void> {
  await requireFilePlace(file);
  await makeFolders(path.dirname(file));
  await writeFileAtomic(file, contents);
}

/** Files in a folder and the folders below, as sorted paths from it, with `/` between their parts. */
export async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }); // with its types, Node 20.11 does not say of which folder
  const kinds = await Promise.all(names.map((name) => stat(path.join(folder, name))));
  return names
    .filter((_, i) => kinds[i]?.isFile() ?? false)
    .map((name) => name.split(path.sep).join("/"))
    .sort();
}

/** False where it cannot be looked at: making it then says what is wrong. */
async function isFolder(folder: string): Promise<boolean> {
  const found = await stat(folder).catch(() => null);
  return found?.isDirectory() ?? false;
}

/**
 * Creates `target` by running `fill` on an empty folder beside it and renaming that: `target` appears whole or not at
 * all. A folder that is empty is replaced, any other is refused. One on which a file system is mounted, as a container's
 * volume, cannot be replaced: there `fill`'s folder is inside it, and what it holds is moved up, one after the other.
 * @param isShared  `target` belongs to a cache: readable for all, and where another process created it meanwhile,
 *                  that one stays
 * @throws what `fill` throws; the folder that it was filling is removed then
 */
export async function createFolderAtomically(
  target: string,
  fill: (staged: string) => Promise<void>,
  { isShared = false } = {},
): Promise<void> {
  const isMounted = await isMountPoint(target);
  await withStagingFolder(isMounted ? target : path.dirname(target), async (staged) => {
    await fill(staged);
    if (isMounted) {
      for (const name of await readdir(staged)) await rename(path.join(staged, name), path.join(target, name));
      return;
    }
    if (isShared) await chmod(staged, 0o755);
    await rename(staged, target).catch((error: unknown) => {
      if (!isShared || !isCode(error, "ENOTEMPTY", "EEXIST")) throw error;
    });
  });
}

/** True where a file system is mounted on the folder, also where it is a part of the one around it. */
async function isMountPoint(folder: string): Promise<boolean> {
  const place = await realpath(folder).catch(() => null);
  if (place === null) return false;
  if ((await stat(place)).dev !== (await stat(path.dirname(place))).dev) return true;
  const mounts = await readFile("/proc/self/mountinfo", "utf8").catch(() => ""); // Linux alone has it
  const plain = (text: string) =>
    text.replace(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8)));
  return mounts.split("\n").some((line) => plain(line.split(" ")[4] ?? "") === place);
}

/** Removes a folder, which disappears at once: it is renamed first. */
export async function removeFolderAtomically(folder: string): Promise<void> {
  await withStagingFolder(path.dirname(folder), (staged) => rename(folder, path.join(staged, "discarded")));
}

/** Beginning of a staging folder's name; its process's token and a random end follow. */
const PREFIX = ".partial-";

/** Age up to which another machine's staging folder is kept: its process cannot be asked. */
const FOREIGN_LIFETIME_MS = 24 * 3600 * 1000;

/** Lends `use` an empty folder inside `parent`, removed afterwards; removes those of dead processes too. */
export async function withStagingFolder<T>(parent: string, use: (staged: string) => Promise<T>): Promise<T> {
  await makeFolders(parent);
  await removeAbandoned(parent);
  const staged = path.join(parent, `${PREFIX}${processToken()}-${randomUUID().slice(0, 8)}`);
  await mkdir(staged);
  try {
    return await use(staged);
  } finally {
    await rm(staged, { recursive: true, force: true });
  }
}

async function removeAbandoned(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const folder = path.join(parent, name);
    if (!name.startsWith(PREFIX) || (await isInUse(folder))) continue;
    // A killed process's child may still write into it; the next call removes it then.
    await rm(folder, { recursive: true, force: true, maxRetries: 2 }).catch(() => undefined);
  }
}

async function isInUse(folder: string): Promise<boolean> {
  const token = path
    .basename(folder)
    .slice(PREFIX.length)
    .replace(/-[^-]*$/, ""); // without the random end
  const state = processState(token);
  if (state !== "elsewhere") return state !== "dead";
  const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: 0 }));
  return ageMs(mtimeMs) < FOREIGN_LIFETIME_MS;
}

/** Beginning of a temporary folder's name in a run or an export; readers ignore these. */
export const STAGING_PREFIX = ".tmp-";

/** Beginning of the name of a folder being replaced: between two renames it is the only whole one. */
export const ASIDE_PREFIX = `${STAGING_PREFIX}was-`;

/** Renames a whole folder to a name that may be taken, on one file system: at every instant one of the two is there. */
export async function replaceFolder(from: string, to: string): Promise<void> {
  const aside = path.join(path.dirname(to), `${ASIDE_PREFIX}${path.basename(to)}-${randomUUID()}`);
  const isTaken = (await stat(to).catch(() => null)) !== null;
  if (isTaken) await rename(to, aside);
  await rename(from, to);
  await syncFolder(path.dirname(to));
  if (isTaken) await rm(aside, { recursive: true, force: true });
}
