import { rejectFile } from "../byteSource.js";
import type { PickleValue } from "./pickleGlobals.js";
import {
  BadPickle,
  call,
  isAllowedGlobal,
  isTorchScriptClass,
  PickleDict,
  PickleGlobal,
  PickleList,
  PickleObject,
  PickleTuple,
  storageOf,
} from "./pickleGlobals.js";

/** The protocol in which PyTorch writes, and the only one that is read. */
const PROTOCOL = 2;
/** The pickle of ViT-L/14 with its optimizer has 100,000 values; bounds the memory that a hostile one costs. */
const MAX_VALUES = 1_000_000;

/**
 * Reads a pickle of PyTorch's without running any of it. The opcodes are those that PyTorch writes, every global is a
 * tag, and the few calls that are allowed make records of what they were called with (`pickleGlobals.ts`).
 *
 * Time and memory are linear in the pickle's size: no opcode copies what is on the stack.
 *
 * @param where the file, for messages
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
const VALUES: ReadonlyMap<number, (m: PickleMachine) => PickleValue> = new Map<
  number,
  (m: PickleMachine) => PickleValue
>([
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

/** Opcodes that change what is there. */
const EFFECTS: ReadonlyMap<number, (m: PickleMachine) => void> = new Map<number, (m: PickleMachine) => void>([
  [0x80, protocol], // PROTO
  [0x28, mark], // MARK
  [0x71, putByte], // BINPUT
  [0x72, putLong], // LONG_BINPUT
  [0x61, appendOne], // APPEND
  [0x65, appendAll], // APPENDS
  [0x73, setItem], // SETITEM
  [0x75, setItems], // SETITEMS
  [0x62, build], // BUILD
]);

function protocol(m: PickleMachine): void {
  const version = m.byte();
  if (version !== PROTOCOL) throw new BadPickle(`is of protocol ${version}, not ${PROTOCOL}`);
}

function mark(m: PickleMachine): void {
  m.mark();
}

function putByte(m: PickleMachine): void {
  m.put(m.byte());
}

function putLong(m: PickleMachine): void {
  m.put(m.uint32());
}

function global(m: PickleMachine): PickleGlobal {
  const name = `${m.line()}.${m.line()}`;
  if (!isAllowedGlobal(name)) throw new BadPickle(`names ${JSON.stringify(name.slice(0, 80))}, which is not allowed`);
  return new PickleGlobal(name);
}

function reduce(m: PickleMachine): PickleValue {
  const args = m.pop();
  const callee = m.pop();
  if (!(callee instanceof PickleGlobal) || !(args instanceof PickleTuple)) throw new BadPickle("calls no global");
  return call(callee, args.items);
}

function newObject(m: PickleMachine): PickleObject {
  const args = m.pop();
  const type = m.pop();
  const isRecord = type instanceof PickleGlobal && isTorchScriptClass(type.name) && args instanceof PickleTuple;
  if (!isRecord || args.items.length > 0) throw new BadPickle("makes an object of no TorchScript class");
  return new PickleObject(type.name);
}

/** Gives a TorchScript object its fields. Attributes of other values (a state dict's `_metadata`) are left out. */
function build(m: PickleMachine): void {
  const state = m.pop();
  const target = m.top();
  if (target instanceof PickleDict) return;
  if (!(target instanceof PickleObject)) throw new BadPickle("gives fields to something that can have none");
  if (!isTorchScriptClass(target.madeBy)) return;
  if (!(state instanceof PickleDict) || target.fields !== null) throw new BadPickle("gives an object odd fields");
  target.fields = state;
}

function tuple(m: PickleMachine, length: number): PickleTuple {
  return new PickleTuple(Array.from({ length }, () => m.pop()).reverse());
}

function appendOne(m: PickleMachine): void {
  append(m, [m.pop()]);
}

function appendAll(m: PickleMachine): void {
  append(m, m.popMark());
}

function append(m: PickleMachine, items: readonly PickleValue[]): void {
  const list = m.top();
  if (!(list instanceof PickleList)) throw new BadPickle("appends to something else than a list");
  for (const item of items) list.items.push(item);
}

function setItem(m: PickleMachine): void {
  const value = m.pop();
  set(m, [m.pop(), value]);
}

function setItems(m: PickleMachine): void {
  set(m, m.popMark());
}

function set(m: PickleMachine, items: readonly PickleValue[]): void {
  const dict = m.top();
  if (!(dict instanceof PickleDict)) throw new BadPickle("sets items of something else than a dict");
  if (items.length % 2 !== 0) throw new BadPickle("has a key without a value");
  for (let i = 0; i < items.length; i += 2) {
    const key = items[i] ?? null;
    if (dict.items.has(key)) throw new BadPickle(`has the key ${named(key)} twice`);
    dict.items.set(key, items[i + 1] ?? null);
  }
}

function named(key: PickleValue): string {
  return typeof key === "string" ? JSON.stringify(key.slice(0, 80)) : typeof key;
}

/** A whole number of any length, two's complement; a plain number where that is exact. */
function littleEndian(bytes: Uint8Array): number | bigint {
  const value = bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const signed = BigInt.asIntN(8 * bytes.length, value);
  return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
}

/** The stack, the marks, the memo and the place in the bytes of a running pickle. */
class PickleMachine {
  /** Bytes read so far. */
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #stack: PickleValue[] = [];
  /** Heights of the stack at each open MARK; what lies under the last one is out of reach. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue>();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  push(value: PickleValue): void {
    this.#stack.push(value);
  }

  /** The value on top, left there. */
  top(): PickleValue {
    const value = this.#stack.length > (this.#marks.at(-1) ?? 0) ? this.#stack.at(-1) : undefined;
    if (value === undefined) throw new BadPickle("takes from an empty stack");
    return value;
  }

  pop(): PickleValue {
    const value = this.top();
    this.#stack.pop();
    return value;
  }

  mark(): void {
    this.#marks.push(this.#stack.length);
  }

  /** All values above the last mark. */
  popMark(): PickleValue[] {
    const height = this.#marks.pop();
    if (height === undefined) throw new BadPickle("closes a mark that it never set");
    return this.#stack.splice(height);
  }

  put(index: number): void {
    this.#memo.set(index, this.top());
  }

  get(index: number): PickleValue {
    const value = this.#memo.get(index);
    if (value === undefined) throw new BadPickle(`asks for memo ${index}, which was never put`);
    return value;
  }

  byte(): number {
    return this.#view.getUint8(this.#skip(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#skip(2), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#skip(4), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  /** Big-endian, unlike the others: so it is in the format. */
  float64(): number {
    return this.#view.getFloat64(this.#skip(8), false);
  }

  text(length: number): string {
    return new TextDecoder().decode(this.take(length));
  }

  /** Up to the end of the line. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.at);
    if (end < 0) throw new BadPickle("ends early");
    const text = this.text(end - this.at);
    this.at++;
    return text;
  }

  take(length: number): Uint8Array {
    const start = this.#skip(length);
    return this.#bytes.subarray(start, start + length);
  }

  #skip(length: number): number {
    const start = this.at;
    if (start + length > this.#bytes.length) throw new BadPickle("ends early");
    this.at = start + length;
    return start;
  }
}
