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
export class TorchStorage {
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
