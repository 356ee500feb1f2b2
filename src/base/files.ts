import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open, rename, rm } from "node:fs/promises";
import path from "node:path";

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

/**
 * Writes a new file and waits until the disk has it. A rename after this, and `syncFolder` after the rename, survive
 * a crash of the machine: either the old name or the new one is there, whole.
 *
 * @throws the file system's own error (no space, not writable); the half-written file is the caller's to remove
 */
export async function writeDurable(file: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const handle = await open(file, "w");
  try {
    await write(handle);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the folder's entries (new names, renames, removals) durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** SHA-256 of a file, hexadecimal, read in pieces. */
export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(file)) hash.update(piece as Buffer); // no encoding was set
  return hash.digest("hex");
}

/**
 * How long ago a file was changed, in milliseconds; below 0 where its machine's clock is ahead. Libraries read the clock
 * here alone: who asks wants to know whether another process is still at work, and the only trace of that is a file's
 * time, which is the wall clock's.
 */
export function ageMs(mtimeMs: number): number {
  return Date.now() - mtimeMs;
}

/** The system's words for "no space left on the device", "over the quota" and "larger than a file may be". */
const NO_SPACE: readonly unknown[] = ["ENOSPC", "EDQUOT", "EFBIG"];

/** Whether a caught error of the file system says that there is no room for what was to be written. */
export function isNoSpace(error: unknown): error is Error {
  return error instanceof Error && "code" in error && NO_SPACE.includes(error.code);
}
