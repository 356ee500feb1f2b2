/** Files that part the rows of a list: IQA-PyTorch's pickles, ARNIQA's arrays, DeQA-Score's split.json. */
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../../../base/errors.js";
import { reasonOf } from "../../../base/text.js";
import {
  BadPickle,
  PickleDict,
  PickleList,
  PickleTuple,
  type PickleValue,
} from "../../../model/weights/torch/pickle.js";
import { unpickleData } from "../../../model/weights/torch/unpickle.js";
import { type Subset, SUBSETS } from "../../sample.js";
import { parseJson } from "./jsonText.js";
import { readListText } from "../rows.js";
import { stemOf, subsetOf } from "./table.js";

/** Rows, from 0, or names of the images of each subset of one split. */
export type SplitKeys = Readonly<Record<Subset, readonly (number | string)[]>>;

/** Limit that no split of a database reaches. */
const MAX_BYTES = 256 * 2 ** 20;

async function readBytes(file: string): Promise<Buffer> {
  const { size } = await stat(file);
  if (size > MAX_BYTES) throw new DataError(`${file}: ${size} bytes are too many for a split`);
  return readFile(file).catch((error: unknown) => {
    throw new DataError(`${file}: cannot be read (${reasonOf(error)}); check its permissions`, { cause: error });
  });
}

/**
 * Reads `{1: {"train": [rows], "val": [rows], "test": [rows]}, 2: ...}`, as IQA-PyTorch writes its splits.
 * @throws {DataError} where the pickle is anything else than such data, or ends early; nothing of it is run
 */
export async function readPickledSplits(file: string): Promise<SplitKeys[]> {
  const bytes = await readBytes(file);
  try {
    const value = unpickleData(bytes);
    const splits = value instanceof PickleDict ? [...value.items] : [];
    if (splits.length === 0) throw new BadPickle("holds no dict of splits");
    const isOne = splits.every(([key]) => typeof key === "string" && subsetOf(key) !== null);
    return isOne ? [splitOf(value, "the split")] : splits.map(([key, one]) => splitOf(one, `split ${nameOf(key)}`));
  } catch (error) {
    if (!(error instanceof BadPickle)) throw error;
    const hint = "it must hold { number: { train, val, test } } of rows, and no class or function";
    throw new DataError(`${file}: refused, its pickle ${error.message}; ${hint}`, { cause: error });
  }
}

function nameOf(key: PickleValue): string {
  return typeof key === "number" || typeof key === "string" ? JSON.stringify(key) : "of an odd name";
}

function splitOf(value: PickleValue, where: string): SplitKeys {
  if (!(value instanceof PickleDict)) throw new BadPickle(`has as ${where} something else than a dict`);
  const split: Record<Subset, number[]> = { train: [], val: [], test: [] };
  for (const [key, rows] of value.items) {
    const subset = typeof key === "string" ? subsetOf(key) : null;
    const isList = rows instanceof PickleList || rows instanceof PickleTuple;
    if (subset === null || !isList || !rows.items.every(isRow)) {
      throw new BadPickle(`has in ${where} ${nameOf(key)}, which is no train, val or test with rows`);
    }
    split[subset] = [...rows.items].filter(isRow);
  }
  return split;
}

function isRow(value: PickleValue): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Reads `train.npy`, `val.npy` and `test.npy` of a folder: [splits, rows], padded with -1, as ARNIQA has them. */
export async function readArraySplits(folder: string): Promise<SplitKeys[]> {
  const read = async (subset: Subset) => {
    const file = path.join(folder, `${subset}.npy`);
    const isThere = await stat(file).then((found) => found.isFile(), () => false); // prettier-ignore
    return isThere ? rowsOf(await readBytes(file), file) : null;
  };
  const [train, val, test] = [await read("train"), await read("val"), await read("test")];
  const counts = [train, val, test].filter((rows) => rows !== null).map((rows) => rows.length);
  if (new Set(counts).size > 1)
    throw new DataError(`${folder}: its arrays hold ${counts.join(", ")} splits; get them again`);
  return Array.from({ length: counts[0] ?? 0 }, (_, i) => {
    return { train: train?.[i] ?? [], val: val?.[i] ?? [], test: test?.[i] ?? [] };
  });
}

const MAGIC = Buffer.from("\x93NUMPY", "latin1");
/** Readers by NumPy's type of integers, little-endian. */
const INTEGERS: Readonly<Record<string, { size: number; read: (bytes: Buffer, at: number) => number }>> = {
  "<i8": { size: 8, read: (bytes, at) => Number(bytes.readBigInt64LE(at)) },
  "<i4": { size: 4, read: (bytes, at) => bytes.readInt32LE(at) },
  "<i2": { size: 2, read: (bytes, at) => bytes.readInt16LE(at) },
  "<f8": { size: 8, read: (bytes, at) => bytes.readDoubleLE(at) },
};

/** Splits that a file may hold: an array of no columns claims any number of them in a few bytes. */
const MOST_SPLITS = 10_000;

/** Rows of each split. After NumPy's "NPY format", versions 1 to 3. @throws {DataError} where it is none, or cut off */
function rowsOf(bytes: Buffer, file: string): number[][] {
  const fail = (what: string) =>
    new DataError(`${file}: ${what}; it must be a NumPy array of whole numbers [splits, rows]`);
  if (bytes.length < 12 || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw fail("is no NumPy array");
  const isShort = bytes[6] === 1;
  const start = isShort ? 10 : 12;
  const length = isShort ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8);
  const header = bytes.subarray(start, start + length).toString("latin1");
  const [, type = ""] = /'descr':\s*'([^']+)'/.exec(header) ?? [];
  const [, shape = ""] = /'shape':\s*\(([^)]*)\)/.exec(header) ?? [];
  const sizes = shape.split(",").flatMap((size) => (size.trim() === "" ? [] : [Number(size)]));
  const reader = INTEGERS[type];
  if (reader === undefined) throw fail(`holds values of type ${JSON.stringify(type)}`);
  if (/'fortran_order':\s*True/.test(header)) throw fail("is written column by column");
  const [count, columns] = sizes.length === 1 ? [1, sizes[0] ?? NaN] : [sizes[0] ?? NaN, sizes[1] ?? NaN];
  const data = bytes.subarray(start + length);
  if (sizes.length > 2 || !(count * columns * reader.size === data.length)) {
    throw fail(`has the shape (${shape}) and ${data.length} bytes of data: it is cut off, or no list of splits`);
  }
  if (count > MOST_SPLITS) throw fail(`has ${count} splits, more than ${MOST_SPLITS}`);
  return Array.from({ length: count }, (_, split) => {
    const rows = Array.from({ length: columns }, (_, i) => reader.read(data, (split * columns + i) * reader.size));
    if (!rows.every((row) => Number.isSafeInteger(row) && row >= -1))
      throw fail("holds something else than rows and -1");
    return rows.filter((row) => row >= 0);
  });
}

/** Reads `{"train": [names], "val": [names], "test": [names]}`; null where the file is something else. */
export async function readNamedSplits(file: string): Promise<SplitKeys[] | null> {
  const { value } = parseJson(await readListText(file), file);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const split: Record<Subset, string[]> = { train: [], val: [], test: [] };
  for (const [key, names] of Object.entries(value)) {
    const subset = subsetOf(key);
    if (subset === null || !Array.isArray(names)) return null;
    split[subset] = names.map(String);
  }
  return SUBSETS.every((subset) => split[subset].length === 0) ? null : [split];
}

/** True where a name of an image is one that a split has: the whole path, its file's name, or that without ending. */
export function spellingsOf(image: string): readonly string[] {
  const name = image.split("/").at(-1) ?? image;
  return [image, name, stemOf(name)];
}
