import type { ByteSource } from "../byteSource.js";
import { refuse, shown } from "../refuse.js";

/** One line of a zip archive's central directory (PKWARE APPNOTE 6.3.10, section 4.3.12). */
export interface DirectoryEntry {
  readonly name: string;
  /** 0 is stored as it is. */
  readonly method: number;
  readonly isEncrypted: boolean;
  readonly crc: number;
  /** Bytes in the archive, and unpacked. */
  readonly stored: number;
  readonly size: number;
  /** Where its own header begins. */
  readonly offset: number;
}

interface Span {
  readonly offset: number;
  readonly length: number;
  readonly count: number;
}

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
/** A checkpoint of ViT-L/14 with its optimizer has 2,000 entries; bounds what a hostile archive costs. */
const MAX_DIRECTORY = 16 * 2 ** 20;

/**
 * Reads the central directory of a zip archive, Zip64 included.
 *
 * @throws {CheckpointError} when there is none, it does not fit the file, a name stands twice or leaves its folder
 */
export async function readDirectory(
  where: string,
  source: ByteSource,
): Promise<{ entries: readonly DirectoryEntry[]; offset: number }> {
  const { offset, length, count } = await findDirectory(where, source);
  if (length > MAX_DIRECTORY) refuse(where, `its zip directory has ${length} bytes; at most ${MAX_DIRECTORY} are read`);
  const bytes = await source.read(offset, length);
  const entries: DirectoryEntry[] = [];
  const names = new Set<string>();
  for (let at = 0; at < length;) {
    const { entry, next } = parseEntry(where, bytes, at);
    if (names.has(entry.name)) refuse(where, `zip entry ${shown(entry.name)} stands twice`);
    checkName(where, entry.name);
    names.add(entry.name);
    entries.push(entry);
    at = next;
  }
  if (entries.length !== count) refuse(where, `its zip directory has ${entries.length} entries and claims ${count}`);
  return { entries, offset };
}

async function findDirectory(where: string, source: ByteSource): Promise<Span> {
  const tailStart = Math.max(0, source.size - END_BYTES - MAX_COMMENT);
  const tail = new DataView((await source.read(tailStart, source.size - tailStart)).buffer);
  for (let at = tail.byteLength - END_BYTES; at >= 0; at--) {
    const isEnd = tail.getUint32(at, true) === END_SIGNATURE;
    if (!isEnd || tail.getUint16(at + 20, true) !== tail.byteLength - at - END_BYTES) continue;
    return checkSpan(where, source, tailStart + at, {
      count: tail.getUint16(at + 10, true),
      length: tail.getUint32(at + 12, true),
      offset: tail.getUint32(at + 16, true),
    });
  }
  return refuse(where, "is a zip archive without its directory, cut short; download or save it again");
}

/** PyTorch writes the Zip64 records always, small files too; where they are, they say where the directory ends. */
async function checkSpan(where: string, source: ByteSource, end: number, span: Span): Promise<Span> {
  const needs64 = span.count === SEE_64_SHORT || span.length === SEE_64 || span.offset === SEE_64;
  const wide = await readEnd64(where, source, end);
  if (needs64 && wide === null) refuse(where, "its Zip64 end record is missing; is the file whole?");
  const found = needs64 && wide !== null ? wide : span;
  const same = wide === null || (["count", "length", "offset"] as const).every((key) => wide[key] === found[key]);
  if (!same) refuse(where, "its two zip end records contradict each other");
  if (found.offset + found.length !== (wide?.at ?? end))
    refuse(where, "its zip directory does not end where it should");
  return found;
}

/** The Zip64 end record and where it stands; null where there is none. */
async function readEnd64(where: string, source: ByteSource, end: number): Promise<(Span & { at: number }) | null> {
  if (end < LOCATOR_BYTES + END64_BYTES) return null;
  const locator = new DataView((await source.read(end - LOCATOR_BYTES, LOCATOR_BYTES)).buffer);
  if (locator.getUint32(0, true) !== LOCATOR_SIGNATURE) return null;
  const at = Number(locator.getBigUint64(8, true));
  const fits = at + END64_BYTES <= end - LOCATOR_BYTES;
  const record = fits ? new DataView((await source.read(at, END64_BYTES)).buffer) : null;
  if (record?.getUint32(0, true) !== END64_SIGNATURE) refuse(where, "its Zip64 end record is not where it should be");
  const number = (field: number) => Number(record.getBigUint64(field, true));
  return { count: number(32), length: number(40), offset: number(48), at };
}

function parseEntry(where: string, bytes: Uint8Array, at: number): { entry: DirectoryEntry; next: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fault = (): never => refuse(where, "its zip directory is damaged; download or save the file again");
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
  const size = field(24);
  const stored = field(20);
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

/** The 64-bit numbers of an entry's Zip64 field, [] where it has none. */
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
    refuse(where, `zip entry ${shown(name)} leaves its folder`);
  }
}
