/**
 * Lines of RGB pixels, processed in words: four pixels of three bytes are three words of four bytes, and a word is moved
 * in the time of a byte. As everywhere where TensorFlow.js runs, a word's lowest byte is its first.
 */

/** View of the same bytes that is no Buffer: parts of a Buffer take longer to make. */
export function plainBytes({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

/** Copies a changed line of pixels into `out`, from byte `to` on. */
type LineCopy = (line: Uint8Array, out: Uint8Array, to: number) => void;

export const copyLine = {
  /** Blue, green, red to red, green, blue. */
  swapped: lineCopy(swapColors, "front"),
  /** The last pixel first. */
  mirrored: lineCopy(mirrorPixels, "back"),
} as const;

/** Maps one line of words to another, in threes; the two may not be the same. */
type WordMap = (from: Int32Array, to: Int32Array) => void;

/** @param rest  end of the mapped line that holds the padding of its last three words */
function lineCopy(map: WordMap, rest: "front" | "back"): LineCopy {
  let buffer = wordsOf(0, rest); // of the last width: images have many lines, and views cost more than words
  return (line, out, to) => {
    if (buffer.mappedBytes.length !== line.length) buffer = wordsOf(line.length, rest);
    buffer.bytes.set(line);
    map(buffer.words, buffer.mapped);
    out.set(buffer.mappedBytes, to);
  };
}

/** Room for a line of so many bytes, before and after its map. */
function wordsOf(length: number, rest: "front" | "back") {
  const threes = Math.ceil(length / 12);
  const [words, mapped] = [new Int32Array(3 * threes), new Int32Array(3 * threes)];
  const skipped = rest === "back" ? 12 * threes - length : 0;
  return {
    words,
    bytes: new Uint8Array(words.buffer),
    mapped,
    mappedBytes: new Uint8Array(mapped.buffer, skipped, length),
  };
}

const FIRST = 0xff;
const SECOND = 0xff00;
const THIRD = 0xff0000;
const FOURTH = 0xff000000;

/* Both loops stay inside their lines, which have whole threes. */

/** Swaps the first and the third byte of each pixel: b0 g0 r0 b1, g1 r1 b2 g2, r2 b3 g3 r3. */
function swapColors(from: Int32Array, to: Int32Array): void {
  for (let i = 0; i < from.length; i += 3) {
    const [a, b, c] = [from[i] as number, from[i + 1] as number, from[i + 2] as number];
    to[i] = ((a >>> 16) & FIRST) | (a & SECOND) | ((a << 16) & THIRD) | ((b << 16) & FOURTH);
    to[i + 1] = (b & FIRST) | ((a >>> 16) & SECOND) | ((c << 16) & THIRD) | (b & FOURTH);
    to[i + 2] = ((b >>> 16) & FIRST) | ((c >>> 16) & SECOND) | (c & THIRD) | ((c << 16) & FOURTH);
  }
}

/** Reverses the order of four pixels, r0 g0 b0 r1, g1 b1 r2 g2, b2 r3 g3 b3, and of the fours in the line. */
function mirrorPixels(from: Int32Array, to: Int32Array): void {
  for (let i = 0, end = from.length - 3; i < from.length; i += 3, end -= 3) {
    const [a, b, c] = [from[i] as number, from[i + 1] as number, from[i + 2] as number];
    to[end] = (c >>> 8) | ((b << 8) & FOURTH);
    to[end + 1] = (b >>> 24) | ((c << 8) & SECOND) | ((a >>> 8) & THIRD) | (b << 24);
    to[end + 2] = ((b >>> 8) & FIRST) | (a << 8);
  }
}
