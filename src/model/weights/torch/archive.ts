import { sizeOf } from "../../parameters/shapes.js";
import { type ByteSource, quoted, rejectFile } from "../byteSource.js";
import { type Dtype, DTYPE_BITS, type StoredTensor, type StoredTensors } from "../dtypes.js";
import { isTorchScriptClass, PickleDict, PickleObject, type PickleValue, TorchTensor } from "./pickle.js";
import { unpickle } from "./unpickle.js";
import { openZip, type ZipEntry } from "./zip.js";

/** Safetensors' types of PyTorch's storage classes. */
const STORAGE_DTYPES: ReadonlyMap<string, Dtype> = new Map([
  ["FloatStorage", "F32"],
  ["HalfStorage", "F16"],
  ["BFloat16Storage", "BF16"],
  ["DoubleStorage", "F64"],
  ["LongStorage", "I64"],
  ["IntStorage", "I32"],
  ["ShortStorage", "I16"],
  ["CharStorage", "I8"],
  ["ByteStorage", "U8"],
  ["BoolStorage", "BOOL"],
]);

/** Bytes of a pickle that are read at most: ViT-L/14's with its optimizer has 200 kB. */
const MAX_PICKLE = 16 * 2 ** 20;

interface TorchArchive {
  readonly format: "torch.save" | "TorchScript";
  readonly tensors: StoredTensors;
  /** Keys of the dicts around the state dict. */
  readonly wrappers: readonly string[];
}

/**
 * Opens a file of `torch.save` (PyTorch 1.6 or later) or `torch.jit.save`: a zip archive of one pickle and one entry
 * for each storage. Code in it is never opened, and the pickle runs nothing.
 * @throws {CheckpointError} when the archive, the pickle or a tensor in it is refused
 */
export async function openTorchArchive(where: string, source: ByteSource): Promise<TorchArchive> {
  const entries = await openZip(where, source);
  const [pickleName, ...others] = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const pickle = pickleName === undefined ? undefined : entries.get(pickleName);
  if (pickleName === undefined || pickle === undefined || others.length > 0) {
    return rejectFile(where, "is a zip archive, but none of PyTorch's: it has no data.pkl in its one folder");
  }
  if (pickle.size > MAX_PICKLE)
    rejectFile(where, `its data.pkl has ${pickle.size} bytes; at most ${MAX_PICKLE} are read`);
  const folder = pickleName.slice(0, -"data.pkl".length);
  await checkByteOrder(where, entries.get(`${folder}byteorder`));
  const { tensors, wrappers } = stateDict(where, unpickle(where, await pickle.read()));
  const stored = [...tensors].map(([name, tensor]) => {
    const key = `${folder}data/${tensor.storage.key}`;
    return [name, storedTensor(`${where}: tensor ${quoted(name)}`, tensor, entries.get(key))] as const;
  });
  const format = entries.has(`${folder}constants.pkl`) ? "TorchScript" : "torch.save";
  return { format, tensors: new Map(stored), wrappers };
}

async function checkByteOrder(where: string, entry: ZipEntry | undefined): Promise<void> {
  if (entry === undefined) return; // PyTorch before 2.1 wrote none, on little-endian machines
  const order = entry.size <= 8 ? new TextDecoder().decode(await entry.read()) : "something else";
  if (order !== "little") rejectFile(where, `is in ${quoted(order)} byte order; only "little" is read`);
}

function storedTensor(where: string, tensor: TorchTensor, entry: ZipEntry | undefined): StoredTensor {
  const { storage, view } = tensor;
  const dtype = STORAGE_DTYPES.get(storage.type);
  if (dtype === undefined) return rejectFile(where, `is of ${storage.type}, which is not read`);
  if (entry === undefined) return rejectFile(where, `has no data/${storage.key} in the archive`);
  const itemSize = DTYPE_BITS[dtype] / 8;
  if (entry.size !== storage.count * itemSize) {
    rejectFile(
      where,
      `claims a storage of ${storage.count} ${dtype}, its entry in the archive has ${entry.size} bytes`,
    );
  }
  if (view.isNegated && !FLOATS.includes(dtype)) rejectFile(where, `is a negated view of ${dtype}; save it as a copy`);
  const read = async () => {
    const values = elements(await entry.read(), view, itemSize);
    if (view.isNegated) negate(values, itemSize);
    return values;
  };
  return { dtype, shape: view.shape, read };
}

/** Types whose sign is the highest bit of an element. */
const FLOATS: readonly Dtype[] = ["F32", "F16", "BF16", "F64"];

/** Turns the sign of little-endian floating point numbers, in place. */
function negate(bytes: Uint8Array, itemSize: number): void {
  for (let at = itemSize - 1; at < bytes.length; at += itemSize) bytes[at] = (bytes[at] ?? 0) ^ 0x80;
}

/** Elements of a tensor in row-major order, gathered from its storage. */
function elements(storage: Uint8Array<ArrayBuffer>, { offset, shape, strides }: TorchTensor["view"], itemSize: number) {
  const size = sizeOf(shape);
  const start = offset * itemSize;
  if (size === storage.length / itemSize && isRowMajor(shape, strides)) return storage;
  if (isRowMajor(shape, strides)) return storage.slice(start, start + size * itemSize);
  const gathered = new Uint8Array(size * itemSize);
  const index = shape.map(() => 0);
  let from = offset;
  for (let i = 0; i < size; i++) {
    for (let b = 0; b < itemSize; b++) gathered[i * itemSize + b] = storage[from * itemSize + b] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const [next, stride] = [(index[axis] ?? 0) + 1, strides[axis] ?? 0];
      from += stride;
      index[axis] = next;
      if (next < (shape[axis] ?? 0)) break;
      from -= next * stride;
      index[axis] = 0;
    }
  }
  return gathered;
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 0;
    if (size !== 1 && strides[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}

/** Keys under which training programs put the weights, the likeliest first. */
const WRAPPER_KEYS = [
  ...["model_state_dict", "state_dict", "params_ema", "params", "model", "net", "module"],
  ...["model_ema", "state_dict_ema", "ema_state_dict", "ema", "ema_model", "teacher"],
];
/** Most nested wrappers and modules. */
const MAX_DEPTH = 32;
/** Most fields visited in a TorchScript module: its objects may contain each other many times. */
const MAX_VISITS = 100_000;

/**
 * Named tensors of an unpickled file: of a state dict, of one under a wrapper's key, or of a TorchScript module, whose
 * parameters are named by their path. @throws {CheckpointError} when there are none, with what the file holds instead
 */
function stateDict(
  where: string,
  value: PickleValue,
): { tensors: ReadonlyMap<string, TorchTensor>; wrappers: readonly string[] } {
  const wrappers: string[] = [];
  let inner = value;
  while (inner instanceof PickleDict && wrappers.length < MAX_DEPTH) {
    const { items } = inner;
    const key = WRAPPER_KEYS.find((wrapper) => isContainer(items.get(wrapper)));
    if (key === undefined) break;
    wrappers.push(key);
    inner = items.get(key) ?? null;
  }
  const tensors = inner instanceof PickleObject ? tensorsOfModule(where, inner) : new Map<string, TorchTensor>();
  for (const [name, item] of inner instanceof PickleDict ? inner.items : []) {
    if (typeof name === "string" && item instanceof TorchTensor) tensors.set(name, item);
  }
  if (tensors.size === 0) rejectFile(where, `holds no state dict (${describe(inner)}); save model.state_dict()`);
  return { tensors, wrappers };
}

function isContainer(value: PickleValue | undefined): boolean {
  return value instanceof PickleDict || (value instanceof PickleObject && isTorchScriptClass(value.madeBy));
}

/** Parameters and buffers of a TorchScript module and the modules in it. */
function tensorsOfModule(where: string, module: PickleObject): Map<string, TorchTensor> {
  const tensors = new Map<string, TorchTensor>();
  let visits = 0;
  const open = [{ module, prefix: "", depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const [name, value] of next.module.fields?.items ?? []) {
      if (++visits > MAX_VISITS || next.depth > MAX_DEPTH)
        rejectFile(where, "its modules stand in each other without end");
      const path = `${next.prefix}${typeof name === "string" ? name : "?"}`;
      if (value instanceof TorchTensor) tensors.set(path, value);
      if (value instanceof PickleObject) open.push({ module: value, prefix: `${path}.`, depth: next.depth + 1 });
    }
  }
  return tensors;
}

function describe(value: PickleValue): string {
  if (value instanceof PickleObject) return `an object of ${value.madeBy}`;
  if (!(value instanceof PickleDict)) return `its pickle is no dict`;
  const keys = [...value.items.keys()].slice(0, 5).map((key) => (typeof key === "string" ? key : typeof key));
  return keys.length === 0 ? "an empty dict" : `a dict of ${keys.join(", ")}`;
}
