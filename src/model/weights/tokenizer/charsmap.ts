/** Normalization that a SentencePiece model carries: strings to replace, as a double-array trie (darts-clone). */

/** Units of the trie and the replacements, each ended by a zero byte. */
interface Charsmap {
  readonly units: Uint32Array;
  readonly replacements: Uint8Array;
}

/** A text with the longest known strings replaced, from its beginning on. */
export type Replace = (text: string) => string;

/**
 * Reads a model's `precompiled_charsmap`: the trie's bytes after their number, then the replacements.
 * @returns  what it does to a text; null where the bytes are no such map
 */
export function readCharsmap(bytes: Uint8Array): Replace | null {
  if (bytes.length === 0) return (text) => text;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytes.length < 4 ? 0 : view.getUint32(0, true);
  if (size === 0 || size % 4 !== 0 || 4 + size > bytes.length) return null;
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const map = { units, replacements: bytes.subarray(4 + size) };
  return (text) => replaced(map, new TextEncoder().encode(text));
}

function replaced(map: Charsmap, text: Uint8Array): string {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < text.length;) {
    const found = longestPrefix(map.units, text, at);
    pieces.push(found === null ? text.subarray(at, at + characterLength(text, at)) : replacementAt(map, found.value));
    at += found?.length ?? characterLength(text, at);
  }
  return pieces.map((piece) => new TextDecoder().decode(piece)).join("");
}

function replacementAt({ replacements }: Charsmap, start: number): Uint8Array {
  const end = replacements.indexOf(0, start);
  return replacements.subarray(start, end < 0 ? undefined : end);
}

/** Bytes of the character of UTF-8 that begins there. */
function characterLength(text: Uint8Array, at: number): number {
  const first = text[at] ?? 0;
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

/** Longest known string that begins there, and its value. */
function longestPrefix(units: Uint32Array, text: Uint8Array, start: number) {
  let found: { readonly length: number; readonly value: number } | null = null;
  let node = offsetOf(units[0] ?? 0);
  for (let at = start; at < text.length; at++) {
    const byte = text[at] ?? 0;
    node ^= byte;
    const unit = units[node] ?? 0;
    if (labelOf(unit) !== byte) break;
    node ^= offsetOf(unit);
    if ((unit >>> 8) & 1) found = { length: at + 1 - start, value: (units[node] ?? 0) & 0x7fffffff };
  }
  return found;
}

/** Distance to a unit's children. */
function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

/** Byte that a unit stands for; above 255 where it holds a value. */
function labelOf(unit: number): number {
  return (unit & 0x800000ff) >>> 0;
}
