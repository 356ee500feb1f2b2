/** What stands after a zero in place of a run: the row's end, the picture's, a jump; from 3 on, so many single pixels. */
const END_OF_ROW = 0;
const END_OF_PICTURE = 1;
const JUMP = 2;

/**
 * Expands a run-length coded BMP of 4 or 8 bits.
 *
 * @returns [rows, cols], a colour's number for each pixel, from the bottom row on; null where runs end too early
 */
export function expandRuns(
  coded: Uint8Array,
  { rows, cols, bitsPerPixel }: { rows: number; cols: number; bitsPerPixel: number },
): Uint8Array | null {
  const indices = new Uint8Array(rows * cols);
  const perByte = 8 / bitsPerPixel;
  /** The `i`-th pixel of those that begin at byte `from`. */
  const pixel = (from: number, i: number) => {
    const byte = coded[from + Math.floor(i / perByte)] ?? 0;
    return perByte === 1 ? byte : i % 2 === 0 ? byte >> 4 : byte & 15;
  };
  let at = 0; // in `coded`
  let to = 0; // in `indices`
  while (to < indices.length && at + 1 < coded.length) {
    const [count = 0, code = 0] = [coded[at], coded[at + 1]];
    at += 2;
    const isRun = count > 0;
    if (isRun || code > JUMP) {
      const pixels = isRun ? count : code;
      const room = Math.min(pixels, cols - (to % cols)); // what goes past a row's end is left out
      const start = isRun ? at - 1 : at;
      for (let i = 0; i < room; i++) indices[to + i] = pixel(start, isRun ? i % perByte : i);
      to += room;
      if (!isRun) at += Math.ceil(pixels / perByte / 2) * 2; // whole pairs of bytes
    } else if (code === END_OF_ROW) {
      to = Math.ceil(to / cols) * cols;
    } else if (code === END_OF_PICTURE) {
      return null;
    } else {
      to += (coded[at] ?? 0) + (coded[at + 1] ?? 0) * cols;
      at += 2;
    }
  }
  return to < indices.length ? null : indices;
}
