import type { Random } from "../../base/random.js";
import { type Image, type Region, type SizedImage, WINDOW } from "./image.js";
import { resizeBilinear } from "./resize.js";

/** Distance of neighboring windows; the larger one where a side has at least `LARGE_STRIDE_FROM` pixels (the LIQE release). */
export const STRIDE = 32;
export const LARGE_STRIDE = 48;
export const LARGE_STRIDE_FROM = 1024;

type Size = Pick<Image, "rows" | "cols">;

/** Upper left corner of a window, in pixels. */
export type Window = { readonly top: number; readonly left: number };

/** Number of windows of an image of this size. @throws {RangeError} below `window` pixels on a side */
export function countWindows(rows: number, cols: number, window = WINDOW): number {
  return windowGrid({ rows, cols }, window).count;
}

/**
 * Windows that an image is scored by: 0, 1, ..., `crops` - 1 times floor(n / crops) of its n, row-major; all of fewer.
 * @param window  side of a window in pixels, here and below; by default that of most of CLIP's models
 * @throws {RangeError} below `window` pixels on a side, or for less than one crop
 */
export function evaluationWindows({ rows, cols }: Size, crops: number, window = WINDOW): Window[] {
  requireCrops("evaluationWindows", crops);
  const grid = windowGrid({ rows, cols }, window);
  const step = Math.max(1, Math.floor(grid.count / crops));
  return Array.from({ length: Math.min(crops, grid.count) }, (_, i) => windowAt(grid, i * step));
}

/** Draw of windows: how many, from which stream, and their side in pixels, 224 by default. */
interface Draw {
  readonly crops: number;
  readonly random: Random;
  readonly window?: number | undefined;
}

/** A training image's windows, drawn with replacement. @throws {RangeError} below `window` pixels a side or one crop */
export function trainingWindows(size: Size, { crops, random, window = WINDOW }: Draw): Window[] {
  requireCrops("trainingWindows", crops);
  const grid = windowGrid(size, window);
  return Array.from({ length: crops }, () => windowAt(grid, random.integer(grid.count)));
}

type Grid = { readonly count: number; readonly across: number; readonly stride: number };

function windowGrid({ rows, cols }: Size, window: number): Grid {
  if (rows < window || cols < window) {
    throw new RangeError(
      `windows: an image must have at least ${window} pixels on each side, got ${cols} x ${rows}; enlarge it first`,
    );
  }
  const stride = Math.max(rows, cols) >= LARGE_STRIDE_FROM ? LARGE_STRIDE : STRIDE;
  const positions = (side: number) => Math.floor((side - window) / stride) + 1;
  return { count: positions(rows) * positions(cols), across: positions(cols), stride };
}

/** Window of an index in row-major order. */
function windowAt({ across, stride }: Grid, index: number): Window {
  return { top: Math.floor(index / across) * stride, left: (index % across) * stride };
}

function requireCrops(where: string, crops: number): void {
  if (!Number.isInteger(crops) || crops < 1) {
    throw new RangeError(`${where}: crops must be a whole number of at least 1, got ${crops}; 15 is usual`);
  }
}

/** Bytes of one crop, [window, window, 3]. */
export function cropBytes(window: number): number {
  return window * window * 3;
}

/** Bytes of one crop of the usual size, [224, 224, 3]. */
export const CROP_BYTES = cropBytes(WINDOW);

/**
 * Crops that an image is scored by, [min(crops, windows), window, window, 3], RGB, in the order of `evaluationWindows`.
 * @throws {RangeError} for an image below `window` pixels on a side: resize it first
 */
export function evaluationCrops(image: Image, crops: number, window = WINDOW): Uint8Array {
  const windows = evaluationWindows(image, crops, window);
  const bytes = cropBytes(window);
  const out = new Uint8Array(windows.length * bytes);
  windows.forEach((corner, i) => {
    cutWindow(image, { ...corner, isFlipped: false, side: window }, out.subarray(i * bytes));
  });
  return out;
}

/**
 * Cuts random crops of a training image into `out`, [crops, window, window, 3] or longer: one flip for the image with
 * probability 1/2, then windows on the grid of the flipped image.
 */
export function cutTrainingCrops(image: SizedImage, draw: Draw, out: Uint8Array): void {
  const { random, window: side = WINDOW } = draw;
  const isFlipped = random.uniform() < 0.5;
  trainingWindows(image, draw).forEach((window, i) => {
    const left = isFlipped ? image.cols - window.left - side : window.left;
    const part = cutRegion(image, { top: window.top, left, rows: side, cols: side });
    cutWindow(part.image, { ...part.corner, isFlipped, side }, out.subarray(i * cropBytes(side)));
  });
}

/** Pixels of a region: in the image itself, or in one that is made of the region alone. */
function cutRegion({ rows, cols, source }: SizedImage, region: Region): { image: Image; corner: Window } {
  if (rows === source.rows && cols === source.cols) return { image: source, corner: region };
  return { image: resizeBilinear(source, rows, cols, region), corner: { top: 0, left: 0 } };
}

/** Copies one window of the image, mirrored where `isFlipped`. */
function cutWindow(image: Image, window: Window & { isFlipped: boolean; side: number }, out: Uint8Array): void {
  const { top, left, isFlipped, side } = window;
  const pixels = plainBytes(image.pixels);
  const lineBytes = side * 3;
  for (let row = 0; row < side; row++) {
    const from = ((top + row) * image.cols + left) * 3;
    const line = pixels.subarray(from, from + lineBytes);
    if (isFlipped) copyLine.mirrored(line, out, row * lineBytes);
    else out.set(line, row * lineBytes);
  }
}

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
