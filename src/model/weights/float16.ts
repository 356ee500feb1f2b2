import { refuse } from "./refuse.js";

/** The types of numbers that weight files are written in. */
export type FloatDtype = "F32" | "F16";

/** Float32 bits from which on a value rounds to infinity: 65,520. */
const OVERFLOW = 0x477ff000;
/** Float32 bits of 2^-14, the least number with full precision. */
const LEAST_NORMAL = 0x38800000;
const EXPONENT_SHIFT = 112 << 23; // between the two biases, 127 and 15

/**
 * The bits of the nearest float16 of each value, ties to even (IEEE 754).
 *
 * @param where  what the values are, for messages
 * @throws {CheckpointError} where a value is beyond ±65,504: the nearest float16 would be infinite
 */
export function toFloat16(where: string, values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) {
    const word = bits[i] ?? 0;
    const magnitude = word & 0x7fffffff;
    if (magnitude >= OVERFLOW) refuse(where, `${values[i] ?? NaN} is too large for float16; store it as float32`);
    halves[i] = ((word >>> 16) & 0x8000) | (magnitude < LEAST_NORMAL ? subnormal(values[i] ?? 0) : normal(magnitude));
  }
  return halves;
}

/** Thirteen bits of fraction go, rounded by adding just under one half of the last that stays. */
function normal(magnitude: number): number {
  return (magnitude - EXPONENT_SHIFT + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
}

/** A multiple of 2^-24. */
function subnormal(value: number): number {
  const scaled = Math.abs(value) * 2 ** 24;
  const below = Math.floor(scaled);
  const rest = scaled - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
