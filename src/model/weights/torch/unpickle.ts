import { sizeOf } from "../../parameters/shapes.js";
import { rejectFile } from "../byteSource.js";
import {
  BadPickle,
  isTorchScriptClass,
  PickleDict,
  PickleGlobal,
  PickleList,
  PickleMachine,
  PickleObject,
  PickleTuple,
  type PickleValue,
  TorchStorage,
  TorchTensor,
} from "./pickle.js";

/** Protocol in which PyTorch writes, and the only one that is read. */
const PROTOCOL = 2;
/** Values of a pickle at most, which bounds its memory: ViT-L/14's with its optimizer has 100,000. */
const MAX_VALUES = 1_000_000;

/**
 * Reads a pickle of PyTorch's without running any of it. The opcodes are those that PyTorch writes, every global is a
 * tag, and the few allowed calls make records of their arguments. Time and memory are linear in the pickle's size.
 * @throws {CheckpointError} for any other opcode, global or target, and for a pickle that ends early
 */
export function unpickle(where: string, bytes: Uint8Array): PickleValue {
  const machine = new PickleMachine(bytes);
  try {
    return run(machine);
  } catch (error) {
    if (error instanceof BadPickle) rejectFile(where, `refused, its pickle ${error.message} (at byte ${machine.at})`);
    throw error;
  }
}

/**
 * Reads a pickle of plain data (dicts, lists, tuples, texts, numbers) in any binary protocol of Python's. It may name no
 * class and no function at all.
 * @throws {BadPickle} for any other opcode, and for a pickle that ends early
 */
export function unpickleData(bytes: Uint8Array): PickleValue {
  return run(new PickleMachine(bytes), DATA_VALUES, DATA_EFFECTS);
}

function run(m: PickleMachine, readers = VALUES, effects = EFFECTS): PickleValue {
  let values = 0;
  for (;;) {
    const opcode = m.byte();
    const value = readers.get(opcode);
    const effect = effects.get(opcode);
    if (value !== undefined) {
      if (++values > MAX_VALUES) throw new BadPickle(`has more than ${MAX_VALUES} values`);
      m.push(value(m));
    } else if (effect !== undefined) effect(m);
    else if (opcode === STOP) return m.pop();
    else throw new BadPickle(`has opcode 0x${opcode.toString(16).padStart(2, "0")}, which is not allowed`);
  }
}

const STOP = 0x2e;
const BUILD = 0x62;

/** Opcodes that push a value; their names are those of Python's `pickletools`. */
const VALUES = new Map<number, (m: PickleMachine) => PickleValue>([
  [0x4e, () => null], // NONE
  [0x88, () => true], // NEWTRUE
  [0x89, () => false], // NEWFALSE
  [0x4a, (m) => m.int32()], // BININT
  [0x4b, (m) => m.byte()], // BININT1
  [0x4d, (m) => m.uint16()], // BININT2
  [0x8a, (m) => littleEndian(m.take(m.byte()))], // LONG1
  [0x47, (m) => m.float64()], // BINFLOAT
  [0x58, (m) => m.text(m.uint32())], // BINUNICODE
  [0x55, (m) => m.text(m.byte())], // SHORT_BINSTRING
  [0x29, () => new PickleTuple([])], // EMPTY_TUPLE
  [0x85, (m) => tuple(m, 1)], // TUPLE1
  [0x86, (m) => tuple(m, 2)], // TUPLE2
  [0x87, (m) => tuple(m, 3)], // TUPLE3
  [0x74, (m) => new PickleTuple(m.popMark())], // TUPLE
  [0x5d, () => new PickleList()], // EMPTY_LIST
  [0x7d, () => new PickleDict()], // EMPTY_DICT
  [0x68, (m) => m.get(m.byte())], // BINGET
  [0x6a, (m) => m.get(m.uint32())], // LONG_BINGET
  [0x63, global], // GLOBAL
  [0x52, reduce], // REDUCE
  [0x81, newObject], // NEWOBJ
  [0x51, (m) => storageOf(m.pop())], // BINPERSID
]);

/** Opcodes that change the machine or a value. */
// prettier-ignore
const EFFECTS = new Map<number, (m: PickleMachine) => void>([
  [0x80, protocol], // PROTO
  [0x28, (m) => { m.mark(); }], // MARK
  [0x71, (m) => { m.put(m.byte()); }], // BINPUT
  [0x72, (m) => { m.put(m.uint32()); }], // LONG_BINPUT
  [0x61, (m) => { append(m, [m.pop()]); }], // APPEND
  [0x65, (m) => { append(m, m.popMark()); }], // APPENDS
  [0x73, (m) => { set(m, [m.pop(), m.pop()].reverse()); }], // SETITEM
  [0x75, (m) => { set(m, m.popMark()); }], // SETITEMS
  [BUILD, build],
]);

/** Opcodes that name or call something; data have none. */
const NAMING = [0x63, 0x52, 0x81, 0x51];

/** Opcodes of data in protocols 2 to 5. */
const DATA_VALUES = new Map<number, (m: PickleMachine) => PickleValue>([
  ...[...VALUES].filter(([opcode]) => !NAMING.includes(opcode)),
  [0x8c, (m) => m.text(m.byte())], // SHORT_BINUNICODE
]);
// prettier-ignore
const DATA_EFFECTS = new Map<number, (m: PickleMachine) => void>([
  ...[...EFFECTS].filter(([opcode]) => opcode !== BUILD),
  [0x80, dataProtocol], // PROTO
  [0x95, (m) => { m.take(8); }], // FRAME: a length, which the opcodes tell as well
  [0x94, (m) => { m.memoize(); }], // MEMOIZE
]);

const NEWEST_PROTOCOL = 5;

function dataProtocol(m: PickleMachine): void {
  const version = m.byte();
  if (version < PROTOCOL || version > NEWEST_PROTOCOL) throw new BadPickle(`is of protocol ${version}, not 2 to 5`);
}

function protocol(m: PickleMachine): void {
  const version = m.byte();
  if (version !== PROTOCOL) throw new BadPickle(`is of protocol ${version}, not ${PROTOCOL}`);
}

/** Whole number of any length, two's complement; a plain number where that is exact. */
function littleEndian(bytes: Uint8Array): number | bigint {
  const value = bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const signed = BigInt.asIntN(8 * bytes.length, value);
  return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
}

function tuple(m: PickleMachine, length: number): PickleTuple {
  return new PickleTuple(Array.from({ length }, () => m.pop()).reverse());
}

function append(m: PickleMachine, items: readonly PickleValue[]): void {
  const list = m.top();
  if (!(list instanceof PickleList)) throw new BadPickle("appends to something else than a list");
  for (const item of items) list.items.push(item);
}

/** @param items  keys and values in turn */
function set(m: PickleMachine, items: readonly PickleValue[]): void {
  const dict = m.top();
  if (!(dict instanceof PickleDict)) throw new BadPickle("sets items of something else than a dict");
  if (items.length % 2 !== 0) throw new BadPickle("has a key without a value");
  for (let i = 0; i < items.length; i += 2) {
    const key = items[i] ?? null;
    if (dict.items.has(key)) throw new BadPickle(`has the key ${shown(key)} twice`);
    dict.items.set(key, items[i + 1] ?? null);
  }
}

function shown(key: PickleValue): string {
  return typeof key === "string" ? JSON.stringify(key.slice(0, 80)) : typeof key;
}

/** Gives a TorchScript object its fields. Attributes of other values (a state dict's `_metadata`) are ignored. */
function build(m: PickleMachine): void {
  const state = m.pop();
  const target = m.top();
  if (target instanceof PickleDict) return;
  if (!(target instanceof PickleObject)) throw new BadPickle("gives fields to something that can have none");
  if (!isTorchScriptClass(target.madeBy)) return;
  if (!(state instanceof PickleDict) || target.fields !== null) throw new BadPickle("gives an object odd fields");
  target.fields = state;
}

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
  [
    "torch._utils._rebuild_parameter_with_state",
    ([tensor]) => expected(tensor instanceof TorchTensor && tensor, "a parameter"),
  ],
  ["torch._tensor._rebuild_from_type_v2", rebuildFromType],
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

/** Functions that `_rebuild_from_type_v2` may be asked to call, and classes that it may be asked to make. */
const TENSOR_MAKERS: ReadonlyMap<string, Construct> = new Map([["torch._utils._rebuild_tensor_v2", rebuildTensor]]);
const TENSOR_CLASSES: ReadonlySet<string> = new Set([
  "torch.Tensor",
  "torch._tensor.Tensor",
  "torch.nn.parameter.Buffer",
]);

/** Globals that are named without being called: element types, and the argument of a `defaultdict`. */
const TYPES: ReadonlySet<string> = new Set([
  ...TENSOR_CLASSES,
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

/** (function, class, arguments, attributes): a tensor with attributes, as `torch.nn.Buffer` is one. */
function rebuildFromType([callee, type, args]: readonly PickleValue[]): PickleValue {
  const construct = callee instanceof PickleGlobal ? TENSOR_MAKERS.get(callee.name) : undefined;
  const isPlain = type instanceof PickleGlobal && TENSOR_CLASSES.has(type.name);
  if (construct === undefined || !isPlain || !(args instanceof PickleTuple)) {
    throw new BadPickle("rebuilds an object that is no plain tensor");
  }
  return construct(args.items);
}

/** True where a tensor's metadata say that its storage holds the values with the other sign. */
function isNegated(metadata: PickleValue | undefined): boolean {
  if (metadata === undefined || metadata === null) return false;
  if (!(metadata instanceof PickleDict)) throw new BadPickle("has a tensor with metadata that are no dict");
  for (const [key, value] of metadata.items) {
    if ((key !== "neg" && key !== "conj") || typeof value !== "boolean") {
      throw new BadPickle(`has a tensor with the metadata ${shown(key)}, which is not read`);
    }
  }
  return metadata.items.get("neg") === true; // conjugation leaves real numbers as they are
}

/** (storage, offset, sizes, strides, requires_grad, hooks[, metadata]) */
function rebuildTensor(args: readonly PickleValue[]): TorchTensor {
  const [storage, offset, sizes, strides, , , metadata] = args;
  const shape = counts(sizes);
  const steps = counts(strides);
  if (!(storage instanceof TorchStorage) || !isCount(offset) || shape.length !== steps.length) {
    throw new BadPickle("rebuilds a tensor from something else than a storage, an offset, sizes and strides");
  }
  const last = shape.reduce((at, size, axis) => at + (size - 1) * (steps[axis] ?? 0), offset);
  const size = sizeOf(shape);
  const what = `has a tensor of [${shape.join(", ")}] at ${offset} that`;
  if (size > 0 && !(last < storage.count)) {
    throw new BadPickle(`${what} overruns its storage of ${storage.count} elements`);
  }
  if (size > storage.count) {
    throw new BadPickle(`${what} repeats its storage of ${storage.count} elements; save it as a copy (tensor.clone())`);
  }
  return new TorchTensor(storage, { offset, shape, strides: steps, isNegated: isNegated(metadata) });
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
