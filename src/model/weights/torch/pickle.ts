/** Values of an unpickled file. Nothing is looked up, imported or called: a global is the text of its name. */
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

/** A name in Python, such as `collections.OrderedDict`. */
export class PickleGlobal {
  constructor(readonly name: string) {}
}

/** Result of a class or function that is not carried out here: its name, and a TorchScript object's fields. */
export class PickleObject {
  fields: PickleDict | null = null;
  constructor(readonly madeBy: string) {}
}

/** True for names of classes in TorchScript archives; their objects are records of fields. */
export function isTorchScriptClass(name: string): boolean {
  return name.startsWith("__torch__.");
}

/** Numbers in the archive's `data/<key>`. */
export class TorchStorage {
  constructor(
    readonly type: string,
    readonly key: string,
    readonly count: number,
  ) {}
}

/** Elements of a storage that a tensor looks at; offset and strides count elements. */
interface TensorView {
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** True where the storage holds the values with the other sign (`torch.Tensor.is_neg`). */
  readonly isNegated: boolean;
}

/** A view of a storage. */
export class TorchTensor {
  constructor(
    readonly storage: TorchStorage,
    readonly view: TensorView,
  ) {}
}

/** Reason why a pickle is refused; `unpickle` adds the file's name. */
export class BadPickle extends Error {
  override readonly name = "BadPickle";
}

/** Stack, marks, memo and position of a running pickle. */
export class PickleMachine {
  /** Bytes read so far. */
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #stack: PickleValue[] = [];
  /** Heights of the stack at each open MARK; values under the last one are out of reach. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue>();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  push(value: PickleValue): void {
    this.#stack.push(value);
  }

  /** The value on top, which stays there. */
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

  /** Removes and returns all values above the last mark. */
  popMark(): PickleValue[] {
    const height = this.#marks.pop();
    if (height === undefined) throw new BadPickle("closes a mark that it never set");
    return this.#stack.splice(height);
  }

  put(index: number): void {
    this.#memo.set(index, this.top());
  }

  /** Puts the value on top under the next index. */
  memoize(): void {
    this.put(this.#memo.size);
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

  /** Big-endian, unlike the others, as the format has it. */
  float64(): number {
    return this.#view.getFloat64(this.#skip(8), false);
  }

  text(length: number): string {
    return new TextDecoder().decode(this.take(length));
  }

  /** Text up to the end of the line. */
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
