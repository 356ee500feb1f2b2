import { hashDistance, NEAR_BITS } from "./look.js";

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
    this.each(hash, (place) => {
      if (place < found && accepts(place)) found = place;
    });
    return found === this.#count ? null : found;
  }

  /** Tells `use` the place of each hash within `NEAR_BITS`, of some more than once. */
  each(hash: readonly [number, number], use: (place: number) => void): void {
    partsOf(hash).forEach((value, part) => {
      const last = this.#last[part] ?? new Int32Array();
      for (const mask of NEIGHBORS) {
        for (let at = last[value ^ mask] ?? 0; at > 0; at = this.#before[PARTS * at + part] ?? 0) {
          if (this.#isNear(hash, at - 1)) use(at - 1);
        }
      }
    });
  }

  #isNear(hash: readonly [number, number], place: number): boolean {
    return hashDistance(hash, [this.#words[2 * place] ?? NaN, this.#words[2 * place + 1] ?? NaN]) <= NEAR_BITS;
  }
}

/** The hash in parts of 21 bits. */
function partsOf([low, high]: readonly [number, number]): [number, number, number] {
  const all = (1 << PART_BITS) - 1;
  return [low & all, ((low >>> PART_BITS) | (high << (32 - PART_BITS))) & all, (high >>> (2 * PART_BITS - 32)) & all];
}
