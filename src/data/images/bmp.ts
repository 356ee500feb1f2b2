import { DataError } from "../../base/errors.js";
import type { Image } from "../../model/preprocess/image.js";
import { expandRuns, lowestBit, unpackBmp } from "./bmpPixels.js";

/** Bytes of the file header, and of the information headers by which kinds are told apart. */
const FILE_HEADER = 14;
const OS2_HEADER = 12;
const INFO_HEADER = 40;
const LARGEST_HEADER = 124;
/** Everything up to here is fixed; masks, where there are any, stand right behind in every version of the header. */
export const BMP_HEADER_BYTES = FILE_HEADER + INFO_HEADER;

/** How pixels are stored, by the header's number for it. */
const STORAGE = { 0: "plain", 1: "runs", 2: "runs", 3: "masked" } as const;
/** Bits a pixel that each of them has. */
const DEPTHS = { plain: [1, 4, 8, 16, 24, 32], runs: [4, 8], masked: [16, 24, 32] } as const;
type Storage = keyof typeof DEPTHS;

interface BmpHeader {
  readonly rows: number;
  readonly cols: number;
  readonly bitsPerPixel: number;
  readonly storage: Storage;
  readonly isTopDown: boolean;
  readonly headerBytes: number;
  /** In its palette; 0 above 8 bits. */
  readonly colours: number;
  readonly pixelOffset: number;
}

/**
 * Reads and judges the header of a BMP.
 *
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
  const colours = (isOs2 ? 0 : bytes.readUInt32LE(46)) || 2 ** bitsPerPixel;
  const header = {
    rows: Math.abs(height),
    cols: isOs2 ? bytes.readUInt16LE(18) : bytes.readInt32LE(18),
    bitsPerPixel,
    isTopDown: height < 0,
    headerBytes,
    colours: bitsPerPixel <= 8 ? colours : 0,
    pixelOffset: bytes.readUInt32LE(10),
  };
  const fault = findFault(header, storage, compression);
  if (storage === undefined || fault !== null) throw refused(file, fault ?? "");
  return { ...header, storage };
}

type Geometry = Omit<BmpHeader, "storage">;

function findFault(header: Geometry, storage: Storage | undefined, compression: number): string | null {
  const { headerBytes, bitsPerPixel, colours, rows, cols, isTopDown } = header;
  const isKnownHeader = headerBytes === OS2_HEADER || (headerBytes >= INFO_HEADER && headerBytes <= LARGEST_HEADER);
  if (!isKnownHeader) return `a BMP header of ${headerBytes} bytes is not read`;
  if (storage === undefined) return `a BMP of compression ${compression} is not read`;
  const depths: readonly number[] = storage === "runs" ? [compression === 1 ? 8 : 4] : DEPTHS[storage];
  if (!depths.includes(bitsPerPixel)) return `a BMP of ${bitsPerPixel} bits a pixel, stored as ${storage}, is not read`;
  if (storage === "runs" && isTopDown) return "a run-length coded BMP that begins at the top is not read";
  if (bitsPerPixel <= 8 && colours > 2 ** bitsPerPixel) return `${colours} colours do not fit ${bitsPerPixel} bits`;
  if (rows === 0 || cols <= 0) return `a BMP of ${cols} x ${rows} pixels holds nothing`;
  return null;
}

/**
 * Decodes a BMP as PIL's convert("RGB") does: palettes looked up, samples of fewer than 8 bits stretched to 255, a
 * fourth channel dropped.
 *
 * @throws {DataError} where the file is cut off or of a kind that is not decoded
 */
export function decodeBmp(bytes: Buffer, file: string): Image {
  const header = readBmpHeader(bytes, file);
  const { rows, cols, bitsPerPixel, storage, isTopDown, pixelOffset } = header;
  const { palette, masks } = tablesOf(bytes, header, file);
  const coded = bytes.subarray(pixelOffset);
  if (storage === "runs") {
    const indices = expandRuns(coded, { rows, cols, bitsPerPixel });
    if (indices === null) throw new DataError(`${file}: the BMP's runs do not fill its picture; get the file again`);
    const layout = { rows, cols, bitsPerPixel: 8, isTopDown, palette, masks: null };
    return { rows, cols, pixels: unpackBmp(indices, cols, layout) };
  }
  const stride = Math.ceil((cols * bitsPerPixel) / 32) * 4;
  if (coded.length < rows * stride) {
    const needed = pixelOffset + rows * stride;
    throw new DataError(`${file}: the BMP is cut off at ${bytes.length} of ${needed} bytes; get the file again`);
  }
  return { rows, cols, pixels: unpackBmp(coded, stride, { rows, cols, bitsPerPixel, isTopDown, palette, masks }) };
}

/** The palette as [256, 3] RGB where there is one, and the masks of red, green and blue where there are any. */
function tablesOf(bytes: Buffer, header: BmpHeader, file: string) {
  const { bitsPerPixel, storage, headerBytes, colours } = header;
  const masks = storage === "masked" ? readMasks(bytes, header, file) : null;
  if (bitsPerPixel > 8) return { palette: null, masks };
  const entry = headerBytes === OS2_HEADER ? 3 : 4;
  const start = FILE_HEADER + headerBytes;
  if (bytes.length < start + colours * entry) {
    throw new DataError(`${file}: the BMP is cut off in its palette; get the file again`);
  }
  const palette = new Uint8Array(256 * 3); // black past its end, as PIL has it
  for (let i = 0; i < colours; i++) {
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
  throw refused(file, `a BMP of ${bitsPerPixel} bits with the colour masks ${shown} is not read`);
}

function refused(file: string, fault: string): DataError {
  return new DataError(`${file}: ${fault}; convert it to PNG or a 24-bit BMP`);
}
