import { sizeOf } from "../../parameters/shapes.js";
import {
  BadPickle,
  isTorchScriptClass,
  type Opcodes,
  PickleDict,
  PickleGlobal,
  type PickleMachine,
  PickleObject,
  PickleTuple,
  type PickleValue,
  TorchStorage,
  TorchTensor,
} from "./pickle.js";

/** Opcodes that name and call globals; their names are those of Python's `pickletools`. */
export const GLOBAL_OPCODES: Opcodes<PickleValue> = new Map<number, (m: PickleMachine) => PickleValue>([
  [0x63, global], // GLOBAL
  [0x52, reduce], // REDUCE
  [0x81, newObject], // NEWOBJ
  [0x51, (m) => storageOf(m.pop())], // BINPERSID
]);

function global(m: PickleMachine): PickleGlobal {
  const name = `${m.line()}.${m.line()}`;
  const isAllowed = CALLABLE.has(name) || isTorchScriptClass(name) || isStorageClass(name) || TYPES.has(name);
  if (!isAllowed) throw new BadPickle(`names ${JSON.stringify(name.slice(0, 80))}, which is not allowed`);
  return new PickleGlobal(name);
}

function newObject(m: PickleMachine): PickleObject {
  const args = m.pop();
  const type = m.pop();
  const isRecord = type instanceof PickleGlobal && isTorchScriptClass(type.name) && args instanceof PickleTuple;
  if (!isRecord || args.items.length > 0) throw new BadPickle("makes an object of no TorchScript class");
  return new PickleObject(type.name);
}

function reduce(m: PickleMachine): PickleValue {
  const args = m.pop();
  const callee = m.pop();
  if (!(callee instanceof PickleGlobal) || !(args instanceof PickleTuple)) throw new BadPickle("calls no global");
  const construct = CALLABLE.get(callee.name);
  if (construct === undefined) throw new BadPickle(`calls ${callee.name}, which is not allowed`);
  return construct(args.items);
}

type Construct = (args: readonly PickleValue[]) => PickleValue;

/** Functions that PyTorch's own checkpoints call, each carried out here on inert values; every other is refused. */
const CALLABLE: ReadonlyMap<string, Construct> = new Map<string, Construct>([
  ["collections.OrderedDict", emptyDict],
  ["torch._utils._rebuild_tensor_v2", rebuildTensor],
  ["torch._utils._rebuild_parameter", ([tensor]) => expected(tensor instanceof TorchTensor && tensor, "a parameter")],
  ["torch.Size", ([sizes]) => expected(sizes instanceof PickleTuple && sizes, "a size")],
  // Learning-rate schedules and scores beside the weights; only the name is kept.
  ...[
    "collections.Counter",
    "collections.defaultdict",
    "torch.device",
    "torch.jit._pickle.build_intlist",
    "torch.jit._pickle.build_doublelist",
    "torch.jit._pickle.build_boollist",
    "torch.jit._pickle.build_tensorlist",
    "torch.jit._pickle.restore_type_tag",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "_codecs.encode",
  ].map((name): [string, Construct] => [name, () => new PickleObject(name)]),
]);

/** Globals that are named without being called: element types, and the argument of a `defaultdict`. */
const TYPES: ReadonlySet<string> = new Set([
  ...["float16", "float32", "float64", "bfloat16", "int64", "int32", "uint8", "bool"].map((type) => `torch.${type}`),
  ...["dict", "list", "int", "float"].flatMap((type) => [`__builtin__.${type}`, `builtins.${type}`]),
]);

/** True for names such as `torch.FloatStorage`, as in a persistent id. */
function isStorageClass(name: string): boolean {
  return /^torch\.[A-Z][A-Za-z0-9]*Storage$/.test(name);
}

/** Storage of a persistent id: ("storage", class, key, device, number of elements). */
function storageOf(id: PickleValue): TorchStorage {
  const [kind, type, key, , count] = id instanceof PickleTuple ? id.items : [];
  const name = type instanceof PickleGlobal ? type.name : "";
  const isStorage = kind === "storage" && isStorageClass(name) && typeof key === "string" && isCount(count);
  if (!isStorage) throw new BadPickle("has a persistent id that is no storage");
  return new TorchStorage(name.slice("torch.".length), key, count);
}

function emptyDict(args: readonly PickleValue[]): PickleDict {
  if (args.length > 0) throw new BadPickle("makes an OrderedDict out of something, not empty");
  return new PickleDict();
}

/** (storage, offset, sizes, strides, requires_grad, hooks[, metadata]) */
function rebuildTensor([storage, offset, sizes, strides]: readonly PickleValue[]): TorchTensor {
  const shape = counts(sizes);
  const steps = counts(strides);
  if (!(storage instanceof TorchStorage) || !isCount(offset) || shape.length !== steps.length) {
    throw new BadPickle("rebuilds a tensor from something else than a storage, an offset, sizes and strides");
  }
  const last = shape.reduce((at, size, axis) => at + (size - 1) * (steps[axis] ?? 0), offset);
  const size = sizeOf(shape);
  if (size > 0 && !(last < storage.count && size <= storage.count)) {
    throw new BadPickle(
      `has a tensor of [${shape.join(", ")}] at ${offset} that overruns its storage of ${storage.count} elements`,
    );
  }
  return new TorchTensor(storage, offset, shape, steps);
}

/** More axes than any tensor has: keeps element counts within exact integers. */
const MAX_AXES = 8;

function counts(value: PickleValue | undefined): readonly number[] {
  const items = value instanceof PickleTuple ? value.items : null;
  if (items === null || items.length > MAX_AXES || !items.every(isCount)) {
    throw new BadPickle("has a tensor whose sizes or strides are no whole numbers");
  }
  return items;
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function expected<T>(value: T | false, what: string): T {
  if (value === false) throw new BadPickle(`makes ${what} out of something else`);
  return value;
}
