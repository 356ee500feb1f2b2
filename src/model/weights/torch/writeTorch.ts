import { writeDurable } from "../../../base/files.js";
import type { NamedArrays } from "../../parameters/parameters.js";
import type { FloatDtype } from "../dtypes.js";
import { toFloat16 } from "../dtypes.js";
import { ZipWriter } from "./zipWriter.js";

/** The folder that all entries are in; its name is free. */
const FOLDER = "archive";
/** Of PyTorch's zip format, since 1.6. */
const FORMAT_VERSION = "3\n";

interface TorchFileOptions {
  readonly dtypeOf: (shape: readonly number[]) => FloatDtype;
  /** Stands before every name. */
  readonly prefix?: string;
  /** Puts the state dict into something else. */
  readonly wrap?: (stateDict: Uint8Array) => Uint8Array;
}

/**
 * Writes weights as `torch.save(state_dict)` does: a zip archive of one pickle and one entry a tensor, which
 * `torch.load(..., weights_only=True)` reads. The same weights give the same bytes.
 *
 * @throws {CheckpointError} where a value is too large for its type
 */
export async function writeTorchFile(
  file: string,
  weights: NamedArrays,
  { dtypeOf, prefix = "", wrap = (stateDict) => stateDict }: TorchFileOptions,
): Promise<void> {
  const entries = [...weights].map(([name, { shape, values }], i) => ({
    ...{ name, shape, values, key: String(i), dtype: dtypeOf(shape) },
  }));
  const tensors = entries.map(({ name, shape, key, dtype }) => {
    const storage = dtype === "F16" ? "HalfStorage" : "FloatStorage";
    return [`${prefix}${name}`, tensor(key, storage, shape)] as const;
  });
  const text = new TextEncoder();
  await writeDurable(file, async (handle) => {
    const zip = new ZipWriter(handle);
    await zip.add(`${FOLDER}/data.pkl`, pickled(wrap(orderedDict(tensors))));
    await zip.add(`${FOLDER}/byteorder`, text.encode("little"));
    for (const { name, values, key, dtype } of entries) {
      const stored = dtype === "F16" ? toFloat16(name, values) : values;
      await zip.add(`${FOLDER}/data/${key}`, new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
    }
    await zip.add(`${FOLDER}/version`, text.encode(FORMAT_VERSION));
    await zip.finish();
  });
}

/** Pickle protocol 2, as far as a state dict asks for it (Python, Lib/pickletools.py): each function gives the bytes of one value. */

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
const INT = 0x4a;
const UNICODE = 0x58;
const GLOBAL = 0x63;

const text = new TextEncoder();

/** A whole pickle around one value. */
function pickled(value: Uint8Array): Uint8Array {
  return joined(PROTOCOL, value, STOP);
}

/** A name in a Python module: `collections`, `OrderedDict`. */
function global(module: string, name: string): Uint8Array {
  return joined(Uint8Array.of(GLOBAL), text.encode(`${module}\n${name}\n`));
}

function string(value: string): Uint8Array {
  const bytes = text.encode(value);
  return joined(Uint8Array.of(UNICODE), word(bytes.length), bytes);
}

/** @param value  a whole number below 2^31 */
function int(value: number): Uint8Array {
  return joined(Uint8Array.of(INT), word(value));
}

function tuple(...items: readonly Uint8Array[]): Uint8Array {
  return items.length === 0 ? EMPTY_TUPLE : joined(MARK, ...items, TUPLE);
}

/** What a function of Python's gives for these arguments. */
function call(callee: Uint8Array, ...args: readonly Uint8Array[]): Uint8Array {
  return joined(callee, tuple(...args), REDUCE);
}

/** A dict, or what `made` is in its place, filled. */
export function dict(entries: readonly (readonly [string, Uint8Array])[], made: Uint8Array = EMPTY_DICT): Uint8Array {
  return joined(made, MARK, ...entries.flatMap(([key, value]) => [string(key), value]), SET_ITEMS);
}

/** An `OrderedDict`, which is what `state_dict()` gives. */
function orderedDict(entries: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const empty = call(global("collections", "OrderedDict"));
  return entries.length === 0 ? empty : dict(entries, empty);
}

/** A tensor of its own storage, row-major, on the CPU, without gradient: as PyTorch pickles it. */
function tensor(key: string, storage: "FloatStorage" | "HalfStorage", shape: readonly number[]): Uint8Array {
  const count = shape.reduce((product, axis) => product * axis, 1);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, next) => product * next, 1));
  const id = tuple(string("storage"), global("torch", storage), string(key), string("cpu"), int(count));
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

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
