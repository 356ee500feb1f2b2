import { DataError } from "../../base/errors.js";
import { copyLine, plainBytes } from "../../model/preprocess/crops.js";
import type { Image } from "../../model/preprocess/image.js";

/** Bytes of the file header, and of the information headers that tell the kinds apart. */
const FILE_HEADER = 14;
const OS2_HEADER = 12;
const INFO_HEADER = 40;
const LARGEST_HEADER = 124;
/** Bytes of the fixed part; masks, where there are any, follow it in every version of the header. */
export const BMP_HEADER_BYTES = FILE_HEADER + INFO_HEADER;

/** Storage of pixels, by the header's number for it. */
const STORAGE = { 0: "plain", 1: "runs", 2: "runs", 3: "masked" } as const;
/** Bits a pixel that each storage may have. */
const DEPTHS = { plain: [1, 4, 8, 16, 24, 32], runs: [4, 8], masked: [16, 24, 32] } as const;
type Storage = keyof typeof DEPTHS;

interface BmpHeader {
  readonly rows: number;
  readonly cols: number;
  readonly bitsPerPixel: number;
  readonly storage: Storage;
  readonly isTopDown: boolean;
  readonly headerBytes: number;
  /** Entries of the palette; 0 above 8 bits. */
  readonly colors: number;
  readonly pixelOffset: number;
}

/**
 * Decodes a BMP as PIL's convert("RGB") does: palettes looked up, samples stretched to 255, a fourth channel dropped.
 * @throws {DataError} where the file is cut off or of a kind that is not decoded
 */
export function decodeBmp(bytes: Buffer, file: string): Image {
  const header = readBmpHeader(bytes, file);
  const { rows, cols, bitsPerPixel, storage, pixelOffset } = header;
  const { palette, masks } = tablesOf(bytes, header, file);
  const coded = bytes.subarray(pixelOffset);
  if (storage === "runs") {
    const indices = expandRuns(bytes, header);
    if (indices === null) throw new DataError(`${file}: the BMP's runs do not fill its picture; get the file again`);
    return { rows, cols, pixels: unpack(indices, cols, { ...header, bitsPerPixel: 8, palette, masks: null }) };
  }
  const stride = Math.ceil((cols * bitsPerPixel) / 32) * 4;
  if (coded.length < rows * stride) {
    const needed = pixelOffset + rows * stride;
    throw new DataError(`${file}: the BMP is cut off at ${bytes.length} of ${needed} bytes; get the file again`);
  }
  return { rows, cols, pixels: unpack(coded, stride, { ...header, palette, masks }) };
}

/**
 * Reads and checks the header of a BMP.
 * @param bytes  at least the first 54 of the file
 * @throws {DataError} for kinds that are not decoded: sizes of header, depths and codings that no photograph has
 */
export function readBmpHeader(bytes: Buffer, file: string): BmpHeader {
  if (bytes.length < BMP_HEADER_BYTES) throw new DataError(`${file}: the BMP header is cut off; get the file again`);
  const headerBytes = bytes.readUInt32LE(14);
  const isOs2 = headerBytes === OS2_HEADER;
  const compression = isOs2 ? 0 : bytes.readUInt32LE(30);
  const height = isOs2 ? bytes.readUInt16LE(20) : bytes.readInt32LE(22);
  const bitsPerPixel = bytes.readUInt16LE(isOs2 ? 24 : 28);
  const storage = (STORAGE as Readonly<Record<number, Storage>>)[compression]; // any number may stand there
  const colors = bitsPerPixel > 8 ? 0 : (isOs2 ? 0 : bytes.readUInt32LE(46)) || 2 ** bitsPerPixel;
  const header = {
    rows: Math.abs(height),
    cols: isOs2 ? bytes.readUInt16LE(18) : bytes.readInt32LE(18),
    bitsPerPixel,
    isTopDown: height < 0,
    headerBytes,
    colors,
    pixelOffset: pixelsAt(bytes.readUInt32LE(10), { headerBytes, colors, isMasked: storage === "masked" }),
  };
  const fault = findFault(header, storage, compression);
  if (storage === undefined || fault !== null) throw refused(file, fault ?? "");
  return { ...header, storage };
}

/**
 * Offset of the pixels, as PIL understands it: some programs give the header's end though a palette follows it, and
 * some give none at all.
 */
function pixelsAt(
  given: number,
  { headerBytes, colors, isMasked }: Pick<BmpHeader, "headerBytes" | "colors"> & { readonly isMasked: boolean },
): number {
  const headerEnd = FILE_HEADER + headerBytes;
  const palette = colors * (headerBytes === OS2_HEADER ? 3 : 4);
  const masks = isMasked && headerBytes === INFO_HEADER ? 12 : 0;
  if (given === 0) return headerEnd + palette + masks;
  return given === headerEnd ? given + palette : given;
}

function findFault(
  { headerBytes, bitsPerPixel, colors, rows, cols, isTopDown }: Omit<BmpHeader, "storage">,
  storage: Storage | undefined,
  compression: number,
): string | null {
  const isKnownHeader = headerBytes === OS2_HEADER || (headerBytes >= INFO_HEADER && headerBytes <= LARGEST_HEADER);
  if (!isKnownHeader) return `a BMP header of ${headerBytes} bytes is not read`;
  if (storage === undefined) return `a BMP of compression ${compression} is not read`;
  const depths: readonly number[] = storage === "runs" ? [compression === 1 ? 8 : 4] : DEPTHS[storage];
  if (!depths.includes(bitsPerPixel)) return `a BMP of ${bitsPerPixel} bits a pixel, stored as ${storage}, is not read`;
  if (storage === "runs" && isTopDown) return "a run-length coded BMP that begins at the top is not read";
  if (bitsPerPixel <= 8 && colors > 2 ** bitsPerPixel) return `${colors} colors do not fit ${bitsPerPixel} bits`;
  if (rows === 0 || cols <= 0) return `a BMP of ${cols} x ${rows} pixels holds nothing`;
  return null;
}

/** The palette as [256, 3] RGB where there is one, and the masks of red, green and blue where there are any. */
function tablesOf(bytes: Buffer, header: BmpHeader, file: string) {
  const { bitsPerPixel, storage, headerBytes, colors } = header;
  const masks = storage === "masked" ? readMasks(bytes, header, file) : null;
  if (bitsPerPixel > 8) return { palette: null, masks };
  const entry = headerBytes === OS2_HEADER ? 3 : 4;
  const start = FILE_HEADER + headerBytes;
  if (bytes.length < start + colors * entry) {
    throw new DataError(`${file}: the BMP is cut off in its palette; get the file again`);
  }
  const palette = new Uint8Array(256 * 3); // black past its end, as PIL has it
  for (let i = 0; i < colors; i++) {
    for (let c = 0; c < 3; c++) palette[3 * i + c] = bytes[start + i * entry + 2 - c] ?? NaN;
  }
  return { palette, masks };
}

function readMasks(bytes: Buffer, { bitsPerPixel, pixelOffset }: BmpHeader, file: string): number[] {
  const masks = [54, 58, 62].map((at) => (at + 4 <= Math.min(bytes.length, pixelOffset) ? bytes.readUInt32LE(at) : 0));
  const isWhole = (mask: number) =>
    bitsPerPixel === 16 || (mask >>> lowestBit(mask) === 255 && lowestBit(mask) % 8 === 0);
  const isRun = (mask: number) => mask !== 0 && ((mask >>> lowestBit(mask)) & ((mask >>> lowestBit(mask)) + 1)) === 0;
  const isInside = (mask: number) => bitsPerPixel === 32 || mask < 2 ** bitsPerPixel;
  if (masks.every((mask) => isRun(mask) && isWhole(mask) && isInside(mask))) return masks;
  const shown = masks.map((mask) => mask.toString(16).padStart(8, "0")).join(" ");
  throw refused(file, `a BMP of ${bitsPerPixel} bits with the color masks ${shown} is not read`);
}

/** Number of zeros at a mask's end. */
function lowestBit(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

function refused(file: string, fault: string): DataError {
  return new DataError(`${file}: ${fault}; convert it to PNG or a 24-bit BMP`);
}

interface BmpLayout extends Pick<BmpHeader, "rows" | "cols" | "bitsPerPixel" | "isTopDown"> {
  /** [256, 3], RGB, for 1, 4 or 8 bits. */
  readonly palette: Uint8Array | null;
  /** Bits of red, green and blue in a pixel's number; null for the usual ones. */
  readonly masks: readonly number[] | null;
}

/** Masks of files without any. 16 bits are 5, 5 and 5; a file's bytes are blue first. */
const USUAL_MASKS: Readonly<Record<number, readonly number[]>> = {
  16: [0x7c00, 0x3e0, 0x1f],
  24: [0xff0000, 0xff00, 0xff],
  32: [0xff0000, 0xff00, 0xff],
};

/** Pixels of a BMP without runs: rows of `stride` bytes → [rows, cols, 3], RGB, from the top. */
function unpack(coded: Uint8Array, stride: number, layout: BmpLayout): Uint8Array {
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
    readRow(bytes.subarray(from, from + stride), rgb.subarray(row * cols * 3, (row + 1) * cols * 3));
  }
  return rgb;
}

type ReadRow = (coded: Uint8Array, rgb: Uint8Array) => void;

/* In the loops below every index is inside its array; `?? 0` is for the type alone. */

function indexedRow(bits: number, palette: Uint8Array): ReadRow {
  const perByte = 8 / bits;
  const mask = 2 ** bits - 1;
  return (coded, rgb) => {
    for (let col = 0, to = 0; to < rgb.length; col++, to += 3) {
      const byte = coded[Math.floor(col / perByte)] ?? 0;
      const color = ((byte >> (8 - bits * ((col % perByte) + 1))) & mask) * 3; // the leftmost pixel stands highest
      rgb[to] = palette[color] ?? 0;
      rgb[to + 1] = palette[color + 1] ?? 0;
      rgb[to + 2] = palette[color + 2] ?? 0;
    }
  };
}

/** 24 bits in the usual places, which nearly all files have. */
const blueFirstRow: ReadRow = (coded, rgb) => {
  copyLine.swapped(coded.subarray(0, rgb.length), rgb, 0);
};

/** 24 and 32 bits with whole bytes for each color. */
function byteRow(bytesPerPixel: number, masks: readonly number[]): ReadRow {
  const [red = 0, green = 0, blue = 0] = masks.map((mask) => lowestBit(mask) / 8);
  return (coded, rgb) => {
    for (let from = 0, to = 0; to < rgb.length; from += bytesPerPixel, to += 3) {
      rgb[to] = coded[from + red] ?? 0;
      rgb[to + 1] = coded[from + green] ?? 0;
      rgb[to + 2] = coded[from + blue] ?? 0;
    }
  };
}

/** 16 bits: each color's few bits stretched to 0 to 255, fractions cut off as PIL does. */
function shortRow(masks: readonly number[]): ReadRow {
  const channels = masks.map((mask) => ({ shift: lowestBit(mask), most: mask >>> lowestBit(mask) }));
  return (coded, rgb) => {
    for (let from = 0, to = 0; to < rgb.length; from += 2) {
      const pixel = (coded[from] ?? 0) | ((coded[from + 1] ?? 0) << 8);
      for (const { shift, most } of channels) rgb[to++] = Math.floor((((pixel >>> shift) & most) * 255) / most);
    }
  };
}

/** Codes after a zero in place of a run: the row's end, the picture's, a jump; from 3 on, so many single pixels. */
const END_OF_ROW = 0;
const END_OF_PICTURE = 1;
const JUMP = 2;

/**
 * Expands runs of 4 or 8 bits to [rows, cols] color numbers, from the bottom row on, as PIL does also where they do not
 * keep to rows: of a run, pixels past its row's end are left out; single pixels go on in the next row.
 * @returns null where they end too early
 */
function expandRuns(file: Uint8Array, { rows, cols, bitsPerPixel, pixelOffset }: BmpHeader): Uint8Array | null {
  const indices = new Uint8Array(rows * cols);
  const perByte = 8 / bitsPerPixel;
  /** The `i`-th pixel of those that begin at byte `from`. */
  const pixel = (from: number, i: number) => {
    const byte = file[from + Math.floor(i / perByte)] ?? 0;
    return perByte === 1 ? byte : i % 2 === 0 ? byte >> 4 : byte & 15;
  };
  let at = pixelOffset; // in `file`
  let to = 0; // in `indices`
  let col = 0; // of the row that was begun last: at its end, and past it, until the next one begins
  while (to < indices.length && at + 1 < file.length) {
    const [count = 0, code = 0] = [file[at], file[at + 1]];
    at += 2;
    if (count > 0) {
      const pixels = Math.max(0, Math.min(count, cols - col));
      for (let i = 0; i < pixels; i++) indices[to + i] = pixel(at - 1, i % perByte);
      to += pixels;
      col += pixels;
    } else if (code > JUMP) {
      const pixels = Math.min(code, indices.length - to);
      if (at + Math.ceil(pixels / perByte) > file.length) return null;
      for (let i = 0; i < pixels; i++) indices[to + i] = pixel(at, i);
      to += pixels;
      col += code;
      at += Math.ceil(pixels / perByte);
      at += at % 2; // they end at a pair of bytes
    } else if (code === END_OF_ROW) {
      to = Math.ceil(to / cols) * cols;
      col = 0;
    } else if (code === END_OF_PICTURE) {
      return null;
    } else {
      to += (file[at] ?? 0) + (file[at + 1] ?? 0) * cols;
      col = to % cols;
      at += 2;
    }
  }
  return to < indices.length ? null : indices;
}
