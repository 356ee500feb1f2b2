import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";

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
