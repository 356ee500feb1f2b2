import { randomUUID } from "node:crypto";
import { rename, rm } from "node:fs/promises";
import path from "node:path";
import { syncFolder, writeDurable } from "./durable.js";

/**
 * Writes a whole file under a passing name, waits for the disk, then renames it into place: a reader meets the old
 * contents or the new ones, never a part.
 *
 * @throws the file system's own error; what was there before is untouched, and the passing file is gone
 */
export async function writeFileAtomic(file: string, contents: string | Uint8Array): Promise<void> {
  const passing = path.join(path.dirname(file), `.tmp-${path.basename(file)}-${randomUUID()}`);
  try {
    await writeDurable(passing, (handle) => handle.writeFile(contents));
    await rename(passing, file);
  } catch (error) {
    await rm(passing, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(file));
}
