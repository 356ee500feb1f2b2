import type { ByteSink } from "../../base/files.js";
import type { NamedArray, NamedArrays } from "../parameters/parameters.js";
import { type Shapes, sizeOf } from "../parameters/shapes.js";
import { type ByteSource, openFile, quoted, rejectFile } from "./byteSource.js";
import { type Dtype, DTYPE_BITS, type FloatDtype, type StoredTensors, toFloat16, toFloat32 } from "./dtypes.js";

/**
 * Reads every tensor of a safetensors file as float32 under the file's own names: our checkpoints, optimizers too.
 * For files that others wrote, see `readWeights`.
 * @throws {CheckpointError} when the file breaks a rule of the format or holds other types than F32, F16 and BF16
 */
export async function readSafetensors(file: string): Promise<Map<string, NamedArray>> {
  return (await readWithMetadata(file)).arrays;
}

/** `readSafetensors`, with the file's own notes. */
export async function readWithMetadata(file: string) {
  const source = await openFile(file);
  try {
    const { tensors, metadata } = await openSafetensors(file, source);
    const arrays = new Map<string, NamedArray>();
    for (const [name, { dtype, shape, read }] of tensors) {
      arrays.set(name, { shape, values: toFloat32(`${file}: ${name}`, dtype, await read()) });
    }
    return { arrays, metadata };
  } finally {
    await source.close();
  }
}

/**
 * Writes float32 tensors in the order of their names; the same tensors give the same bytes. Borrows `arrays`, and asks
 * each for its values once, when its turn comes.
 */
export async function writeSafetensors(
  sink: ByteSink,
  arrays: NamedArrays,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const shapes = new Map([...arrays].map(([name, { shape }]) => [name, shape]));
  const values = (name: string) => Promise.resolve(arrays.get(name)?.values ?? new Float32Array());
  await streamSafetensors(sink, { shapes, values, metadata });
}

interface TensorStream {
  readonly shapes: Shapes;
  /** Called once for each name, in the file's order. */
  readonly values: (name: string) => Promise<Float32Array>;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Type in which a tensor of this shape is stored; F32 by default. */
  readonly dtypeOf?: (name: string, shape: readonly number[]) => FloatDtype;
}

/**
 * Writes tensors in the order of their names, with one in memory at a time.
 * @throws {CheckpointError} where a value is too large for its type
 * @throws {Error} `internal:` when values do not fill their shape
 */
export async function streamSafetensors(
  sink: ByteSink,
  { shapes, values, metadata = {}, dtypeOf = () => "F32" }: TensorStream,
): Promise<void> {
  const names = [...shapes.keys()].sort(byCodeUnits);
  const tensors = names.map((name) => {
    const shape = shapes.get(name) ?? [];
    return { name, shape, dtype: dtypeOf(name, shape) };
  });
  await sink.writeFile(header(tensors, metadata));
  for (const { name, shape, dtype } of tensors) {
    const array = await values(name);
    if (array.length !== sizeOf(shape)) throw new Error(`internal: ${name} does not fill its shape`);
    const stored = dtype === "F16" ? toFloat16(name, array) : array;
    await sink.writeFile(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
  }
}

/** The same order on every machine, whatever its language. */
function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

type TensorToWrite = { readonly name: string; readonly shape: readonly number[]; readonly dtype: FloatDtype };

/** Bytes of the header's length, which comes first. */
const LENGTH_BYTES = 8;

/** The header is padded with spaces so that data begin at a multiple of this. */
const ALIGNMENT = 8;

function header(tensors: readonly TensorToWrite[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const entries: [string, unknown][] = Object.keys(metadata).length > 0 ? [["__metadata__", metadata]] : [];
  let end = 0;
  for (const { name, shape, dtype } of tensors) {
    if (name === "__metadata__") rejectFile("writeSafetensors", "a tensor may not be called __metadata__");
    const begin = end;
    end += (DTYPE_BITS[dtype] / 8) * sizeOf(shape);
    entries.push([name, { dtype, shape, data_offsets: [begin, end] }]);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const bytes = new Uint8Array(LENGTH_BYTES + Math.ceil(json.length / ALIGNMENT) * ALIGNMENT).fill(0x20);
  bytes.set(json, LENGTH_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - LENGTH_BYTES), true);
  return bytes;
}

/** Bytes of a header that are read at most: the format allows 100 MB, the 600 tensors of ViT-L/14 take 80 kB. */
const MAX_HEADER = 10_000_000;

/** True where a file's first bytes may be a safetensors file's: a length, then JSON. */
export function looksLikeSafetensors(start: Uint8Array): boolean {
  const first = start[LENGTH_BYTES];
  return first !== undefined && "{ \n\r\t".includes(String.fromCharCode(first));
}

/** Opens a file and checks its header; tensors are read on request. @throws {CheckpointError} where a rule is broken */
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
  const json = await source.read(LENGTH_BYTES, Number(length));
  const { spans, metadata } = parseHeader(where, json);
  checkTiling(where, spans, source.size - dataStart);
  const tensors = [...spans].map(([name, { dtype, shape, begin, end }]) => {
    const read = () => source.read(dataStart + begin, end - begin);
    return [name, { dtype, shape, read }] as const;
  });
  return { tensors: new Map(tensors), metadata };
}

/** Position of a tensor's bytes, counted from the end of the header. */
interface TensorSpan {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** @throws {CheckpointError} naming the first rule of the format that is broken: sizes agree with shapes, keys are unique */
function parseHeader(where: string, json: Uint8Array) {
  const spans = new Map<string, TensorSpan>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(parseJson(where, json))) {
    if (name === "__metadata__") metadata = parseMetadata(where, value);
    else spans.set(name, parseSpan(`${where}: tensor ${quoted(name)}`, value));
  }
  return { spans, metadata };
}

function parseJson(where: string, bytes: Uint8Array): object {
  let value: unknown;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    return rejectFile(where, "the safetensors header is no JSON in UTF-8; is the file whole?");
  }
  const twice = duplicateKey(text);
  if (twice !== null) rejectFile(where, `the safetensors header has the key ${quoted(twice)} twice`);
  return isObject(value) ? value : rejectFile(where, "the safetensors header is no JSON object");
}

function parseMetadata(where: string, value: unknown): Record<string, string> {
  if (!isObject(value)) rejectFile(where, "__metadata__ of the safetensors header is no object");
  const entries = Object.entries(value).map(([key, text]): [string, string] => [
    key,
    typeof text === "string" ? text : rejectFile(where, `__metadata__ has ${quoted(key)} that is no text`),
  ]);
  return Object.fromEntries(entries);
}

/** More axes than any tensor has: keeps sizes within exact integers. */
const MAX_AXES = 8;

function parseSpan(where: string, value: unknown): TensorSpan {
  if (!isObject(value)) rejectFile(where, "is no object in the header");
  const { dtype, shape, data_offsets: offsets, ...rest }: Record<string, unknown> = { ...value };
  const [other] = Object.keys(rest);
  if (other !== undefined) rejectFile(where, `has an unknown key ${quoted(other)}`);
  if (!isDtype(dtype)) rejectFile(where, `has an unknown dtype ${quoted(String(dtype))}`);
  if (!isCounts(shape) || shape.length > MAX_AXES)
    rejectFile(where, "has a shape that is no list of up to 8 whole numbers");
  if (!isCounts(offsets) || offsets.length !== 2) rejectFile(where, "has data_offsets that are no two whole numbers");
  const [begin = 0, end = 0] = offsets;
  const bits = sizeOf(shape) * DTYPE_BITS[dtype];
  if (!Number.isSafeInteger(bits) || bits / 8 !== end - begin) {
    rejectFile(
      where,
      `of ${dtype} [${shape.join(", ")}] needs ${bits / 8} bytes, its data_offsets span ${end - begin}`,
    );
  }
  return { dtype, shape, begin, end };
}

/** @throws {CheckpointError} where the tensors do not cover the data without hole, overlap or rest */
function checkTiling(where: string, spans: ReadonlyMap<string, TensorSpan>, dataSize: number): void {
  const inOrder = [...spans].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  for (const [name, span] of inOrder) {
    if (span.begin !== end) {
      const fault = span.begin > end ? "leaves a gap after the tensor before it" : "overlaps the tensor before it";
      rejectFile(where, `tensor ${quoted(name)} ${fault}: it begins at ${span.begin}, that one ends at ${end}`);
    }
    end = span.end;
  }
  if (end === dataSize) return;
  rejectFile(
    where,
    `its tensors take ${end} bytes and the file holds ${dataSize}; ${end > dataSize ? "it is cut short" : "what is the rest?"}`,
  );
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0);
}

function isDtype(name: unknown): name is Dtype {
  return typeof name === "string" && Object.hasOwn(DTYPE_BITS, name);
}

/** A string, or one of the signs that matter, in JSON. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/gs;

/**
 * First key that occurs twice in one object of a JSON text, or null. JSON.parse silently keeps the last such value,
 * other readers the first: a file that two programs read differently is refused.
 */
function duplicateKey(text: string): string | null {
  const objects: Set<string>[] = []; // keys of the open objects; arrays have an empty set
  let last = "";
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") objects.push(new Set());
    else if (token === "}" || token === "]") objects.pop();
    else if (token === ":") {
      const keys = objects.at(-1);
      const key = JSON.parse(last) as string; // the token before a colon is a string
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
    last = token;
  }
  return null;
}
