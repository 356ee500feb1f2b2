import type { FileHandle } from "node:fs/promises";
import type { NamedArray, NamedArrays } from "../parameters/parameters.js";
import { type Shapes, sizeOf } from "../parameters/shapes.js";
import type { ByteSource } from "./byteSource.js";
import { openFile, rejectFile } from "./byteSource.js";
import type { StoredTensors } from "./dtypes.js";
import { DTYPE_BITS, type FloatDtype, toFloat16, toFloat32 } from "./dtypes.js";
import { parseSafetensorsHeader } from "./safetensorsHeader.js";

/** The header is padded with spaces so that data begin at a multiple of this. */
const ALIGNMENT = 8;

/**
 * Reads every tensor of a safetensors file as float32 under the file's own names: our checkpoints, optimizers too.
 * For files that others wrote, see `readWeights`.
 *
 * @throws {CheckpointError} when the file breaks a rule of the format or holds other types than F32, F16 and BF16
 */
export async function readSafetensors(file: string): Promise<Map<string, NamedArray>> {
  const source = await openFile(file);
  try {
    const { tensors } = await openSafetensors(file, source);
    const arrays = new Map<string, NamedArray>();
    for (const [name, { dtype, shape, read }] of tensors) {
      arrays.set(name, { shape, values: toFloat32(`${file}: ${name}`, dtype, await read()) });
    }
    return arrays;
  } finally {
    await source.close();
  }
}

/** Writes float32 tensors in the order of their names; the same tensors give the same bytes. Borrows `arrays`. */
export async function writeSafetensors(
  handle: FileHandle,
  arrays: NamedArrays,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const shapes = new Map([...arrays].map(([name, { shape }]) => [name, shape]));
  const values = (name: string) => Promise.resolve(arrays.get(name)?.values ?? new Float32Array());
  await streamSafetensors(handle, shapes, values, metadata);
}

/**
 * The same with one tensor in memory at a time: `values` is asked for each name once, in the file's order.
 *
 * @param dtypeOf  what a tensor of this shape is stored as
 * @throws {CheckpointError} where a value is too large for its type
 * @throws {Error} `internal:` when values do not fill their shape
 */
export async function streamSafetensors(
  handle: FileHandle,
  shapes: Shapes,
  values: (name: string) => Promise<Float32Array>,
  metadata: Readonly<Record<string, string>> = {},
  dtypeOf: (shape: readonly number[]) => FloatDtype = () => "F32",
): Promise<void> {
  const names = [...shapes.keys()].sort(byCodeUnits);
  const spans = names.map((name) => {
    const shape = shapes.get(name) ?? [];
    return { name, shape, dtype: dtypeOf(shape) };
  });
  await handle.writeFile(header(spans, metadata)); // on a handle, writeFile goes on where the last one ended
  for (const { name, shape, dtype } of spans) {
    const array = await values(name);
    if (array.length !== sizeOf(shape)) throw new Error(`internal: ${name} does not fill its shape`);
    const stored = dtype === "F16" ? toFloat16(name, array) : array;
    await handle.writeFile(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
  }
}

interface Span {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: FloatDtype;
}

function header(spans: readonly Span[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const entries: [string, unknown][] = Object.keys(metadata).length > 0 ? [["__metadata__", metadata]] : [];
  let end = 0;
  for (const { name, shape, dtype } of spans) {
    if (name === "__metadata__") rejectFile("writeSafetensors", "a tensor may not be called __metadata__");
    const begin = end;
    end += (DTYPE_BITS[dtype] / 8) * sizeOf(shape);
    entries.push([name, { dtype, shape, data_offsets: [begin, end] }]);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const bytes = new Uint8Array(8 + Math.ceil(json.length / ALIGNMENT) * ALIGNMENT).fill(0x20);
  bytes.set(json, 8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true);
  return bytes;
}

/** The same order on every machine, whatever its language. */
function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The format allows 100 MB; the 600 tensors of ViT-L/14 take 80 kB. Bounds what a hostile header costs. */
const MAX_HEADER = 10_000_000;
/** The header's length comes first, 64 bits. */
const LENGTH_BYTES = 8;

/** Whether a file's first bytes may be a safetensors file's: a length, then JSON. */
export function looksLikeSafetensors(start: Uint8Array): boolean {
  const first = start[LENGTH_BYTES];
  return first !== undefined && "{ \n\r\t".includes(String.fromCharCode(first));
}

/**
 * Opens a safetensors file: reads and checks the header; each tensor's bytes are read when asked for.
 *
 * @param where the file, for messages
 * @throws {CheckpointError} when the file breaks a rule of the format
 */
export async function openSafetensors(
  where: string,
  source: ByteSource,
): Promise<{ tensors: StoredTensors; metadata: Readonly<Record<string, string>> }> {
  if (source.size < LENGTH_BYTES) rejectFile(where, `has ${source.size} bytes, too few for a safetensors file`);
  const prefix = await source.read(0, LENGTH_BYTES);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  const dataStart = LENGTH_BYTES + Number(length);
  if (length > MAX_HEADER)
    rejectFile(where, `its safetensors header claims ${length} bytes; at most ${MAX_HEADER} are read`);
  if (dataStart > source.size) rejectFile(where, `its safetensors header claims ${length} bytes, past the file's end`);
  const header = await source.read(LENGTH_BYTES, Number(length));
  const { tensors, metadata } = parseSafetensorsHeader(where, header, source.size - dataStart);
  const stored = [...tensors].map(([name, { dtype, shape, begin, end }]) => {
    const read = () => source.read(dataStart + begin, end - begin);
    return [name, { dtype, shape, read }] as const;
  });
  return { tensors: new Map(stored), metadata };
}
