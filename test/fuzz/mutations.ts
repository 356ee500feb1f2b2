/** Changes to the bytes of real files: what transfers, editors, other programs and strangers do to them. */
import fc from "fast-check";

/** Bytes and texts that readers have to be ready for, wherever they stand. */
const POISON: readonly Uint8Array[] = [
  ...[0, 1, 0x7f, 0x80, 0xff].map((byte) => Uint8Array.of(byte)),
  ...[0, 0x7f_ff_ff_ff, 0x80_00_00_00, 0xff_ff_ff_ff].flatMap((word) =>
    [true, false].map((little) => wordOf(word, little)),
  ),
  ...["NaN", "-1", "1e999", "0x10", "-0", "99999999999999999999", "null", "{}", "[]", '"', ",", "\t", "\r", "\n\n"].map(
    textOf,
  ),
  ...["../../x.png", "/etc/passwd", "\u0000", "\u{feff}", "\ud83d\ude00", "__proto__", "constructor", "a".repeat(3000), "[".repeat(3000)].map(textOf), // prettier-ignore
];

function wordOf(word: number, little: boolean): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, word, little);
  return bytes;
}

function textOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A place in a file, as a share of its length: half of all in the first hundredth, where headers stand. */
const place = fc.oneof(fc.double({ min: 0, max: 0.01, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }));

type Change = (bytes: Uint8Array) => Uint8Array;

const at = (bytes: Uint8Array, share: number) => Math.min(bytes.length, Math.floor(share * (bytes.length + 1)));

/** `removed` bytes at a place give way to others. */
function spliced(bytes: Uint8Array, start: number, removed: number, put: Uint8Array): Uint8Array {
  return Uint8Array.from([...bytes.subarray(0, start), ...put, ...bytes.subarray(start + removed)]);
}

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ share: place, bit: fc.nat(7) }).map(({ share, bit }): Change => (bytes) => {
    const changed = bytes.slice();
    const i = Math.min(at(bytes, share), bytes.length - 1);
    if (i >= 0) changed[i] = (changed[i] ?? 0) ^ (1 << bit);
    return changed;
  }),
  fc.record({ share: place, put: fc.constantFrom(...POISON), over: fc.boolean() }).map(
    ({ share, put, over }): Change =>
      (bytes) =>
        spliced(bytes, at(bytes, share), over ? put.length : 0, put),
  ),
  fc.record({ share: place, count: fc.nat(64) }).map(
    ({ share, count }): Change =>
      (bytes) =>
        spliced(bytes, at(bytes, share), count, new Uint8Array()),
  ),
  fc.record({ from: place, to: place, count: fc.integer({ min: 1, max: 64 }) }).map(
    ({ from, to, count }): Change =>
      (bytes) =>
        spliced(bytes, at(bytes, to), 0, bytes.subarray(at(bytes, from), at(bytes, from) + count)),
  ),
  place.map(
    (share): Change =>
      (bytes) =>
        bytes.slice(0, at(bytes, share)),
  ),
  fc.uint8Array({ minLength: 1, maxLength: 16 }).map(
    (put): Change =>
      (bytes) =>
        spliced(bytes, bytes.length, 0, put),
  ),
);

/** One of some files, with one to four changes. */
export function mutated(files: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  return fc
    .record({ file: fc.constantFrom(...files), changes: fc.array(change, { minLength: 1, maxLength: 4 }) })
    .map(({ file, changes }) => changes.reduce((bytes, one) => one(bytes), file));
}
