import { createHash } from "node:crypto";
import type { Image } from "../../model/preprocess/image.js";
import { resizeBilinear } from "../../model/preprocess/resize.js";

/** Side of the thumbnail that pictures are compared by. */
const THUMBNAIL = 32;

/** Lowest frequencies of each direction that the hash keeps. */
const FREQUENCIES = 8;

/** A thumbnail whose grey values deviate less than this (of 255) has no structure to compare. */
const FLAT_DEVIATION = 2;

/** What a picture is recognized by. */
export interface Signature {
  /** SHA-256 of its size and pixels: equal for the same picture in another lossless file. */
  readonly pixels: string;
  /** 63 signs of the thumbnail's low frequencies against their median, in two words; null where it is flat. */
  readonly hash: readonly [number, number] | null;
  /** [THUMBNAIL, THUMBNAIL] grey values with mean 0 and length 1: a product of two is their correlation. */
  readonly thumbnail: Float32Array;
}

/**
 * The signature of a picture. Its hash is the "perceptual hash" by a discrete cosine transform (C. Zauner,
 * "Implementation and benchmarking of perceptual image hash functions", 2010): scaling, recompression and mild blur or
 * noise change few of its bits; cropping, rotation and mirroring change many.
 */
export function signatureOf(image: Image): Signature {
  const grey = greyThumbnail(image);
  const mean = grey.reduce((sum, value) => sum + value, 0) / grey.length;
  const centred = grey.map((value) => value - mean);
  const length = Math.sqrt(centred.reduce((sum, value) => sum + value * value, 0));
  const isFlat = length < FLAT_DEVIATION * THUMBNAIL;
  return {
    pixels: createHash("sha256").update(`${image.rows} ${image.cols} `).update(image.pixels).digest("base64"),
    hash: isFlat ? null : hashOf(centred),
    thumbnail: Float32Array.from(centred, (value) => (isFlat ? 0 : value / length)),
  };
}

/** ITU-R BT.601 luma, as PIL's `convert("L")` weighs the colours. */
function greyThumbnail(image: Image): Float64Array {
  const { pixels } = resizeBilinear(image, THUMBNAIL, THUMBNAIL);
  return Float64Array.from({ length: THUMBNAIL * THUMBNAIL }, (_, i) => {
    const [r = NaN, g = NaN, b = NaN] = pixels.subarray(3 * i, 3 * i + 3);
    return 0.299 * r + 0.587 * g + 0.114 * b;
  });
}

function hashOf(grey: Float64Array): [number, number] {
  const low = lowFrequencies(grey).slice(1); // without the mean
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
function lowFrequencies(grey: Float64Array): number[] {
  const rows = Array.from({ length: THUMBNAIL }, (_, row) => {
    const line = grey.subarray(row * THUMBNAIL, (row + 1) * THUMBNAIL);
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

/** How many of 32 bits are set. */
function ones(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The correlation of two thumbnails, -1 to 1; 0 where one is flat. */
export function correlation(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? NaN), 0);
}
