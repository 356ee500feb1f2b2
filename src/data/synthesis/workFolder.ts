import { mkdir, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";

/**
 * Fills a folder beside `target` and gives it that name when all of it is there; when `fill` fails, it is removed.
 *
 * The folder's name carries this process's number, so that the leftovers of a killed one are known and cleared away.
 */
export async function fillWhole(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const parent = path.dirname(target);
  const prefix = `.${path.basename(target)}.partial-`;
  await mkdir(parent, { recursive: true });
  await removeLeftovers(parent, prefix);
  const folder = path.join(parent, `${prefix}${process.pid}`);
  await mkdir(folder);
  try {
    await fill(folder);
    await rename(folder, target); // replaces an empty folder, refuses one that is not
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function removeLeftovers(parent: string, prefix: string): Promise<void> {
  for (const entry of await readdir(parent)) {
    if (!entry.startsWith(prefix)) continue;
    const owner = Number(entry.slice(prefix.length));
    if (Number.isSafeInteger(owner) && owner > 0 && !isRunning(owner)) {
      await rm(path.join(parent, entry), { recursive: true, force: true });
    }
  }
}

function isRunning(processId: number): boolean {
  if (processId === process.pid) return false; // ours has not begun: an earlier process with our number
  try {
    process.kill(processId, 0); // sends nothing, only asks
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"; // somebody else's
  }
}
