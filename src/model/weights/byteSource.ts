import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { CheckpointError } from "../../base/errors.js";

/** Something to read bytes from at any place: a file, or an array in a test or a browser. */
export interface ByteSource {
  readonly size: number;
  /** Exactly `length` bytes in memory of their own, given to the caller. */
  readonly read: (offset: number, length: number) => Promise<Uint8Array<ArrayBuffer>>;
  readonly close: () => Promise<void>;
}

/** One system call reads at most 2 GiB; pieces keep the event loop awake. */
const PIECE = 64 * 2 ** 20;

/**
 * Opens a file for positioned reads; nothing is read yet.
 *
 * @throws {CheckpointError} when there is no such file, it is a folder or may not be read
 */
export async function openFile(path: string): Promise<ByteSource> {
  const handle = await open(path, "r").catch((error: unknown) =>
    rejectFile(path, `cannot be opened, ${reason(error)}`),
  );
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) rejectFile(path, "is not a file; give a .safetensors or .pt file");
    const read = (offset: number, length: number) => readExactly(handle, path, offset, length);
    return { size: stats.size, read, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readExactly(handle: FileHandle, path: string, offset: number, length: number) {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(PIECE, length - done), offset + done);
    if (bytesRead === 0)
      rejectFile(path, `ends at byte ${offset + done}, while it is read; is it still being written?`);
    done += bytesRead;
  }
  return bytes;
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "there is no such file; is the path right?";
  if (code === "EACCES") return "permission denied; may you read it?";
  return error.message;
}

/** Ends the reading of a weight file: `where` is the file, `what` says what is wrong with it and what to do. */
export function rejectFile(where: string, what: string): never {
  throw new CheckpointError(`${where}: ${what}`);
}

/** A text from a file as it may stand in a message: quoted, without control characters, not long. */
export function quoted(text: string): string {
  const LONGEST = 80;
  return JSON.stringify(text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text);
}
