import { randomUUID } from "node:crypto";
import { rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { syncFolder } from "./durable.js";

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
