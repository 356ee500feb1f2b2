import { type FileHandle, open } from "node:fs/promises";
import { DataError } from "../../base/errors.js";
import { reasonOf } from "../../base/text.js";
import { TAR_BLOCK } from "./writeTar.js";

/** Bytes that are read at once while the index is made. */
const WINDOW = 1 << 16;
/** Largest member that is read: no photograph is larger. */
const MAX_MEMBER_BYTES = 512 * 2 ** 20;
/** Largest record of a long name, and largest text that is kept. */
const MAX_NAME_BYTES = 1 << 16;

/** Index of an archive, and its members' bytes. */
export interface Archive {
  /** Names of the members that are files, in the archive's order. */
  readonly names: readonly string[];
  has(name: string): boolean;
  /** Bytes of a member, the first `most` of them. @throws {DataError} where it is not there or cannot be read */
  read(name: string, most?: number): Promise<Buffer>;
}

interface Member {
  readonly offset: number;
  readonly size: number;
  /** Contents of a small text, which the index has read on its way. */
  readonly text?: Buffer;
}

/** Members whose contents are kept with the index: labels, which every reader of the archive wants. */
const TEXT = /\.(?:json|txt|cls)$/i;

/**
 * Index of a tar by its headers: POSIX ustar and pax, and GNU's long names. No content is read.
 * @throws {DataError} naming the place where it is cut off or damaged, a name that it has twice, or a link
 */
export async function openTar(file: string): Promise<Archive> {
  const members = await withFile(file, (handle) => readIndex(handle, file));
  const find = (name: string): Member => {
    const member = members.get(name);
    if (member === undefined) throw new DataError(`${file}: has no ${name}; is it the archive that the list names?`);
    return member;
  };
  return {
    names: [...members.keys()],
    has: (name) => members.has(name),
    read: async (name, most = Infinity) => {
      const { offset, size, text } = find(name);
      if (text !== undefined) return text.subarray(0, Math.min(size, most));
      if (size > MAX_MEMBER_BYTES) throw new DataError(`${file}: ${name}: ${size} bytes are too many for an image`);
      return withFile(file, (handle) => readAt(handle, { offset, size: Math.min(size, most) }, `${file}: ${name}`));
    },
  };
}

/** Lends `use` the open file. @throws {DataError} where it cannot be read */
async function withFile<T>(file: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(file).catch((error: unknown) => {
    throw new DataError(`${file}: cannot be read (${reasonOf(error)}); check the path`, { cause: error });
  });
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

async function readAt(handle: FileHandle, { offset, size }: Member, what: string): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(size);
  const { bytesRead } = await handle.read(bytes, 0, size, offset);
  if (bytesRead === size) return bytes;
  throw new DataError(`${what}: is cut off after ${bytesRead} of ${size} bytes; get the archive again`);
}

async function readIndex(handle: FileHandle, file: string): Promise<Map<string, Member>> {
  const { size: end } = await handle.stat();
  const members = new Map<string, Member>();
  let window: { start: number; bytes: Buffer } = { start: 0, bytes: Buffer.alloc(0) };
  const bytesAt = async (offset: number, size: number): Promise<Buffer> => {
    if (offset < window.start || offset + size > window.start + window.bytes.length) {
      const bytes = await readAt(handle, { offset, size: Math.min(WINDOW, end - offset) }, file);
      window = { start: offset, bytes };
    }
    return window.bytes.subarray(offset - window.start, offset - window.start + size);
  };
  let longName: string | null = null;
  for (let at = 0; ;) {
    if (at + TAR_BLOCK > end) throw cutOff(file, at, members);
    const header = readHeader(await bytesAt(at, TAR_BLOCK), file, at);
    if (header === null) return members;
    const offset = at + TAR_BLOCK;
    if (offset + header.size > end) throw cutOff(file, at, members, header.name);
    at = offset + TAR_BLOCK * Math.ceil(header.size / TAR_BLOCK);
    if (header.kind === "L" || header.kind === "x") {
      if (header.size > MAX_NAME_BYTES) throw damaged(file, offset, "has a name of too many bytes");
      const record = await readAt(handle, { offset, size: header.size }, file);
      longName = header.kind === "L" ? textOf(record) : (paxPath(record) ?? longName);
    } else {
      const name = (longName ?? header.name).replace(/^(?:\.\/)+/, "");
      longName = null;
      const isText = TEXT.test(name) && header.size <= MAX_NAME_BYTES;
      const text = isText ? { text: Buffer.from(await bytesAt(offset, header.size)) } : {}; // a copy: the window goes
      addMember(members, { name, offset, size: header.size, ...text }, header.kind, file);
    }
  }
}

function addMember(
  members: Map<string, Member>,
  { name, ...member }: Member & { readonly name: string },
  kind: string,
  file: string,
): void {
  if (kind === "5" || kind === "g" || name.endsWith("/")) return; // folders, and records for all members
  if (kind !== "0" && kind !== "7") {
    throw new DataError(`${file}: ${name}: is a link or device (type ${JSON.stringify(kind)}); put the file itself in`);
  }
  if (members.has(name)) throw new DataError(`${file}: has ${name} twice; which one is right? Write the archive again`);
  members.set(name, member);
}

interface Header {
  readonly name: string;
  readonly size: number;
  /** Type of the member, "0" for a file. */
  readonly kind: string;
}

/** Header of a member; null for the empty record that ends a tar. @throws {DataError} where it is neither */
function readHeader(block: Buffer, file: string, at: number): Header | null {
  if (block.every((byte) => byte === 0)) return null;
  const sum = block.reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 32 : byte), 0);
  if (octal(block, 148, 8) !== sum) {
    const isZip = block[0] === 0x1f && block[1] === 0x8b;
    throw damaged(file, at, isZip ? "is compressed: unpack it by gunzip first" : "has no sound header there");
  }
  const isUstar = block.toString("latin1", 257, 262) === "ustar";
  const prefix = isUstar && block[262] === 0 ? textOf(block.subarray(345, 500)) : "";
  const name = textOf(block.subarray(0, 100));
  const kind = block[156] === 0 ? "0" : String.fromCharCode(block[156] ?? 0);
  const size = octal(block, 124, 12);
  if (!Number.isSafeInteger(size) || size < 0) throw damaged(file, at, "has a member of no sound size");
  return { name: prefix === "" ? name : `${prefix}/${name}`, size, kind };
}

/** Number in octal digits, or in base 256 where its first bit is set (GNU). */
function octal(block: Buffer, start: number, length: number): number {
  const field = block.subarray(start, start + length);
  if (((field[0] ?? 0) & 0x80) !== 0) return field.subarray(1).reduce((value, byte) => 256 * value + byte, 0);
  const text = textOf(field).trim();
  return text === "" ? 0 : /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : NaN;
}

/** Text before the first NUL. */
function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
}

/** Path of a pax record's `LENGTH path=VALUE` lines; null where it has none. */
function paxPath(record: Buffer): string | null {
  for (let at = 0; at < record.length;) {
    const [whole = "", digits = ""] = /^(\d+) /.exec(record.toString("latin1", at, at + 12)) ?? [];
    const length = Number(digits);
    if (whole === "" || length <= whole.length) return null;
    const line = record.toString("utf8", at + whole.length, at + length - 1);
    if (line.startsWith("path=")) return line.slice("path=".length);
    at += length;
  }
  return null;
}

function damaged(file: string, at: number, what: string): DataError {
  return new DataError(`${file}: at byte ${at}: ${what}; get the archive again`);
}

function cutOff(file: string, at: number, members: ReadonlyMap<string, Member>, name?: string): DataError {
  const last = [...members.keys()].at(-1);
  const where = name === undefined ? (last === undefined ? "before its first member" : `after ${last}`) : `in ${name}`;
  return damaged(file, at, `is cut off ${where}`);
}
