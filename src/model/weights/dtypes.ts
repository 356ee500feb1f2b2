import { refuse } from "./refuse.js";

/** The types that a safetensors header may name, and their bits. */
export const DTYPE_BITS = {
  ...{ F64: 64, F32: 32, F16: 16, BF16: 16, I64: 64, I32: 32, I16: 16, I8: 8, U64: 64, U32: 32, U16: 16, U8: 8 },
  ...{ BOOL: 8, C64: 64, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8 },
  ...{ F6_E2M3: 6, F6_E3M2: 6, F4: 4 },
} as const;

export type Dtype = keyof typeof DTYPE_BITS;

export function isDtype(name: unknown): name is Dtype {
  return typeof name === "string" && Object.hasOwn(DTYPE_BITS, name);
}

/** A tensor that lies in a file. */
export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Its elements in row-major order, little-endian, given to the caller. */
  readonly read: () => Promise<Uint8Array<ArrayBuffer>>;
}

export type StoredTensors = ReadonlyMap<string, StoredTensor>;

/**
 * Elements as float32: float32 as they are (in the same memory), float16 and bfloat16 exactly.
 *
 * @throws {CheckpointError} for another type
 */
export function toFloat32(where: string, dtype: Dtype, bytes: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes;
  if (dtype === "F32") return new Float32Array(buffer, byteOffset, byteLength / 4);
  if (dtype !== "F16" && dtype !== "BF16") {
    return refuse(where, `is ${dtype}; weights are read as F32, F16 or BF16, convert them first`);
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

/** The float32 bits of each float16 (IEEE 754: 5 bits of exponent, 10 of fraction). */
function makeHalf16Table(): Uint32Array {
  const values = Float32Array.from({ length: 2 ** 16 }, (_, half) => {
    const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
    const sign = half & 0x8000 ? -1 : 1;
    if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
  });
  return new Uint32Array(values.buffer);
}
