/** Slots that are free. */
const FREE = -1;

/** Share of the slots that may be taken: more of them are looked at for a key then. */
const MOST_TAKEN = 0.7;

/**
 * Index of items by their keys that keeps no key: 13 bytes or so an item, where a `Map` of a string has over 80. Keys
 * are asked of the items again where their hashes are equal.
 */
export class KeyIndex {
  readonly #keyAt: (item: number) => string;
  #items = new Int32Array(64).fill(FREE);
  #hashes = new Int32Array(64);
  #taken = 0;

  /** @param keyAt  key of an item by its number, a whole number from 0 to 2^31 */
  constructor(keyAt: (item: number) => string) {
    this.#keyAt = keyAt;
  }

  /** Item that has the key; null where none has. */
  find(key: string): number | null {
    const item = this.#items[this.#slotOf(key, hashOf(key))] ?? FREE;
    return item === FREE ? null : item;
  }

  /** Gives the key to an item that has it, unless another one came first. @returns that first one, else null */
  claim(key: string, item: number): number | null {
    const hash = hashOf(key);
    const slot = this.#slotOf(key, hash);
    const first = this.#items[slot] ?? FREE;
    if (first !== FREE) return first;
    this.#items[slot] = item;
    this.#hashes[slot] = hash;
    if (++this.#taken > MOST_TAKEN * this.#items.length) this.#grow();
    return null;
  }

  /** Slot of the key, or the free one where it would be. */
  #slotOf(key: string, hash: number): number {
    const mask = this.#items.length - 1;
    let slot = hash & mask;
    for (;;) {
      const item = this.#items[slot] ?? FREE;
      if (item === FREE || (this.#hashes[slot] === hash && this.#keyAt(item) === key)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    const [items, hashes] = [this.#items, this.#hashes];
    const mask = 2 * items.length - 1;
    this.#items = new Int32Array(mask + 1).fill(FREE);
    this.#hashes = new Int32Array(mask + 1);
    items.forEach((item, old) => {
      if (item === FREE) return;
      const hash = hashes[old] ?? 0;
      let slot = hash & mask;
      while (this.#items[slot] !== FREE) slot = (slot + 1) & mask;
      this.#items[slot] = item;
      this.#hashes[slot] = hash;
    });
  }
}

/** First item of each key. @param keyOf  key of an item, the same whenever it is asked for */
export function firstOfEach<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const keyAt = (at: number) => keyOf(items[at] as T); // it was claimed for one of them
  const index = new KeyIndex(keyAt);
  return items.filter((item, at) => index.claim(keyOf(item), at) === null);
}

/** 32 bits of a text, by FNV-1a over its UTF-16 units and the last mixing of MurmurHash3. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
