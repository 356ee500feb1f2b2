import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import path from "node:path";

/** Everything that a file is to hold, or a function that writes it into the open file. */
type Contents = string | Uint8Array | ((handle: FileHandle) => Promise<void>);

/**
 * Replaces a file as a whole, so that a reader never sees a part: writes a file beside it, waits for the disk, renames.
 * @throws the file system's own error; the old file is untouched then, and the temporary one removed
 */
export async function writeFileAtomic(file: string, contents: Contents): Promise<void> {
  const staged = path.join(path.dirname(file), `.tmp-${path.basename(file)}-${randomUUID()}`);
  try {
    await writeDurable(staged, contents);
    await rename(staged, file);
  } catch (error) {
    await rm(staged, { force: true }).catch(() => undefined); // the first error counts
    throw error;
  }
  await syncFolder(path.dirname(file));
}

/** Text with the names that files get in the end, where it has those under which `writeFileAtomic` was writing them. */
export function withFinalNames(text: string): string {
  return text.replaceAll(/\.tmp-([^/\\]+?)-[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/g, "$1");
}

/**
 * Writes a new file and waits until the disk has it. A rename after this, and `syncFolder` after the rename, survive
 * a crash of the machine: either the old name or the new one is there, whole.
 * @throws the file system's own error (no space, not writable); the caller removes the half-written file
 */
export async function writeDurable(file: string, contents: Contents): Promise<void> {
  const handle = await open(file, "w");
  try {
    await (typeof contents === "function" ? contents(handle) : handle.writeFile(contents));
    await handle.sync();
  } catch (error) {
    throw placed(error, file);
  } finally {
    await handle.close();
  }
}

/** The system's error about an open file, which does not say of itself which one. */
function placed(error: unknown, file: string): unknown {
  if (!(error instanceof Error && "code" in error) || "path" in error) return error;
  return Object.assign(error, { path: file, message: `${error.message} '${file}'` });
}

/** Receiver of bytes in their order: an open file, or one that also hashes them. */
export interface ByteSink {
  writeFile(bytes: Uint8Array): Promise<void>;
}

/** Size and SHA-256 (hexadecimal) of a file. */
interface FileSum {
  readonly bytes: number;
  readonly sha256: string;
}

/** As `writeDurable`; the sum is formed of the bytes on their way to the file, which is not read again. */
export async function writeSummed(
  file: string,
  contents: string | ((sink: ByteSink) => Promise<void>),
): Promise<FileSum> {
  const hash = createHash("sha256");
  let bytes = 0;
  await writeDurable(file, async (handle) => {
    const sink: ByteSink = {
      writeFile: async (piece) => {
        await handle.writeFile(piece); // on a handle, writeFile continues where the last one ended
        hash.update(piece);
        bytes += piece.length;
      },
    };
    await (typeof contents === "string" ? sink.writeFile(new TextEncoder().encode(contents)) : contents(sink));
  });
  return { bytes, sha256: hash.digest("hex") };
}

/** Makes a folder's entries (new names, renames, removals) durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** SHA-256 of a file, hexadecimal, read in pieces. @param onBytes  told the length of each piece */
export async function sha256OfFile(file: string, onBytes?: (bytes: number) => void): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    const piece = chunk as Buffer; // no encoding was set
    hash.update(piece);
    onBytes?.(piece.length);
  }
  return hash.digest("hex");
}

/** Milliseconds since a file was changed, below 0 where its machine's clock is ahead; libraries read no other clock. */
export function ageMs(mtimeMs: number): number {
  return Date.now() - mtimeMs;
}

/** True where a caught error is the system's and has one of these codes, such as "ENOENT". */
export function isCode(error: unknown, ...codes: readonly string[]): error is Error {
  return error instanceof Error && "code" in error && codes.some((code) => code === error.code);
}

/** True where a caught error says that there is no such file. */
export function isMissing(error: unknown): boolean {
  return isCode(error, "ENOENT", "ENOTDIR");
}

/** True where a caught error says that there is no room: disk full, quota used up, or file size limit reached. */
export function isNoSpace(error: unknown): error is Error {
  return isCode(error, "ENOSPC", "EDQUOT", "EFBIG");
}

/** True where a caught error says that a disk or a network's folder fails, or was made read-only as one that fails is. */
export function isDiskFailure(error: unknown): error is Error {
  return isCode(error, "EIO", "EROFS", "ESTALE", "ENXIO", "ENODEV", "EREMOTEIO", "ENOTCONN");
}
