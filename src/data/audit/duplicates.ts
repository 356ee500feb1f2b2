import { createHash } from "node:crypto";
import { groupBy } from "../../base/collections.js";
import { type Image, lumaOf } from "../../model/preprocess/image.js";
import { resizeBilinear } from "../../model/preprocess/resize.js";
import { contentOf } from "../databases/content.js";
import type { Sample, Subset } from "../sample.js";
import { type Finding, findingAt, placeOf } from "./findings.js";

/**
 * Bits and correlation within which two pictures count as nearly the same. Of 120 different photographs no two are
 * nearer than 18 bits or more alike than 0.77; their versions in JPEG of quality 10 to 90, at half the size, in gray,
 * darkened or blurred stay within 4 bits and above 0.97.
 */
const NEAR_BITS = 8;
const NEAR_CORRELATION = 0.95;

/** Decoded image of a database: its signature, and the list that holds it in each split. */
export interface SignedImage {
  readonly sample: Sample;
  readonly signature: Signature;
  /** By the split's number. */
  readonly subsets: ReadonlyMap<number, Subset>;
}

/**
 * Finds the same picture twice. Across two lists of a split it is an error where the pixels are the same and a warning
 * where they nearly are; within one list it is a warning where they are the same. Splits of all databases count
 * together, as a run trains on all. Versions of one content are left to `findSharedContents`.
 */
export function findDuplicates(images: readonly SignedImage[]): Finding[] {
  const reported = new Set<SignedImage>();
  const findings: Finding[] = [];
  for (const finding of [...exactCopies(images), ...nearCopies(images)]) {
    if (reported.has(finding.image)) continue;
    reported.add(finding.image);
    findings.push(describe(finding));
  }
  return findings;
}

type Copy = { readonly image: SignedImage; readonly of: SignedImage; readonly isExact: boolean };

/** Compares each copy of a picture with the first in another list, where there is one, else with the first of all. */
function exactCopies(images: readonly SignedImage[]): Copy[] {
  return [...groupBy(images, ({ signature }) => signature.pixels).values()].flatMap((group) => {
    const firsts = new FirstInLists();
    return group.flatMap((image, i) => {
      const of = group[firsts.otherThan(image) ?? 0];
      firsts.add(image, i);
      return of === undefined || i === 0 ? [] : [{ image, of, isExact: true }];
    });
  });
}

/** The first image of each list of each split, by which the first in another list than a given image's is found at once. */
class FirstInLists {
  readonly #first = new Map<number, Map<Subset, number>>();

  /** Place of the first image that some split has in another list than this one; null where there is none. */
  otherThan({ subsets }: SignedImage): number | null {
    let found: number | null = null;
    for (const [split, here] of subsets) {
      for (const [subset, place] of this.#first.get(split) ?? []) {
        if (subset !== here && (found === null || place < found)) found = place;
      }
    }
    return found;
  }

  add({ subsets }: SignedImage, place: number): void {
    for (const [split, subset] of subsets) {
      const firsts = this.#first.get(split) ?? new Map<Subset, number>();
      if (!firsts.has(subset)) firsts.set(subset, place);
      this.#first.set(split, firsts);
    }
  }
}

/** Compares each picture with those before it whose hashes are near, and yields the first of them that counts. */
function* nearCopies(images: readonly SignedImage[]): Generator<Copy> {
  const hashed = images.flatMap((image) => {
    const { hash } = image.signature;
    return hash === null ? [] : [{ image, hash }];
  });
  const firsts = new FirstInLists();
  const near = new NearHashes(hashed.length);
  for (const [i, { image, hash }] of hashed.entries()) {
    const isCopy = (place: number) => {
      const other = hashed[place]?.image;
      return (
        other !== undefined &&
        crossingOf(image, other) !== null &&
        !isSameContent(image.sample, other.sample) &&
        correlation(image.signature.thumbnail, other.signature.thumbnail) >= NEAR_CORRELATION
      );
    };
    const place = firsts.otherThan(image) === null ? null : near.first(hash, isCopy); // else none before it can count
    const of = place === null ? undefined : hashed[place]?.image;
    if (of !== undefined) yield { image, of, isExact: false };
    firsts.add(image, i);
    near.add(hash);
  }
}

/** Parts that a hash of 63 bits is cut into, and the bits of each. */
const PARTS = 3;
const PART_BITS = 21;

/** Bits of a part that are turned to look for a near hash: of `NEAR_BITS` in three parts, one part has at most as many. */
const PART_RADIUS = Math.floor(NEAR_BITS / PARTS);

/** Differences of up to `PART_RADIUS` bits in a part: 232 of them. */
const NEIGHBORS = neighbors();

function neighbors(): Int32Array {
  const found = [0];
  for (let turned = 1, from = 0; turned <= PART_RADIUS; turned++) {
    const to = found.length;
    for (const mask of found.slice(from, to)) {
      for (let bit = 32 - Math.clz32(mask); bit < PART_BITS; bit++) found.push(mask | (1 << bit));
    }
    from = to;
  }
  return Int32Array.from(found);
}

/**
 * Hashes of 63 bits, in which all within `NEAR_BITS` of another are found, none left out: of the three parts of two such
 * hashes at least one differs in at most two bits, so that 3 x 232 look-ups find it. Beside these, a look-up meets what
 * has the same part and is not near: one of 2 million hashes at random, so that up to millions of pictures the work grows
 * with their number and not with its square. Pictures that all look alike are compared pair by pair.
 */
export class NearHashes {
  /** Number, from 1, of the last hash with each value of each part; 0 for none. */
  readonly #last = Array.from({ length: PARTS }, () => new Int32Array(1 << PART_BITS));
  /** Number of the one before it with the same value, a part after the other. */
  readonly #before: Int32Array;
  readonly #words: Uint32Array;
  #count = 0;

  /** @param most  number of hashes that will be added */
  constructor(most: number) {
    this.#before = new Int32Array(PARTS * (most + 1));
    this.#words = new Uint32Array(2 * most);
  }

  add(hash: readonly [number, number]): void {
    this.#words.set(hash, 2 * this.#count++);
    partsOf(hash).forEach((value, part) => {
      const last = this.#last[part];
      if (last === undefined) return;
      this.#before[PARTS * this.#count + part] = last[value] ?? 0;
      last[value] = this.#count;
    });
  }

  /** Place of the first hash within `NEAR_BITS` that `accepts` takes; null where there is none. */
  first(hash: readonly [number, number], accepts: (place: number) => boolean): number | null {
    let found = this.#count;
    partsOf(hash).forEach((value, part) => {
      const last = this.#last[part] ?? new Int32Array();
      for (const mask of NEIGHBORS) {
        for (let at = last[value ^ mask] ?? 0; at > 0; at = this.#before[PARTS * at + part] ?? 0) {
          if (at > found || !this.#isNear(hash, at - 1) || !accepts(at - 1)) continue;
          found = at - 1;
        }
      }
    });
    return found === this.#count ? null : found;
  }

  #isNear([low, high]: readonly [number, number], place: number): boolean {
    const [otherLow, otherHigh] = [this.#words[2 * place] ?? NaN, this.#words[2 * place + 1] ?? NaN];
    return ones(low ^ otherLow) + ones(high ^ otherHigh) <= NEAR_BITS;
  }
}

/** The hash in parts of 21 bits. */
function partsOf([low, high]: readonly [number, number]): [number, number, number] {
  const all = (1 << PART_BITS) - 1;
  return [low & all, ((low >>> PART_BITS) | (high << (32 - PART_BITS))) & all, (high >>> (2 * PART_BITS - 32)) & all];
}

/** First split that has the two in different lists. */
function crossingOf(a: SignedImage, b: SignedImage) {
  for (const [split, here] of a.subsets) {
    const there = b.subsets.get(split);
    if (there !== undefined && there !== here) return { split, here, there };
  }
  return null;
}

function isSameContent(a: Sample, b: Sample): boolean {
  const content = contentOf(a);
  return a.database === b.database && content !== null && content === contentOf(b);
}

function describe({ image, of, isExact }: Copy): Finding {
  const { sample } = image;
  const same = isExact ? "is the same picture as" : "is nearly the same picture as";
  const place = `${same} ${placeOf(of.sample)}`;
  const crossing = crossingOf(image, of);
  if (crossing === null) return findingAt(sample, "copy", "warning", `${place}; keep one of them`);
  const { split, here, there } = crossing;
  const lists = `in split ${split} one is in ${there} and the other in ${here}`;
  const what = `${place}: ${lists}; keep both in one list, or one of them`;
  return findingAt(sample, isExact ? "copy" : "near-copy", isExact ? "error" : "warning", what);
}

/** Side of the thumbnail that pictures are compared by. */
const THUMBNAIL = 32;

/** Lowest frequencies of each direction that the hash keeps. */
const FREQUENCIES = 8;

/** A thumbnail whose gray values deviate less than this (of 255) has no structure to compare. */
const FLAT_DEVIATION = 2;

interface Signature {
  /** SHA-256 of its size and pixels: equal for the same picture in another lossless file. */
  readonly pixels: string;
  /** 63 signs of the thumbnail's low frequencies against their median, in two words; null where it is flat. */
  readonly hash: readonly [number, number] | null;
  /** [THUMBNAIL, THUMBNAIL] gray values with mean 0 and length 1: a product of two is their correlation. */
  readonly thumbnail: Float32Array;
}

/**
 * Signature of a picture. Its hash is the "perceptual hash" by a discrete cosine transform (C. Zauner,
 * "Implementation and benchmarking of perceptual image hash functions", 2010): scaling, recompression and mild blur or
 * noise change few of its bits; cropping, rotation and mirroring change many.
 */
export function signatureOf(image: Image): Signature {
  const gray = grayThumbnail(image);
  const mean = gray.reduce((sum, value) => sum + value, 0) / gray.length;
  const centered = gray.map((value) => value - mean);
  const length = Math.sqrt(centered.reduce((sum, value) => sum + value * value, 0));
  const isFlat = length < FLAT_DEVIATION * THUMBNAIL;
  return {
    pixels: createHash("sha256").update(`${image.rows} ${image.cols} `).update(image.pixels).digest("base64"),
    hash: isFlat ? null : hashOf(centered),
    thumbnail: Float32Array.from(centered, (value) => (isFlat ? 0 : value / length)),
  };
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
