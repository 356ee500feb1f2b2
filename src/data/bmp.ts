import { decode } from "bmp-ts";
import { DataError } from "../base/errors.js";
import type { DecodedImage } from "./image.js";

/** Bytes of the file header and of the oldest information header that is read (BITMAPINFOHEADER). */
const FILE_HEADER = 14;
const INFO_HEADER = 40;
/** Everything up to here is fixed; masks, where there are any, stand right behind in every version of the header. */
export const BMP_HEADER_BYTES = FILE_HEADER + INFO_HEADER;
const MASK_BYTES = 12;
const BYTES_PER_COLOUR = 4;

/** How pixels are stored: plainly, or plainly with the place of each colour given by masks. */
const PLAIN = 0;
const MASKED = 3;
const RUN_LENGTH = new Set([1, 2]);

export interface BmpHeader {
  readonly rows: number;
  readonly cols: number;
  readonly bitsPerPixel: number;
  readonly isMasked: boolean;
  readonly headerBytes: number;
  readonly colours: number;
  readonly pixelOffset: number;
}

/**
 * Reads and judges the header of a BMP.
 *
 * @param bytes  at least the first 54 of the file
 * @throws {DataError} for kinds that are not decoded: 4 and 16 bits, run lengths, OS/2 headers
 */
export function readBmpHeader(bytes: Buffer, file: string): BmpHeader {
  if (bytes.length < BMP_HEADER_BYTES) throw new DataError(`${file}: the BMP header is cut off; get the file again`);
  const compression = bytes.readUInt32LE(30);
  const header: BmpHeader = {
    rows: Math.abs(bytes.readInt32LE(22)),
    cols: bytes.readInt32LE(18),
    bitsPerPixel: bytes.readUInt16LE(28),
    isMasked: compression === MASKED,
    headerBytes: bytes.readUInt32LE(14),
    colours: bytes.readUInt32LE(46),
    pixelOffset: bytes.readUInt32LE(10),
  };
  const fault = findFault(header, compression);
  if (fault !== null) throw new DataError(`${file}: ${fault}; convert it to PNG or a 24-bit BMP`);
  return header;
}

function findFault(header: BmpHeader, compression: number): string | null {
  const { headerBytes, bitsPerPixel, colours, rows, cols, isMasked } = header;
  if (headerBytes < INFO_HEADER || headerBytes > 124) return `a BMP header of ${headerBytes} bytes is not read`;
  if (RUN_LENGTH.has(compression)) return "a run-length coded BMP is not read";
  if (compression !== PLAIN && compression !== MASKED) return `a BMP of compression ${compression} is not read`;
  if (![1, 8, 24, 32].includes(bitsPerPixel)) return `a BMP of ${bitsPerPixel} bits a pixel is not read`;
  if (isMasked && bitsPerPixel !== 32) return `a BMP of ${bitsPerPixel} bits with colour masks is not read`;
  if (bitsPerPixel <= 8 && colours > 2 ** bitsPerPixel) return `${colours} colours do not fit ${bitsPerPixel} bits`;
  if (rows === 0 || cols <= 0) return `a BMP of ${cols} x ${rows} pixels holds nothing`;
  return null;
}

/**
 * Decodes a BMP of 1, 8, 24 or 32 bits, bottom up or top down, as PIL's convert("RGB") does: palettes looked up, a
 * fourth channel dropped.
 *
 * @throws {DataError} where the file is cut off or of a kind that is not decoded
 */
export function decodeBmp(bytes: Buffer, file: string): DecodedImage {
  const header = readBmpHeader(bytes, file);
  const { rows, cols, bitsPerPixel, pixelOffset } = header;
  const needed = pixelOffset + rows * Math.ceil((cols * bitsPerPixel) / 32) * 4;
  if (bytes.length < needed) {
    throw new DataError(`${file}: the BMP is cut off at ${bytes.length} of ${needed} bytes; get the file again`);
  }
  const { data } = decode(rewriteHeader(bytes, header));
  return { rows, cols, pixels: rgbOfAbgr(data, rows * cols) };
}

/**
 * The same picture with the oldest header and its pixels right behind: bmp-ts takes the pixels for adjacent to the
 * header and misreads the masks of newer headers that have none.
 */
function rewriteHeader(bytes: Buffer, header: BmpHeader): Buffer {
  const { bitsPerPixel, isMasked, headerBytes, pixelOffset } = header;
  const fixed = Buffer.from(bytes.subarray(0, BMP_HEADER_BYTES));
  fixed.writeUInt32LE(INFO_HEADER, 14);
  const masks = isMasked ? bytes.subarray(BMP_HEADER_BYTES, BMP_HEADER_BYTES + MASK_BYTES) : Buffer.alloc(0);
  const colours = bitsPerPixel > 8 ? 0 : header.colours === 0 ? 2 ** bitsPerPixel : header.colours;
  fixed.writeUInt32LE(colours, 46);
  const paletteStart = FILE_HEADER + headerBytes + (headerBytes === INFO_HEADER ? masks.length : 0);
  const palette = bytes.subarray(paletteStart, paletteStart + colours * BYTES_PER_COLOUR);
  return Buffer.concat([fixed, masks, palette, bytes.subarray(pixelOffset)]);
}

/** bmp-ts gives four channels, alpha first and red last. */
function rgbOfAbgr(abgr: Uint8Array, count: number): Uint8Array {
  const rgb = new Uint8Array(count * 3);
  for (let i = 0, from = 0, to = 0; i < count; i++, from += 4, to += 3) {
    rgb[to] = abgr[from + 3] ?? NaN;
    rgb[to + 1] = abgr[from + 2] ?? NaN;
    rgb[to + 2] = abgr[from + 1] ?? NaN;
  }
  return rgb;
}
