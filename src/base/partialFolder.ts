/**
 * Folders that appear under their name whole or not at all: made under a name of their own beside it, then renamed.
 *
 * That name says which process makes them, so that what a killed one left behind is found and swept by the next.
 */
import { randomUUID } from "node:crypto";
import { chmod, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ageMs } from "./fileAge.js";
import { makeFolders } from "./folders.js";
import { ownMark, stateOfMark } from "./processMark.js";

const PREFIX = ".partial";
/** Another machine may share this folder, and whether its process lives cannot be asked: it gets a day. */
const FOREIGN_LIFETIME_MS = 24 * 3600 * 1000;

/**
 * Makes `target` by running `fill` on an empty folder beside it and renaming that. Where another process was faster,
 * its folder stands and ours is thrown away.
 *
 * @throws what `fill` throws; the folder it was filling is gone then
 */
export async function makeFolder(target: string, fill: (partial: string) => Promise<void>): Promise<void> {
  await withPartial(dirname(target), async (partial) => {
    await fill(partial);
    await chmod(partial, 0o755); // a cache may be shared
    await rename(partial, target).catch((error: unknown) => {
      if (!isCode(error, "ENOTEMPTY", "EEXIST")) throw error;
    });
  });
}

/** Removes a folder, of which nobody sees a half: it is renamed first. */
export async function discardFolder(folder: string): Promise<void> {
  await withPartial(dirname(folder), (partial) => rename(folder, join(partial, "discarded")));
}

/** Lends `use` an empty folder inside `parent` that is gone afterwards, and sweeps those of dead processes. */
export async function withPartial<T>(parent: string, use: (partial: string) => Promise<T>): Promise<T> {
  await makeFolders(parent);
  await sweep(parent);
  const partial = join(parent, `${PREFIX}-${ownMark()}-${randomUUID().slice(0, 8)}`);
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
  const state = stateOfMark(mark);
  if (state !== "elsewhere") return state !== "dead";
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
  return ageMs(mtimeMs) < FOREIGN_LIFETIME_MS;
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
