import { sizeOf } from "../../parameters/shapes.js";
import type { ByteSource } from "../byteSource.js";
import { type Dtype, DTYPE_BITS, type StoredTensor, type StoredTensors } from "../dtypes.js";
import { refuse, shown } from "../refuse.js";
import type { TorchTensor } from "./pickleValues.js";
import { stateDict } from "./stateDict.js";
import { unpickle } from "./unpickle.js";
import { openZip, type ZipEntry } from "./zip.js";

/** PyTorch's storage classes in safetensors' words. */
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

/** The pickle of ViT-L/14 with its optimizer has 200 kB; bounds what a hostile one costs. */
const MAX_PICKLE = 16 * 2 ** 20;

export interface TorchArchive {
  readonly format: "torch.save" | "TorchScript";
  readonly tensors: StoredTensors;
  /** Keys of the dicts that the state dict was found under. */
  readonly wrappers: readonly string[];
}

/**
 * Opens what `torch.save` (PyTorch 1.6 or later) or `torch.jit.save` wrote: a zip archive of one pickle and one entry
 * for each storage. Code in it is never opened, and the pickle runs nothing.
 *
 * @param where the file, for messages
 * @throws {CheckpointError} when the archive, the pickle or a tensor in it is refused
 */
export async function openTorchArchive(where: string, source: ByteSource): Promise<TorchArchive> {
  const entries = await openZip(where, source);
  const [pickleName, ...others] = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const pickle = pickleName === undefined ? undefined : entries.get(pickleName);
  if (pickleName === undefined || pickle === undefined || others.length > 0) {
    return refuse(where, "is a zip archive, but none of PyTorch's: it has no data.pkl in its one folder");
  }
  if (pickle.size > MAX_PICKLE) refuse(where, `its data.pkl has ${pickle.size} bytes; at most ${MAX_PICKLE} are read`);
  const folder = pickleName.slice(0, -"data.pkl".length);
  await checkByteOrder(where, entries.get(`${folder}byteorder`));
  const { tensors, wrappers } = stateDict(where, unpickle(where, await pickle.read()));
  const stored = [...tensors].map(([name, tensor]) => {
    const key = `${folder}data/${tensor.storage.key}`;
    return [name, storedTensor(`${where}: tensor ${shown(name)}`, tensor, entries.get(key))] as const;
  });
  const format = entries.has(`${folder}constants.pkl`) ? "TorchScript" : "torch.save";
  return { format, tensors: new Map(stored), wrappers };
}

async function checkByteOrder(where: string, entry: ZipEntry | undefined): Promise<void> {
  if (entry === undefined) return; // PyTorch before 2.1 wrote none, on little-endian machines
  const order = entry.size <= 8 ? new TextDecoder().decode(await entry.read()) : "something else";
  if (order !== "little") refuse(where, `is in ${shown(order)} byte order; only "little" is read`);
}

function storedTensor(where: string, tensor: TorchTensor, entry: ZipEntry | undefined): StoredTensor {
  const { storage, shape } = tensor;
  const dtype = STORAGE_DTYPES.get(storage.type);
  if (dtype === undefined) return refuse(where, `is of ${storage.type}, which is not read`);
  if (entry === undefined) return refuse(where, `has no data/${storage.key} in the archive`);
  const itemSize = DTYPE_BITS[dtype] / 8;
  if (entry.size !== storage.count * itemSize) {
    refuse(where, `claims a storage of ${storage.count} ${dtype}, its entry in the archive has ${entry.size} bytes`);
  }
  return { dtype, shape, read: async () => elements(await entry.read(), tensor, itemSize) };
}

/** A tensor's elements in row-major order, out of its storage. */
function elements(storage: Uint8Array<ArrayBuffer>, { offset, shape, strides }: TorchTensor, itemSize: number) {
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
