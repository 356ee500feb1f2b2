import { crc32 } from "../../../base/checksums.js";
import { type ByteSource, quoted, rejectFile } from "../byteSource.js";

/** File in a zip archive, stored without compression. */
export interface ZipEntry {
  readonly size: number;
  /** Reads its bytes, given to the caller. @throws {CheckpointError} when the checksum differs */
  readonly read: () => Promise<Uint8Array<ArrayBuffer>>;
}

type Archive = { readonly where: string; readonly source: ByteSource };

const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
/** Source code in TorchScript archives: compressed, and never opened; nothing else may be compressed. */
const NEVER_OPENED = /^[^/]+\/code\//;

/**
 * Opens a zip archive as PyTorch writes them: entries stored, each once, none over another. Sizes are the central
 * directory's; since nothing is decompressed, a file's claims are bounded by its own size.
 * @throws {CheckpointError} for an archive that is cut short, compressed, encrypted, or contradicts itself
 */
export async function openZip(where: string, source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const archive = { where, source };
  const { entries, offset: directoryOffset } = await readDirectory(archive);
  const byOffset = [...entries].sort((a, b) => a.offset - b.offset);
  const opened = new Map<string, ZipEntry>();
  for (const [i, entry] of byOffset.entries()) {
    const start = await dataStart(archive, entry);
    const end = byOffset[i + 1]?.offset ?? directoryOffset;
    if (start + entry.stored > end) rejectFile(where, `zip entry ${quoted(entry.name)} overlaps what follows it`);
    if (NEVER_OPENED.test(entry.name)) continue;
    opened.set(entry.name, { size: entry.size, read: () => readEntry(archive, entry, start) });
  }
  return opened;
}

/** Position of an entry's bytes: after a header of its own, which must agree with the directory. */
async function dataStart({ where, source }: Archive, entry: DirectoryEntry): Promise<number> {
  const { name, offset, method } = entry;
  const fault = (what: string) => rejectFile(where, `zip entry ${quoted(name)} ${what}`);
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

async function readEntry({ where, source }: Archive, { name, size, crc }: DirectoryEntry, start: number) {
  const bytes = await source.read(start, size);
  if (crc32(bytes) !== crc)
    rejectFile(where, `zip entry ${quoted(name)} does not have its checksum; the file is damaged`);
  return bytes;
}

/** One line of a zip archive's central directory (PKWARE APPNOTE 6.3.10, section 4.3.12). */
interface DirectoryEntry {
  readonly name: string;
  /** 0 means stored without compression. */
  readonly method: number;
  readonly isEncrypted: boolean;
  readonly crc: number;
  /** Bytes in the archive. */
  readonly stored: number;
  /** Bytes when decompressed. */
  readonly size: number;
  /** Position of its own header. */
  readonly offset: number;
}

type Span = { readonly offset: number; readonly length: number; readonly count: number };

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const MAX_COMMENT = 0xffff;
const LOCATOR_SIGNATURE = 0x07064b50;
const LOCATOR_BYTES = 20;
const END64_SIGNATURE = 0x06064b50;
const END64_BYTES = 56;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
/** "See the Zip64 field" in 16 and 32 bits. */
const SEE_64_SHORT = 0xffff;
const SEE_64 = 0xffffffff;
const ZIP64_FIELD = 1;
/** Bytes of a directory that are read at most: ViT-L/14 with its optimizer has 2,000 entries. */
const MAX_DIRECTORY = 16 * 2 ** 20;

/** Reads the central directory, Zip64 included. @throws {CheckpointError} when it or a name in it is not sound */
async function readDirectory(archive: Archive): Promise<{ entries: readonly DirectoryEntry[]; offset: number }> {
  const { where, source } = archive;
  const { offset, length, count } = await findDirectory(archive);
  if (length > MAX_DIRECTORY)
    rejectFile(where, `its zip directory has ${length} bytes; at most ${MAX_DIRECTORY} are read`);
  const bytes = await source.read(offset, length);
  const entries: DirectoryEntry[] = [];
  const names = new Set<string>();
  for (let at = 0; at < length;) {
    const { entry, next } = parseEntry(where, bytes, at);
    if (names.has(entry.name)) rejectFile(where, `zip entry ${quoted(entry.name)} stands twice`);
    checkName(where, entry.name);
    names.add(entry.name);
    entries.push(entry);
    at = next;
  }
  if (entries.length !== count)
    rejectFile(where, `its zip directory has ${entries.length} entries and claims ${count}`);
  return { entries, offset };
}

async function findDirectory(archive: Archive): Promise<Span> {
  const { where, source } = archive;
  const tailStart = Math.max(0, source.size - END_BYTES - MAX_COMMENT);
  const tail = new DataView((await source.read(tailStart, source.size - tailStart)).buffer);
  for (let at = tail.byteLength - END_BYTES; at >= 0; at--) {
    const isEnd = tail.getUint32(at, true) === END_SIGNATURE;
    if (!isEnd || tail.getUint16(at + 20, true) !== tail.byteLength - at - END_BYTES) continue;
    return checkSpan(archive, tailStart + at, {
      count: tail.getUint16(at + 10, true),
      length: tail.getUint32(at + 12, true),
      offset: tail.getUint32(at + 16, true),
    });
  }
  return rejectFile(where, "is a zip archive without its directory, cut short; download or save it again");
}

/** Span by both end records. PyTorch always writes the Zip64 one, which then says where the directory ends. */
async function checkSpan(archive: Archive, end: number, span: Span): Promise<Span> {
  const { where } = archive;
  const needs64 = span.count === SEE_64_SHORT || span.length === SEE_64 || span.offset === SEE_64;
  const wide = await readEnd64(archive, end);
  if (needs64 && wide === null) rejectFile(where, "its Zip64 end record is missing; is the file whole?");
  const found = needs64 && wide !== null ? wide : span;
  const same = wide === null || (["count", "length", "offset"] as const).every((key) => wide[key] === found[key]);
  if (!same) rejectFile(where, "its two zip end records contradict each other");
  if (found.offset + found.length !== (wide?.at ?? end))
    rejectFile(where, "its zip directory does not end where it should");
  return found;
}

/** The Zip64 end record and its position; null where there is none. */
async function readEnd64({ where, source }: Archive, end: number): Promise<(Span & { at: number }) | null> {
  if (end < LOCATOR_BYTES + END64_BYTES) return null;
  const locator = new DataView((await source.read(end - LOCATOR_BYTES, LOCATOR_BYTES)).buffer);
  if (locator.getUint32(0, true) !== LOCATOR_SIGNATURE) return null;
  const at = Number(locator.getBigUint64(8, true));
  const fits = at + END64_BYTES <= end - LOCATOR_BYTES;
  const record = fits ? new DataView((await source.read(at, END64_BYTES)).buffer) : null;
  if (record?.getUint32(0, true) !== END64_SIGNATURE)
    rejectFile(where, "its Zip64 end record is not where it should be");
  const number = (field: number) => Number(record.getBigUint64(field, true));
  return { count: number(32), length: number(40), offset: number(48), at };
}

function parseEntry(where: string, bytes: Uint8Array, at: number): { entry: DirectoryEntry; next: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fault = (): never => rejectFile(where, "its zip directory is damaged; download or save the file again");
  if (at + ENTRY_BYTES > bytes.length || view.getUint32(at, true) !== ENTRY_SIGNATURE) return fault();
  const [nameLength = 0, extraLength = 0, commentLength = 0] = [28, 30, 32].map((f) => view.getUint16(at + f, true));
  const extraStart = at + ENTRY_BYTES + nameLength;
  const next = extraStart + extraLength + commentLength;
  if (next > bytes.length) return fault();
  const wide = zip64Values(view, extraStart, extraStart + extraLength);
  /** A 32-bit field, or the next 64-bit value where it says so: size, stored size, offset, in that order. */
  const field = (offset: number) => {
    const value = view.getUint32(at + offset, true);
    return value === SEE_64 ? (wide.shift() ?? fault()) : value;
  };
  const [size, stored] = [field(24), field(20)];
  const entry = {
    name: new TextDecoder().decode(bytes.subarray(at + ENTRY_BYTES, extraStart)),
    method: view.getUint16(at + 10, true),
    isEncrypted: (view.getUint16(at + 8, true) & 1) === 1,
    crc: view.getUint32(at + 16, true),
    stored,
    size,
    offset: field(42),
  };
  return { entry, next };
}

/** 64-bit numbers of an entry's Zip64 field, [] where it has none. */
function zip64Values(view: DataView, start: number, end: number): number[] {
  for (let at = start; at + 4 <= end;) {
    const length = view.getUint16(at + 2, true);
    const last = Math.min(end, at + 4 + length);
    if (view.getUint16(at, true) === ZIP64_FIELD) {
      const values: number[] = [];
      for (let value = at + 4; value + 8 <= last; value += 8) values.push(Number(view.getBigUint64(value, true)));
      return values;
    }
    at = last;
  }
  return [];
}

function checkName(where: string, name: string): void {
  if (name.startsWith("/") || name.includes("\\") || name.split("/").includes("..")) {
    rejectFile(where, `zip entry ${quoted(name)} leaves its folder`);
  }
}
