import { sizeOf } from "../parameters/shapes.js";
import { rejectFile, quoted } from "./byteSource.js";
import { type Dtype, DTYPE_BITS, isDtype } from "./dtypes.js";

/** Where a tensor's bytes lie, counted from the end of the header. */
interface TensorSpan {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorSpan>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** More axes than any tensor has: keeps sizes within exact integers. */
const MAX_AXES = 8;

/**
 * Parses a safetensors header by the format's own rules: tensors tile the data without hole, overlap or rest, sizes
 * agree with shapes, no key stands twice.
 *
 * @param where the file, for messages
 * @param bytes the header's JSON, UTF-8
 * @param dataSize bytes after the header
 * @throws {CheckpointError} naming the first rule that is broken
 */
export function parseSafetensorsHeader(where: string, bytes: Uint8Array, dataSize: number): SafetensorsHeader {
  const header = parseJson(where, bytes);
  const tensors = new Map<string, TensorSpan>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") metadata = parseMetadata(where, value);
    else tensors.set(name, parseSpan(`${where}: tensor ${quoted(name)}`, value));
  }
  checkTiling(where, tensors, dataSize);
  return { tensors, metadata };
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

function checkTiling(where: string, tensors: ReadonlyMap<string, TensorSpan>, dataSize: number): void {
  const inOrder = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
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

/** A string, or one of the signs that matter, in JSON. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/gs;

/**
 * The first key that stands twice in one object of a JSON text, or null. JSON.parse keeps the last such value without
 * a word, other readers the first: a file that two programs read differently is refused.
 *
 * @param text valid JSON
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
