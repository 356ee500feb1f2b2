/** Seeded randomness: the same seed and keys give the same numbers on every machine. */
export interface Random {
  /** Number in [0, 1), a multiple of 2^-32. */
  readonly uniform: () => number;
  /** Whole number in {0, ..., below - 1}. */
  readonly integer: (below: number) => number;
  /** Standard normal number (Box-Muller). */
  readonly normal: () => number;
  /** New array in random order (Fisher-Yates). */
  readonly shuffle: <T>(items: readonly T[]) => T[];
}

/**
 * Generator that depends on its seed and keys alone. Derive one where it is needed, `seededRandom(seed, "crops", epoch,
 * step, image)`, instead of passing a live one along: a run then resumes exactly.
 */
export function seededRandom(seed: number, ...keys: readonly (number | string)[]): Random {
  const next = sfc32(hash(JSON.stringify([seed, ...keys])));
  const uniform = () => next() / 2 ** 32;
  const integer = (below: number) => Math.floor(uniform() * below);
  return {
    uniform,
    integer,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    shuffle: (items) => {
      const shuffled = [...items];
      for (let i = shuffled.length - 1; i > 0; i--) {
        const j = integer(i + 1);
        const last = shuffled[i] as (typeof shuffled)[number]; // both indices are inside the array
        shuffled[i] = shuffled[j] as (typeof shuffled)[number];
        shuffled[j] = last;
      }
      return shuffled;
    },
  };
}

/** Hash of a text, four 32-bit words: FNV-1a over its UTF-16 units with four offsets, finished as in MurmurHash3. */
function hash(text: string): [number, number, number, number] {
  const words: [number, number, number, number] = [0x811c9dc5, 0x9e3779b9, 0x243f6a88, 0xb7e15162];
  for (let i = 0; i < text.length; i++) {
    for (let w = 0; w < 4; w++) words[w] = Math.imul((words[w] ?? 0) ^ text.charCodeAt(i), 0x01000193 + 2 * w);
  }
  return words.map(finish) as [number, number, number, number]; // map keeps the length
}

function finish(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Chris Doty-Humphrey's small fast counting generator (PractRand): 128 bits of state, unsigned 32-bit numbers. */
function sfc32([a, b, c, counter]: [number, number, number, number]): () => number {
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i++) next(); // mixes the seed words
  return next;
}
