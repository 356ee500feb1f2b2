import { copyLine, plainBytes } from "../../model/preprocess/copyPixels.js";

/** How a BMP's rows are to be read. */
interface BmpLayout {
  readonly rows: number;
  readonly cols: number;
  /** 1, 4 or 8 with a palette; 16, 24 or 32 without. */
  readonly bitsPerPixel: number;
  readonly isTopDown: boolean;
  /** [256, 3], RGB. */
  readonly palette: Uint8Array | null;
  /** Where red, green and blue stand in a pixel's number; null: in the usual places. */
  readonly masks: readonly number[] | null;
}

/** Places without masks. 16 bits are 5, 5 and 5; a file's bytes are blue first. */
const USUAL_MASKS: Readonly<Record<number, readonly number[]>> = {
  16: [0x7c00, 0x3e0, 0x1f],
  24: [0xff0000, 0xff00, 0xff],
  32: [0xff0000, 0xff00, 0xff],
};

/**
 * The pixels of a BMP that is not run-length coded.
 *
 * @param coded   rows of `stride` bytes
 * @returns       [rows, cols, 3], RGB, from the top
 */
export function unpackBmp(coded: Uint8Array, stride: number, layout: BmpLayout): Uint8Array {
  const { rows, cols, bitsPerPixel, isTopDown, palette, masks } = layout;
  const rgb = new Uint8Array(rows * cols * 3);
  const bytes = plainBytes(coded);
  const readRow =
    palette !== null
      ? indexedRow(bitsPerPixel, palette)
      : bitsPerPixel === 16
        ? shortRow(masks ?? USUAL_MASKS[16] ?? [])
        : bitsPerPixel === 24 && masks === null
          ? blueFirstRow
          : byteRow(bitsPerPixel / 8, masks ?? USUAL_MASKS[bitsPerPixel] ?? []);
  for (let row = 0; row < rows; row++) {
    const from = (isTopDown ? row : rows - 1 - row) * stride;
    readRow(bytes, from, rgb, row * cols * 3, cols);
  }
  return rgb;
}

/** Reads `cols` pixels from byte `from` of a file into byte `to` of an RGB picture. */
type ReadRow = (coded: Uint8Array, from: number, rgb: Uint8Array, to: number, cols: number) => void;

/* In the loops below every index is inside its array; `?? 0` is for the type alone. */

function indexedRow(bits: number, palette: Uint8Array): ReadRow {
  const perByte = 8 / bits;
  const mask = 2 ** bits - 1;
  return (coded, from, rgb, to, cols) => {
    for (let col = 0; col < cols; col++, to += 3) {
      const byte = coded[from + Math.floor(col / perByte)] ?? 0;
      const color = ((byte >> (8 - bits * ((col % perByte) + 1))) & mask) * 3; // the leftmost pixel stands highest
      rgb[to] = palette[color] ?? 0;
      rgb[to + 1] = palette[color + 1] ?? 0;
      rgb[to + 2] = palette[color + 2] ?? 0;
    }
  };
}

/** 24 bits in the usual places, which nearly all files have. */
const blueFirstRow: ReadRow = (coded, from, rgb, to, cols) => {
  copyLine.swapped(coded.subarray(from, from + cols * 3), rgb, to);
};

/** 24 and 32 bits with whole bytes for each colour. */
function byteRow(bytesPerPixel: number, masks: readonly number[]): ReadRow {
  const [red = 0, green = 0, blue = 0] = masks.map((mask) => lowestBit(mask) / 8);
  return (coded, from, rgb, to, cols) => {
    for (let col = 0; col < cols; col++, from += bytesPerPixel, to += 3) {
      rgb[to] = coded[from + red] ?? 0;
      rgb[to + 1] = coded[from + green] ?? 0;
      rgb[to + 2] = coded[from + blue] ?? 0;
    }
  };
}

/** 16 bits: each colour's few bits stretched to 0 to 255, fractions cut off as PIL does. */
function shortRow(masks: readonly number[]): ReadRow {
  const channels = masks.map((mask) => ({ shift: lowestBit(mask), most: mask >>> lowestBit(mask) }));
  return (coded, from, rgb, to, cols) => {
    for (let col = 0; col < cols; col++, from += 2) {
      const pixel = (coded[from] ?? 0) | ((coded[from + 1] ?? 0) << 8);
      for (const { shift, most } of channels) rgb[to++] = Math.floor((((pixel >>> shift) & most) * 255) / most);
    }
  };
}

/** The number of zeros at a mask's end. */
export function lowestBit(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

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
