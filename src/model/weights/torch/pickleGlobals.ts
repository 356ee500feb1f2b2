/** What a call in a pickle gives; null when its arguments are not what PyTorch writes. */
type Construct = (args: readonly PickleValue[]) => PickleValue;

/** Says why arguments are refused; the unpickler adds the file's name. */
export class BadPickle extends Error {
  override readonly name = "BadPickle";
}

/** More axes than any tensor has: keeps element counts within exact integers. */
const MAX_AXES = 8;

/** Names of classes in TorchScript archives; their objects are records of fields. */
export function isTorchScriptClass(name: string): boolean {
  return name.startsWith("__torch__.");
}

/** `torch.FloatStorage` and its like, as they stand in a persistent id. */
function isStorageClass(name: string): boolean {
  return /^torch\.[A-Z][A-Za-z0-9]*Storage$/.test(name);
}

/** Functions that PyTorch's own checkpoints call, each carried out here on inert values; every other is refused. */
const CALLABLE: ReadonlyMap<string, Construct> = new Map<string, Construct>([
  ["collections.OrderedDict", emptyDict],
  ["torch._utils._rebuild_tensor_v2", rebuildTensor],
  ["torch._utils._rebuild_parameter", ([tensor]) => need(tensor instanceof TorchTensor && tensor, "a parameter")],
  ["torch.Size", ([sizes]) => need(sizes instanceof PickleTuple && sizes, "a size")],
  // Bystanders of the weights: learning-rate schedules and scores. They are remembered by name alone.
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

/** Whether a pickle may name this global at all. */
export function isAllowedGlobal(name: string): boolean {
  return CALLABLE.has(name) || isTorchScriptClass(name) || isStorageClass(name) || TYPES.has(name);
}

/** Named without being called: element types, and the argument of a `defaultdict`. */
const TYPES: ReadonlySet<string> = new Set([
  ...["float16", "float32", "float64", "bfloat16", "int64", "int32", "uint8", "bool"].map((type) => `torch.${type}`),
  ...["dict", "list", "int", "float"].flatMap((type) => [`__builtin__.${type}`, `builtins.${type}`]),
]);

/** Carries out an allowed call. @throws {BadPickle} when the global may not be called or the arguments do not fit */
export function call(global: PickleGlobal, args: readonly PickleValue[]): PickleValue {
  const construct = CALLABLE.get(global.name);
  if (construct === undefined) throw new BadPickle(`calls ${global.name}, which is not allowed`);
  return construct(args);
}

/** A persistent id: ("storage", class, key, device, number of elements). */
export function storageOf(id: PickleValue): TorchStorage {
  const items = id instanceof PickleTuple ? id.items : [];
  const [kind, type, key, , count] = items;
  const name = type !== null && typeof type === "object" && "name" in type ? type.name : "";
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
  const size = shape.reduce((product, axis) => product * axis, 1);
  if (size > 0 && !(last < storage.count && size <= storage.count)) {
    throw new BadPickle(
      `has a tensor of [${shape.join(", ")}] at ${offset} that overruns its storage of ${storage.count} elements`,
    );
  }
  return new TorchTensor(storage, offset, shape, steps);
}

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

function need<T>(value: T | false, what: string): T {
  if (value === false) throw new BadPickle(`makes ${what} out of something else`);
  return value;
}

/**
 * What an unpickled file is made of. Nothing here is looked up, imported or called: a global is the text of its name.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleTuple
  | PickleList
  | PickleDict
  | PickleGlobal
  | PickleObject
  | TorchStorage
  | TorchTensor;

export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

export class PickleList {
  readonly items: PickleValue[] = [];
}

/** A dict or an OrderedDict; a `Map`, since keys such as `__proto__` come from the file. */
export class PickleDict {
  readonly items = new Map<PickleValue, PickleValue>();
}

/** A name in Python, `collections.OrderedDict`: a tag, and never more than that. */
export class PickleGlobal {
  constructor(readonly name: string) {}
}

/** Something made by a class or function that is not carried out here: its name, and a TorchScript object's fields. */
export class PickleObject {
  fields: PickleDict | null = null;
  constructor(readonly madeBy: string) {}
}

/** A run of numbers in the archive's `data/<key>`. */
class TorchStorage {
  constructor(
    readonly type: string,
    readonly key: string,
    readonly count: number,
  ) {}
}

/** A view of a storage; offset and strides count elements. */
export class TorchTensor {
  constructor(
    readonly storage: TorchStorage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}
