import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** Weight files built byte by byte, so that tests can write the ones that no honest program writes. */

/** A zip entry; what is given besides name and data is a lie or a deviation. */
export interface ZipPart {
  readonly name: string;
  readonly data: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
  readonly crc?: number;
  /** What the directory claims, in place of the truth. */
  readonly size?: number;
  readonly offset?: number;
  /** Name in the entry's own header. */
  readonly localName?: string;
}

/** CRC-32 by zlib, from the end of what it compresses (RFC 1952): Node 20.11 has no function for it. */
function crc32(data: Uint8Array): number {
  const compressed = gzipSync(data, { level: 0 });
  return compressed.readUInt32LE(compressed.length - 8);
}

/** A zip archive of stored entries (PKWARE APPNOTE 4.3). */
export function zipFile(parts: readonly ZipPart[]): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const part of parts) {
    const { name, data, method = 0, flags = 0, size = data.length, offset = at, localName = name } = part;
    const crc = part.crc ?? crc32(data);
    const common = [...[flags, method, 0, 0].map(word16), ...[crc, size, size].map(word32)];
    locals.push(word32(0x04034b50), word16(20), ...common, word16(Buffer.byteLength(localName)), word16(0));
    locals.push(Buffer.from(localName), Buffer.from(data));
    directory.push(word32(0x02014b50), word16(20), word16(20), ...common, word16(Buffer.byteLength(name)));
    directory.push(...[0, 0, 0, 0].map(word16), word32(0), word32(offset), Buffer.from(name));
    at += 30 + Buffer.byteLength(localName) + data.length;
  }
  const central = Buffer.concat(directory);
  const end = [word32(0x06054b50), word16(0), word16(0), word16(parts.length), word16(parts.length)];
  return Buffer.concat([...locals, central, ...end, word32(central.length), word32(at), word16(0)]);
}

/** What `torch.save` writes, around a pickle and storages. */
export function torchFile(pickle: Uint8Array, storages: Readonly<Record<string, Uint8Array>> = {}): ZipPart[] {
  const data = Object.entries(storages).map(([key, bytes]) => ({ name: `archive/data/${key}`, data: bytes }));
  return [{ name: "archive/data.pkl", data: pickle }, ...data];
}

/** Pickle opcodes of protocol 2, each as bytes; `pickle` puts them together. */
export const op = {
  global: (module: string, name: string) => text(`c${module}\n${name}\n`),
  string: (value: string) => Buffer.concat([text("X"), word32(Buffer.byteLength(value)), Buffer.from(value)]),
  int: (value: number) => Buffer.concat([text("J"), word32(value)]),
  mark: text("("),
  tuple: text("t"),
  emptyTuple: text(")"),
  emptyDict: text("}"),
  emptyList: text("]"),
  setItem: text("s"),
  setItems: text("u"),
  reduce: text("R"),
  newObject: Buffer.from([0x81]),
  build: text("b"),
  persistentId: text("Q"),
  put: (index: number) => Buffer.from([0x71, index]),
  get: (index: number) => Buffer.from([0x68, index]),
  none: text("N"),
  false: Buffer.from([0x89]),
  true: Buffer.from([0x88]),
} as const;

export function pickle(...ops: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from([0x80, 2]), ...ops, text(".")]);
}

interface TensorParts {
  readonly offset?: number;
  readonly type?: string;
  readonly metadata?: Readonly<Record<string, Uint8Array>>;
}

/** A tensor as PyTorch pickles it. */
export function tensorOps(
  key: string,
  count: number,
  shape: readonly number[],
  strides: readonly number[] = [1],
  { offset = 0, type = "FloatStorage", metadata = {} }: TensorParts = {},
): Buffer {
  const items = Object.entries(metadata).flatMap(([name, value]) => [op.string(name), value, op.setItem]);
  const extra = items.length === 0 ? [] : [op.emptyDict, ...items];
  const numbers = (values: readonly number[]) => [op.mark, ...values.map(op.int), op.tuple];
  return Buffer.concat([
    op.global("torch._utils", "_rebuild_tensor_v2"),
    op.mark,
    ...[op.mark, op.string("storage"), op.global("torch", type), op.string(key), op.string("cpu"), op.int(count)],
    ...[op.tuple, op.persistentId, op.int(offset), ...numbers(shape), ...numbers(strides), op.false],
    ...[op.global("collections", "OrderedDict"), op.emptyTuple, op.reduce, ...extra, op.tuple, op.reduce],
  ]);
}

/** A safetensors file around any header. */
export function safetensorsFile(header: unknown, dataBytes: number, length?: bigint): Buffer {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([prefix, json, Buffer.alloc(dataBytes)]);
}

export function float32(...values: readonly number[]): Buffer {
  return Buffer.from(Float32Array.from(values).buffer);
}

export function writeIn(folder: string, name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function text(ascii: string): Buffer {
  return Buffer.from(ascii, "latin1");
}

function word16(value: number): Buffer {
  return Buffer.from([value & 255, (value >> 8) & 255]);
}

function word32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}
