import type { FileHandle } from "node:fs/promises";
import { crc32 } from "../../../base/checksums.js";
import { concatenated } from "../../../base/collections.js";
import { writeDurable } from "../../../base/files.js";
import type { NamedArrays } from "../../parameters/parameters.js";
import { sizeOf } from "../../parameters/shapes.js";
import { type FloatDtype, toFloat16 } from "../dtypes.js";

/** Folder of all entries; its name is free. */
const FOLDER = "archive";
/** Version of PyTorch's zip format, since 1.6. */
const FORMAT_VERSION = "3\n";

interface TorchFileOptions {
  readonly dtypeOf: (name: string, shape: readonly number[]) => FloatDtype;
  /** Prefix of every name. */
  readonly prefix?: string;
  /** Key of a dict around the state dict. */
  readonly key?: string;
}

const text = new TextEncoder();

/**
 * Writes weights as `torch.save(state_dict)` does: a zip archive of one pickle and one entry a tensor, which
 * `torch.load(..., weights_only=True)` reads. The same weights give the same bytes.
 * @throws {CheckpointError} where a value is too large for its type
 */
export async function writeTorchFile(
  file: string,
  weights: NamedArrays,
  { dtypeOf, prefix = "", key: wrapper }: TorchFileOptions,
): Promise<void> {
  const entries = [...weights].map(([name, { shape, values }], i) => ({
    ...{ name, shape, values, key: String(i), dtype: dtypeOf(name, shape) },
  }));
  const tensors = entries.map(({ name, shape, key, dtype }) => {
    const storage = dtype === "F16" ? "HalfStorage" : "FloatStorage";
    return [`${prefix}${name}`, tensor(key, storage, shape)] as const;
  });
  const stateDict = orderedDict(tensors);
  const value = wrapper === undefined ? stateDict : dict([[wrapper, stateDict]]);
  await writeDurable(file, async (handle) => {
    const zip = new ZipWriter(handle);
    await zip.add(`${FOLDER}/data.pkl`, joined(PROTOCOL, value, STOP));
    await zip.add(`${FOLDER}/byteorder`, text.encode("little"));
    for (const { name, values, key, dtype } of entries) {
      const stored = dtype === "F16" ? toFloat16(name, values) : values;
      await zip.add(`${FOLDER}/data/${key}`, new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
    }
    await zip.add(`${FOLDER}/version`, text.encode(FORMAT_VERSION));
    await zip.finish();
  });
}

/* Pickle protocol 2, as far as a state dict needs it (Python, Lib/pickletools.py): each function gives one value's bytes. */

const MARK = Uint8Array.of(0x28);
const TUPLE = Uint8Array.of(0x74);
const EMPTY_TUPLE = Uint8Array.of(0x29);
const EMPTY_DICT = Uint8Array.of(0x7d);
const SET_ITEMS = Uint8Array.of(0x75);
const REDUCE = Uint8Array.of(0x52);
const PERSISTENT_ID = Uint8Array.of(0x51);
const FALSE = Uint8Array.of(0x89);
const PROTOCOL = Uint8Array.of(0x80, 2);
const STOP = Uint8Array.of(0x2e);
const INT = Uint8Array.of(0x4a);
const UNICODE = Uint8Array.of(0x58);
const GLOBAL = Uint8Array.of(0x63);

/** A dict, or the dict that `made` makes, filled. */
function dict(entries: readonly (readonly [string, Uint8Array])[], made: Uint8Array = EMPTY_DICT): Uint8Array {
  return joined(made, MARK, ...entries.flatMap(([key, value]) => [string(key), value]), SET_ITEMS);
}

/** An `OrderedDict`, the type of `state_dict()`. */
function orderedDict(entries: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const empty = call(global("collections", "OrderedDict"));
  return entries.length === 0 ? empty : dict(entries, empty);
}

/** A tensor of its own storage, row-major, on the CPU, without gradient: as PyTorch pickles it. */
function tensor(key: string, storage: "FloatStorage" | "HalfStorage", shape: readonly number[]): Uint8Array {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const id = tuple(string("storage"), global("torch", storage), string(key), string("cpu"), int(sizeOf(shape)));
  return call(
    global("torch._utils", "_rebuild_tensor_v2"),
    joined(id, PERSISTENT_ID),
    int(0),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    FALSE,
    orderedDict([]),
  );
}

function call(callee: Uint8Array, ...args: readonly Uint8Array[]): Uint8Array {
  return joined(callee, tuple(...args), REDUCE);
}

/** A name in a Python module: `collections`, `OrderedDict`. */
function global(module: string, name: string): Uint8Array {
  return joined(GLOBAL, text.encode(`${module}\n${name}\n`));
}

function tuple(...items: readonly Uint8Array[]): Uint8Array {
  return items.length === 0 ? EMPTY_TUPLE : joined(MARK, ...items, TUPLE);
}

function string(value: string): Uint8Array {
  const bytes = text.encode(value);
  return joined(UNICODE, word(bytes.length), bytes);
}

/** @param value  a whole number below 2^31 */
function int(value: number): Uint8Array {
  return joined(INT, word(value));
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return concatenated(Uint8Array, parts);
}

/* PKWARE APPNOTE 4.3: signatures, and the bytes of each record before its name. */
const LOCAL = { signature: 0x04034b50, bytes: 30 };
const CENTRAL = { signature: 0x02014b50, bytes: 46 };
const END = { signature: 0x06054b50, bytes: 22 };
const VERSION = 20;
/** The first of January 1980, the earliest date of the format: the same weights give the same file. */
const DATE = 0x21;
/** PyTorch aligns data to this, so that they can be mapped into memory. */
const ALIGNMENT = 64;
/** Field for padding, as PyTorch calls it: "FB". */
const PADDING_FIELD = 0x4246;
const PADDING_HEADER = 4;
/** Largest archive: sizes and positions have 32 bits, and Zip64 is not written. */
export const LARGEST_ZIP = 2 ** 32 - 1;

interface Entry {
  readonly name: Uint8Array;
  readonly size: number;
  readonly crc: number;
  readonly offset: number;
}

/** Writes a zip archive of stored entries into a file, one after the other; data are aligned as PyTorch's are. */
class ZipWriter {
  readonly #entries: Entry[] = [];
  #at = 0;

  constructor(private readonly handle: FileHandle) {}

  /** @throws {Error} `internal:` beyond 4 GB */
  async add(name: string, data: Uint8Array): Promise<void> {
    const bytes = text.encode(name);
    const entry: Entry = { name: bytes, size: data.length, crc: crc32(data), offset: this.#at };
    const unpadded = this.#at + LOCAL.bytes + bytes.length + PADDING_HEADER;
    const padding = (ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT;
    const header = new Uint8Array(LOCAL.bytes + bytes.length + PADDING_HEADER + padding);
    const view = new DataView(header.buffer);
    view.setUint32(0, LOCAL.signature, true);
    view.setUint16(4, VERSION, true);
    writeFacts(view, 6, entry);
    view.setUint16(28, PADDING_HEADER + padding, true);
    header.set(bytes, LOCAL.bytes);
    view.setUint16(LOCAL.bytes + bytes.length, PADDING_FIELD, true);
    view.setUint16(LOCAL.bytes + bytes.length + 2, padding, true);
    this.#entries.push(entry);
    await this.#write(header);
    await this.#write(data);
  }

  /** Writes the directory; nothing may be added after that. */
  async finish(): Promise<void> {
    const start = this.#at;
    for (const entry of this.#entries) {
      const record = new Uint8Array(CENTRAL.bytes + entry.name.length);
      const view = new DataView(record.buffer);
      view.setUint32(0, CENTRAL.signature, true);
      view.setUint16(4, VERSION, true);
      view.setUint16(6, VERSION, true);
      writeFacts(view, 8, entry);
      view.setUint32(42, entry.offset, true);
      record.set(entry.name, CENTRAL.bytes);
      await this.#write(record);
    }
    const end = new DataView(new ArrayBuffer(END.bytes));
    end.setUint32(0, END.signature, true);
    end.setUint16(8, this.#entries.length, true);
    end.setUint16(10, this.#entries.length, true);
    end.setUint32(12, this.#at - start, true);
    end.setUint32(16, start, true);
    await this.#write(new Uint8Array(end.buffer));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#at += bytes.length;
    if (this.#at > LARGEST_ZIP) throw new Error("internal: zipWriter: an archive of more than 4 GB needs Zip64");
    await this.handle.writeFile(bytes); // on a handle, writeFile continues where the last one ended
  }
}

/** Writes flags, method (stored), time, date, checksum, twice the size, and the name's length, as in both records. */
function writeFacts(view: DataView, at: number, { name, size, crc }: Entry): void {
  view.setUint16(at + 6, DATE, true);
  view.setUint32(at + 8, crc, true);
  view.setUint32(at + 12, size, true);
  view.setUint32(at + 16, size, true);
  view.setUint16(at + 20, name.length, true);
}
