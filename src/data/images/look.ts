import { type Image, lumaOf } from "../../model/preprocess/image.js";
import { resizeBilinear } from "../../model/preprocess/resize.js";

/**
 * Bits and correlation within which two pictures count as nearly the same. Of 120 different photographs no two are
 * nearer than 18 bits or more alike than 0.77; their versions in JPEG of quality 10 to 90, at half the size, in gray,
 * darkened or blurred stay within 4 bits and above 0.97.
 */
export const NEAR_BITS = 8;
const NEAR_CORRELATION = 0.95;

/** Side of the thumbnail that pictures are compared by. */
const THUMBNAIL = 32;

/** Lowest frequencies of each direction that the hash keeps. */
const FREQUENCIES = 8;

/** A thumbnail whose gray values deviate less than this (of 255) has no structure to compare. */
const FLAT_DEVIATION = 2;

/** Appearance of a picture, for finding it again scaled, recompressed or mildly changed. */
export interface Look {
  /** 63 signs of the thumbnail's low frequencies against their median, in two words; null where it is flat. */
  readonly hash: readonly [number, number] | null;
  /** [side, side] gray values with mean 0 and length 1: a product of two is their correlation. */
  readonly thumbnail: Float32Array;
}

/**
 * Look of a picture. Its hash is the "perceptual hash" by a discrete cosine transform (C. Zauner,
 * "Implementation and benchmarking of perceptual image hash functions", 2010): scaling, recompression and mild blur or
 * noise change few of its bits; cropping, rotation and mirroring change many.
 */
export function lookOf(image: Image): Look {
  const gray = grayThumbnail(image);
  const mean = gray.reduce((sum, value) => sum + value, 0) / gray.length;
  const centered = gray.map((value) => value - mean);
  const length = Math.sqrt(centered.reduce((sum, value) => sum + value * value, 0));
  const isFlat = length < FLAT_DEVIATION * THUMBNAIL;
  return {
    hash: isFlat ? null : hashOf(centered),
    thumbnail: Float32Array.from(centered, (value) => (isFlat ? 0 : value / length)),
  };
}

/** True where two pictures are nearly the same; never where one has no structure. */
export function areNear(a: Look, b: Look): boolean {
  if (a.hash === null || b.hash === null || hashDistance(a.hash, b.hash) > NEAR_BITS) return false;
  return correlation(a.thumbnail, b.thumbnail) >= NEAR_CORRELATION;
}

function grayThumbnail(image: Image): Float64Array {
  const { pixels } = resizeBilinear(image, THUMBNAIL, THUMBNAIL);
  return Float64Array.from({ length: THUMBNAIL * THUMBNAIL }, (_, i) => {
    const [r = NaN, g = NaN, b = NaN] = pixels.subarray(3 * i, 3 * i + 3);
    return lumaOf(r, g, b);
  });
}

function hashOf(gray: Float64Array): [number, number] {
  const low = lowFrequencies(gray).slice(1); // without the mean
  const median = [...low].sort((a, b) => a - b)[low.length >> 1] ?? 0;
  const word = (from: number) =>
    low.slice(from, from + 32).reduce((bits, value, i) => (value > median ? bits | (1 << i) : bits), 0) >>> 0;
  return [word(0), word(32)];
}

/** cosines[k][x] = cos(π k (2x + 1) / (2 THUMBNAIL)), the discrete cosine transform without its scale. */
const COSINES = Array.from({ length: FREQUENCIES }, (_, k) =>
  Array.from({ length: THUMBNAIL }, (_, x) => Math.cos((Math.PI * k * (2 * x + 1)) / (2 * THUMBNAIL))),
);

/** [FREQUENCIES, FREQUENCIES], row by row. */
function lowFrequencies(gray: Float64Array): number[] {
  const rows = Array.from({ length: THUMBNAIL }, (_, row) => {
    const line = gray.subarray(row * THUMBNAIL, (row + 1) * THUMBNAIL);
    return COSINES.map((cosine) => cosine.reduce((sum, c, x) => sum + c * (line[x] ?? NaN), 0));
  });
  return COSINES.flatMap((cosine) =>
    COSINES.map((_, k) => cosine.reduce((sum, c, row) => sum + c * (rows[row]?.[k] ?? NaN), 0)),
  );
}

/** Bits in which two hashes differ, 0 to 63. */
export function hashDistance(a: readonly [number, number], b: readonly [number, number]): number {
  return ones(a[0] ^ b[0]) + ones(a[1] ^ b[1]);
}

/** Number of set bits in a word of 32. */
function ones(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Correlation of two thumbnails, -1 to 1; 0 where one is flat. */
export function correlation(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? NaN), 0);
}

/** Side of a packed thumbnail: half the other's, as records hold thousands of them. */
const PACKED_SIDE = THUMBNAIL / 2;
const PACKED_BYTES = 8 + PACKED_SIDE ** 2;
/** Number of base64 characters of a packed look. */
export const PACKED_LOOK = 4 * (PACKED_BYTES / 3);

/** Look in base64, `PACKED_LOOK` characters: the hash, and the thumbnail at half its side in steps of 1/127 of its largest value. */
export function packLook({ hash, thumbnail }: Look): string {
  const bytes = Buffer.alloc(PACKED_BYTES);
  bytes.writeUInt32LE(hash?.[0] ?? 0, 0);
  bytes.writeUInt32LE(hash?.[1] ?? 0, 4);
  const halved = Array.from({ length: PACKED_SIDE ** 2 }, (_, i) => {
    const corner = 2 * (Math.floor(i / PACKED_SIDE) * THUMBNAIL + (i % PACKED_SIDE));
    return [0, 1, THUMBNAIL, THUMBNAIL + 1].reduce((sum, at) => sum + (thumbnail[corner + at] ?? NaN), 0);
  });
  const largest = halved.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  halved.forEach((value, i) => bytes.writeInt8(largest === 0 ? 0 : Math.round((127 * value) / largest), 8 + i));
  return bytes.toString("base64");
}

/** @throws {RangeError} where the text is not a packed look */
export function unpackLook(text: string): Look {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== PACKED_BYTES)
    throw new RangeError(`unpackLook: ${bytes.length} bytes, expected ${PACKED_BYTES}`);
  const values = Float64Array.from(new Int8Array(bytes.subarray(8)));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const length = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0));
  return {
    hash: length === 0 ? null : [bytes.readUInt32LE(0), bytes.readUInt32LE(4)],
    thumbnail: Float32Array.from(values, (value) => (length === 0 ? 0 : (value - mean) / length)),
  };
}
