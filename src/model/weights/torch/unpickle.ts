import { rejectFile } from "../byteSource.js";
import {
  BadPickle,
  isTorchScriptClass,
  type Opcodes,
  PickleDict,
  PickleList,
  PickleMachine,
  PickleObject,
  PickleTuple,
  type PickleValue,
} from "./pickle.js";
import { GLOBAL_OPCODES } from "./pickleGlobals.js";

/** Protocol in which PyTorch writes, and the only one that is read. */
const PROTOCOL = 2;
/** Values of a pickle at most, which bounds its memory: ViT-L/14's with its optimizer has 100,000. */
const MAX_VALUES = 1_000_000;

/**
 * Reads a pickle of PyTorch's without running any of it. The opcodes are those that PyTorch writes, every global is a
 * tag, and the few calls that are allowed make records of their arguments. Time and memory are linear in the pickle's
 * size: no opcode copies the stack.
 *
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

function run(m: PickleMachine): PickleValue {
  let values = 0;
  for (;;) {
    const opcode = m.byte();
    const value = VALUES.get(opcode);
    const effect = EFFECTS.get(opcode);
    if (value !== undefined) {
      if (++values > MAX_VALUES) throw new BadPickle(`has more than ${MAX_VALUES} values`);
      m.push(value(m));
    } else if (effect !== undefined) effect(m);
    else if (opcode === STOP) return m.pop();
    else throw new BadPickle(`has opcode 0x${opcode.toString(16).padStart(2, "0")}, which is not allowed`);
  }
}

const STOP = 0x2e;

/** Opcodes that push a value; their names are those of Python's `pickletools`. */
const VALUES: Opcodes<PickleValue> = new Map<number, (m: PickleMachine) => PickleValue>([
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
  ...GLOBAL_OPCODES,
]);

/** Opcodes that change the machine or a value. */
// prettier-ignore
const EFFECTS: Opcodes<void> = new Map<number, (m: PickleMachine) => void>([
  [0x80, protocol], // PROTO
  [0x28, (m) => { m.mark(); }], // MARK
  [0x71, (m) => { m.put(m.byte()); }], // BINPUT
  [0x72, (m) => { m.put(m.uint32()); }], // LONG_BINPUT
  [0x61, (m) => { append(m, [m.pop()]); }], // APPEND
  [0x65, (m) => { append(m, m.popMark()); }], // APPENDS
  [0x73, (m) => { set(m, [m.pop(), m.pop()].reverse()); }], // SETITEM
  [0x75, (m) => { set(m, m.popMark()); }], // SETITEMS
  [0x62, build], // BUILD
]);

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
