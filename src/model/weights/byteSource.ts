import { open } from "node:fs/promises";
import { CheckpointError } from "../../base/errors.js";
import { isCode } from "../../base/files.js";

/** Bytes to read at any position: of a file, or of an array in a test. */
export interface ByteSource {
  readonly size: number;
  /** Reads exactly `length` bytes into memory of their own, given to the caller. */
  readonly read: (offset: number, length: number) => Promise<Uint8Array<ArrayBuffer>>;
  readonly close: () => Promise<void>;
}

/** Bytes of one read: a system call reads at most 2 GiB, and pieces keep the event loop responsive. */
const PIECE = 64 * 2 ** 20;

/** Opens a file for positioned reads. @throws {CheckpointError} when it is not there, a folder or not readable */
export async function openFile(path: string): Promise<ByteSource> {
  const handle = await open(path, "r").catch((error: unknown) =>
    rejectFile(path, `cannot be opened, ${adviceFor(error)}`),
  );
  const read = async (offset: number, length: number) => {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const { bytesRead } = await handle.read(bytes, done, Math.min(PIECE, length - done), offset + done);
      if (bytesRead === 0)
        rejectFile(path, `ends at byte ${offset + done}, while it is read; is it still being written?`);
      done += bytesRead;
    }
    return bytes;
  };
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) rejectFile(path, "is not a file; give a .safetensors or .pt file");
    return { size: stats.size, read, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function adviceFor(error: unknown): string {
  if (isCode(error, "ENOENT")) return "there is no such file; is the path right?";
  if (isCode(error, "EACCES")) return "permission denied; may you read it?";
  return error instanceof Error ? error.message : String(error);
}

/** Refuses a weight file. @param where  the file @param what  its fault and the remedy */
export function rejectFile(where: string, what: string): never {
  throw new CheckpointError(`${where}: ${what}`);
}

/** Longest text from a file in a message. */
const LONGEST = 80;

/** Text from a file for a message: quoted, without control characters, not long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text);
}
