import { readFile } from "node:fs/promises";
import { inflateSync } from "node:zlib";
import { DataError } from "../../base/errors.js";
import { reasonOf } from "../../base/text.js";

/** Variable of a MATLAB file: numbers column by column, a text, or cells of either. */
type MatValue = readonly number[] | string | readonly MatValue[];

/** Largest file: no scores of a database take more. */
const MAX_BYTES = 64 * 2 ** 20;

const HEADER_BYTES = 128;
const [MATRIX, COMPRESSED] = [14, 15];
const [CELL_CLASS, CHAR_CLASS] = [1, 4];
const NUMERIC_CLASSES = { first: 6, last: 15 }; // double to uint64, logical arrays among them

/** Readers of one number by the element's type (MAT-File Format, table 1-1); 64-bit integers have no use here. */
const NUMBERS: Readonly<Record<number, { size: number; read: (bytes: Buffer, at: number) => number }>> = {
  1: { size: 1, read: (bytes, at) => bytes.readInt8(at) },
  2: { size: 1, read: (bytes, at) => bytes.readUInt8(at) },
  3: { size: 2, read: (bytes, at) => bytes.readInt16LE(at) },
  4: { size: 2, read: (bytes, at) => bytes.readUInt16LE(at) },
  5: { size: 4, read: (bytes, at) => bytes.readInt32LE(at) },
  6: { size: 4, read: (bytes, at) => bytes.readUInt32LE(at) },
  7: { size: 4, read: (bytes, at) => bytes.readFloatLE(at) },
  9: { size: 8, read: (bytes, at) => bytes.readDoubleLE(at) },
  16: { size: 1, read: (bytes, at) => bytes.readUInt8(at) }, // UTF-8
  17: { size: 2, read: (bytes, at) => bytes.readUInt16LE(at) }, // UTF-16
};

/**
 * Reads the variables of a MATLAB file of level 5 (`save -v6` and `-v7`): numeric arrays, texts and cell arrays of
 * them. After MathWorks' "MAT-File Format" (R2007b and later), chapter 1.
 * @throws {DataError} where it is none, is damaged, or is of another version, saying how to convert it
 */
export async function readMatFile(file: string): Promise<ReadonlyMap<string, MatValue>> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new DataError(`${file}: cannot be read (${reasonOf(error)}); check the path`, { cause: error });
  });
  checkHeader(bytes, file);
  try {
    const variables = new Map<string, MatValue>();
    for (const element of elementsOf(bytes.subarray(HEADER_BYTES))) {
      const [matrix] =
        element.type === COMPRESSED ? elementsOf(inflateSync(element.data, { maxOutputLength: MAX_BYTES })) : [element];
      const variable = matrix?.type === MATRIX ? matrixOf(matrix.data) : null;
      if (variable !== null) variables.set(variable.name, variable.value);
    }
    return variables;
  } catch (error) {
    throw new DataError(`${file}: is damaged (${reasonOf(error)}); get the file again`, { cause: error });
  }
}

function checkHeader(bytes: Buffer, file: string): void {
  const text = bytes.subarray(0, 19).toString("latin1");
  const convert = 'load it in MATLAB and save("name.mat", "variable", "-v7"), or use scipy.io.savemat';
  if (bytes.length > MAX_BYTES) throw new DataError(`${file}: ${bytes.length} bytes are too many for scores`);
  if (text.startsWith("MATLAB 7.3")) throw new DataError(`${file}: is of MATLAB's version 7.3 (HDF5); ${convert}`);
  if (bytes.length < HEADER_BYTES || bytes.subarray(126, 128).toString("latin1") !== "IM") {
    throw new DataError(`${file}: is no MATLAB file of level 5 with little-endian numbers; ${convert}`);
  }
}

type Element = { readonly type: number; readonly data: Buffer };

/** Data elements one after the other: a tag of 8 bytes and data padded to 8, or both in 8 where the data is short. */
function elementsOf(bytes: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at + 8 <= bytes.length;) {
    const word = bytes.readUInt32LE(at);
    const isSmall = word >>> 16 !== 0;
    const type = isSmall ? word & 0xffff : word;
    const size = isSmall ? word >>> 16 : bytes.readUInt32LE(at + 4);
    const from = at + (isSmall ? 4 : 8);
    if (from + size > bytes.length)
      throw new RangeError(`an element ends ${from + size - bytes.length} bytes too late`);
    elements.push({ type, data: bytes.subarray(from, from + size) });
    const isPadded = !isSmall && type !== COMPRESSED;
    at = isSmall ? at + 8 : from + (isPadded ? Math.ceil(size / 8) * 8 : size);
  }
  return elements;
}

/** Array flags, dimensions, name, then the data; null for a class that is left out. */
function matrixOf(bytes: Buffer): { name: string; value: MatValue } | null {
  const [flags, , name, ...parts] = elementsOf(bytes);
  if (flags === undefined || name === undefined) return null; // an empty cell is an empty matrix
  const kind = flags.data.readUInt32LE(0) & 0xff;
  const named = (value: MatValue) => ({ name: name.data.toString("latin1"), value });
  if (kind === CELL_CLASS) return named(parts.map(({ data }) => matrixOf(data)?.value ?? ""));
  const [real] = parts;
  if (kind === CHAR_CLASS) return named(real === undefined ? "" : textOf(real));
  if (kind < NUMERIC_CLASSES.first || kind > NUMERIC_CLASSES.last) return null;
  return named(real === undefined ? [] : numbersOf(real));
}

/** Characters by their codes, one by one: as arguments of one call they would overflow the stack. */
function textOf(element: Element): string {
  return Array.from(numbersOf(element), (code) => String.fromCharCode(code)).join("");
}

function numbersOf({ type, data }: Element): number[] {
  const reader = NUMBERS[type];
  if (reader === undefined) throw new RangeError(`numbers of type ${type} are not read`);
  return Array.from({ length: Math.floor(data.length / reader.size) }, (_, i) => reader.read(data, i * reader.size));
}

/** Numbers of a variable. @throws {DataError} where there are none of this name */
export function matNumbers(variables: ReadonlyMap<string, MatValue>, name: string, file: string): number[] {
  const value = variables.get(name);
  if (Array.isArray(value) && value.every((entry) => typeof entry === "number")) return value;
  throw noVariable(variables, `numbers named ${name}`, file);
}

/** Texts of a cell array. @throws {DataError} where there are none of this name */
export function matTexts(variables: ReadonlyMap<string, MatValue>, name: string, file: string): string[] {
  const value = variables.get(name);
  if (Array.isArray(value) && value.every((entry) => typeof entry === "string")) return value;
  throw noVariable(variables, `texts named ${name}`, file);
}

function noVariable(variables: ReadonlyMap<string, MatValue>, what: string, file: string): DataError {
  const names = [...variables.keys()].join(", ") || "nothing";
  return new DataError(`${file}: has no ${what} (it has ${names}); is it the file that the makers publish?`);
}
