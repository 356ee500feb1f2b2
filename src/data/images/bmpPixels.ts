import { copySwapped, plainBytes } from "../../model/preprocess/copyPixels.js";

/** How a BMP's rows are to be read. */
export interface BmpLayout {
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
  copySwapped(coded, from, cols * 3, rgb, to);
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
