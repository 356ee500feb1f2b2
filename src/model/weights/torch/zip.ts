import { crc32 } from "../../../base/checksums.js";
import type { ByteSource } from "../byteSource.js";
import { refuse, shown } from "../refuse.js";
import { type DirectoryEntry, readDirectory } from "./zipDirectory.js";

/** A file inside a zip archive; its bytes stand there as they are. */
export interface ZipEntry {
  readonly size: number;
  /** Its bytes, given to the caller; the checksum is compared. @throws {CheckpointError} when it differs */
  readonly read: () => Promise<Uint8Array<ArrayBuffer>>;
}

const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
/** TorchScript archives compress their source code, which is never opened; nothing else may be compressed. */
const NEVER_OPENED = /^[^/]+\/code\//;

/** Whether a file's first bytes are a zip archive's. */
export function looksLikeZip(start: Uint8Array): boolean {
  return start[0] === 0x50 && start[1] === 0x4b && start[2] === 3 && start[3] === 4;
}

/**
 * Opens a zip archive as PyTorch writes them: entries stored, none of them twice, none over another.
 *
 * Sizes are the central directory's; since nothing is unpacked, what a file can claim is bounded by its own size.
 *
 * @param where the file, for messages
 * @throws {CheckpointError} for an archive that is cut short, compressed, encrypted, or contradicts itself
 */
export async function openZip(where: string, source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const { entries, offset: directoryOffset } = await readDirectory(where, source);
  const byPlace = [...entries].sort((a, b) => a.offset - b.offset);
  const opened = new Map<string, ZipEntry>();
  for (const [i, entry] of byPlace.entries()) {
    const start = await dataStart(where, source, entry);
    const end = byPlace[i + 1]?.offset ?? directoryOffset;
    if (start + entry.stored > end) refuse(where, `zip entry ${shown(entry.name)} overlaps what follows it`);
    if (NEVER_OPENED.test(entry.name)) continue;
    opened.set(entry.name, { size: entry.size, read: () => readEntry(where, source, entry, start) });
  }
  return opened;
}

/** Where an entry's bytes begin: after a header of its own, which must agree with the directory. */
async function dataStart(where: string, source: ByteSource, entry: DirectoryEntry): Promise<number> {
  const { name, offset, method } = entry;
  const fault = (what: string) => refuse(where, `zip entry ${shown(name)} ${what}`);
  if (entry.isEncrypted) fault("is encrypted");
  if (method !== 0 && !NEVER_OPENED.test(name)) fault("is compressed, which PyTorch never does; save the file again");
  if (method === 0 && entry.size !== entry.stored) fault("has two sizes");
  if (offset + LOCAL_BYTES > source.size) fault("lies outside the file; is it whole?");
  const head = new DataView((await source.read(offset, LOCAL_BYTES)).buffer);
  if (head.getUint32(0, true) !== LOCAL_SIGNATURE) fault("does not begin where the directory says; is the file whole?");
  const nameLength = head.getUint16(26, true);
  const start = offset + LOCAL_BYTES + nameLength + head.getUint16(28, true);
  if (start + entry.stored > source.size) fault("lies outside the file; is it whole?");
  const localName = new TextDecoder().decode(await source.read(offset + LOCAL_BYTES, nameLength));
  if (localName !== name || head.getUint16(8, true) !== method)
    fault("is called or packed otherwise in its own header");
  return start;
}

async function readEntry(where: string, source: ByteSource, { name, size, crc }: DirectoryEntry, start: number) {
  const bytes = await source.read(start, size);
  if (crc32(bytes) !== crc) refuse(where, `zip entry ${shown(name)} does not have its checksum; the file is damaged`);
  return bytes;
}
