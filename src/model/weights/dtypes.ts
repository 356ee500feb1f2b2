import { rejectFile } from "./byteSource.js";

/** Types that a safetensors header may name, and their bits. */
export const DTYPE_BITS = {
  ...{ F64: 64, F32: 32, F16: 16, BF16: 16, I64: 64, I32: 32, I16: 16, I8: 8, U64: 64, U32: 32, U16: 16, U8: 8 },
  ...{ BOOL: 8, C64: 64, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8 },
  ...{ F6_E2M3: 6, F6_E3M2: 6, F4: 4 },
} as const;

export type Dtype = keyof typeof DTYPE_BITS;

export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Reads the elements, row-major, little-endian, given to the caller. */
  readonly read: () => Promise<Uint8Array<ArrayBuffer>>;
}

export type StoredTensors = ReadonlyMap<string, StoredTensor>;

/** Elements as float32: F32 in the same memory, F16 and BF16 exactly. @throws {CheckpointError} for another type */
export function toFloat32(where: string, dtype: Dtype, bytes: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes;
  if (dtype === "F32") return new Float32Array(buffer, byteOffset, byteLength / 4);
  if (dtype !== "F16" && dtype !== "BF16") {
    return rejectFile(where, `is ${dtype}; weights are read as F32, F16 or BF16, convert them first`);
  }
  const halves = new Uint16Array(buffer, byteOffset, byteLength / 2);
  const bits = new Uint32Array(halves.length);
  if (dtype === "BF16") {
    for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] ?? 0) << 16;
  } else {
    const table = (half16Table ??= makeHalf16Table());
    for (let i = 0; i < halves.length; i++) bits[i] = table[halves[i] ?? 0] ?? 0;
  }
  return new Float32Array(bits.buffer);
}

let half16Table: Uint32Array | undefined;

/** Float32 bits of each float16 (IEEE 754: 5 bits of exponent, 10 of fraction). */
function makeHalf16Table(): Uint32Array {
  const values = Float32Array.from({ length: 2 ** 16 }, (_, half) => {
    const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
    const sign = half & 0x8000 ? -1 : 1;
    if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
  });
  return new Uint32Array(values.buffer);
}

/** Types in which weight files are written. */
export type FloatDtype = "F32" | "F16";

/** Float32 bits from which on a value rounds to infinity: 65,520. */
const OVERFLOW = 0x477ff000;
/** Float32 bits of 2^-14, the least number with full precision. */
const LEAST_NORMAL = 0x38800000;
const EXPONENT_SHIFT = 112 << 23; // between the two biases, 127 and 15

/** Bits of the nearest float16, ties to even (IEEE 754). @throws {CheckpointError} for values beyond ±65,504 */
export function toFloat16(where: string, values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) {
    const word = bits[i] ?? 0;
    const magnitude = word & 0x7fffffff;
    if (magnitude >= OVERFLOW) rejectFile(where, `${values[i] ?? NaN} is too large for float16; store it as float32`);
    halves[i] = ((word >>> 16) & 0x8000) | (magnitude < LEAST_NORMAL ? subnormal(values[i] ?? 0) : normal(magnitude));
  }
  return halves;
}

/** Values after a round trip through float16. @throws {CheckpointError} for values beyond ±65,504 */
export function throughFloat16(where: string, values: Float32Array): Float32Array {
  const halves = toFloat16(where, values);
  return toFloat32(where, "F16", new Uint8Array(halves.buffer));
}

/** Drops thirteen bits of fraction, rounded by adding just under one half of the last bit kept. */
function normal(magnitude: number): number {
  return (magnitude - EXPONENT_SHIFT + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
}

/** Nearest multiple of 2^-24. */
function subnormal(value: number): number {
  const scaled = Math.abs(value) * 2 ** 24;
  const below = Math.floor(scaled);
  const rest = scaled - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
