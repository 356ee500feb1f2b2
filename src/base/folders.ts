import { randomUUID } from "node:crypto";
import { chmod, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { dirname, join } from "node:path";
import { ConfigError } from "./errors.js";
import { ageMs, syncFolder } from "./files.js";
import { processToken, processState } from "./lock.js";

/**
 * Makes a folder, and those above it that are missing, one after the other: Node's own recursive `mkdir` tries for ever
 * where a file system takes no folders and says ENOENT, as /proc does.
 *
 * @returns whether it was made here
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
      if (await isFolder(folder)) return false; // somebody was faster
      throw new ConfigError(`${folder}: is there and is no folder; give another name`, { cause: error });
    }
    if (!isCode(error, "ENOENT")) throw error;
    throw new ConfigError(`${folder}: no folder can be made in ${parent}; give another place`, { cause: error });
  }
}

async function isFolder(folder: string): Promise<boolean> {
  return stat(folder).then(
    (found) => found.isDirectory(),
    () => false, // making it says what is wrong
  );
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

const PREFIX = ".partial";
/** Another machine may share this folder, and whether its process lives cannot be asked: it gets a day. */
const FOREIGN_LIFETIME_MS = 24 * 3600 * 1000;

/**
 * Makes `target` by running `fill` on an empty folder beside it and renaming that. Where another process was faster,
 * its folder stands and ours is thrown away.
 *
 * @throws what `fill` throws; the folder it was filling is gone then
 */
export async function createFolderAtomically(target: string, fill: (partial: string) => Promise<void>): Promise<void> {
  await withStagingFolder(dirname(target), async (partial) => {
    await fill(partial);
    await chmod(partial, 0o755); // a cache may be shared
    await rename(partial, target).catch((error: unknown) => {
      if (!isCode(error, "ENOTEMPTY", "EEXIST")) throw error;
    });
  });
}

/** Removes a folder, of which nobody sees a half: it is renamed first. */
export async function removeFolderAtomically(folder: string): Promise<void> {
  await withStagingFolder(dirname(folder), (partial) => rename(folder, join(partial, "discarded")));
}

/** Lends `use` an empty folder inside `parent` that is gone afterwards, and sweeps those of dead processes. */
export async function withStagingFolder<T>(parent: string, use: (partial: string) => Promise<T>): Promise<T> {
  await makeFolders(parent);
  await sweep(parent);
  const partial = join(parent, `${PREFIX}-${processToken()}-${randomUUID().slice(0, 8)}`);
  await mkdir(partial);
  try {
    return await use(partial);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Removes what processes that are no more have left in `parent`. */
async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(`${PREFIX}-`) || (await isInUse(join(parent, name), name))) continue;
    // What a child of a killed process still writes into may resist; the next sweep gets it.
    await rm(join(parent, name), { recursive: true, force: true, maxRetries: 2 }).catch(() => undefined);
  }
}

async function isInUse(path: string, name: string): Promise<boolean> {
  const mark = name.slice(PREFIX.length + 1).replace(/-[^-]*$/, ""); // without the random end
  const state = processState(mark);
  if (state !== "elsewhere") return state !== "dead";
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
  return ageMs(mtimeMs) < FOREIGN_LIFETIME_MS;
}

/** What is being written, or is about to go, has a name that begins so: no reader takes it for something whole. */
export const STAGING_PREFIX = ".tmp-";

/** Of a folder that makes way for a new one of its name: between two renames it is the only one. */
export const ASIDE_PREFIX = `${STAGING_PREFIX}was-`;

/**
 * Gives a folder that is whole its name, on the same file system; the one that had it is put aside and removed after that. At
 * every instant one of the two is there.
 *
 * @throws the file system's own error
 */
export async function replaceFolder(from: string, to: string): Promise<void> {
  const aside = path.join(path.dirname(to), `${ASIDE_PREFIX}${path.basename(to)}-${randomUUID()}`);
  const isThere = await exists(to);
  if (isThere) await rename(to, aside);
  await rename(from, to);
  await syncFolder(path.dirname(to));
  if (isThere) await rm(aside, { recursive: true, force: true });
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/**
 * Fills a folder beside `target` and gives it that name when all of it is there; when `fill` fails, it is removed, and
 * when the process is killed, the next one that makes a folder there does it.
 */
export async function fillWhole(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  await withStagingFolder(path.dirname(target), async (folder) => {
    await fill(folder);
    await rename(folder, target); // replaces an empty folder, refuses one that is not
  });
}
