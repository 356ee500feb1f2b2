import type { Random } from "../../base/random.js";
import { copyLine, plainBytes } from "./copyPixels.js";
import { type Image, type Region, type SizedImage, WINDOW } from "./image.js";
import { resizeBilinear } from "./resize.js";

/** Distance of neighboring windows; the larger one where a side has at least `LARGE_STRIDE_FROM` pixels (the LIQE release). */
export const STRIDE = 32;
export const LARGE_STRIDE = 48;
export const LARGE_STRIDE_FROM = 1024;

/** Upper left corner of a window, in pixels. */
export interface Window {
  readonly top: number;
  readonly left: number;
}

/** Number of windows of an image of this size. @throws {RangeError} below 224 pixels on a side */
export function countWindows(rows: number, cols: number): number {
  return windowGrid(rows, cols).count;
}

/**
 * Windows that an image is scored by: 0, 1, ..., `crops` - 1 times floor(n / crops) of its n windows in row-major order,
 * or all n where there are fewer.
 *
 * @throws {RangeError} below 224 pixels on a side, or for less than one crop
 */
export function evaluationWindows(rows: number, cols: number, crops: number): Window[] {
  requireCrops("evaluationWindows", crops);
  const grid = windowGrid(rows, cols);
  const step = Math.max(1, Math.floor(grid.count / crops));
  return Array.from({ length: Math.min(crops, grid.count) }, (_, i) => windowAt(grid, i * step));
}

/**
 * Windows of one training image: drawn from the same grid, with replacement.
 * @throws {RangeError} below 224 pixels on a side, or for less than one crop
 */
export function trainingWindows(rows: number, cols: number, crops: number, random: Random): Window[] {
  requireCrops("trainingWindows", crops);
  const grid = windowGrid(rows, cols);
  return Array.from({ length: crops }, () => windowAt(grid, random.integer(grid.count)));
}

/** Regular grid of windows. */
interface Grid {
  readonly count: number;
  readonly across: number;
  readonly stride: number;
}

function windowGrid(rows: number, cols: number): Grid {
  if (rows < WINDOW || cols < WINDOW) {
    throw new RangeError(
      `windows: an image must have at least ${WINDOW} pixels on each side, got ${cols} x ${rows}; enlarge it first`,
    );
  }
  const stride = Math.max(rows, cols) >= LARGE_STRIDE_FROM ? LARGE_STRIDE : STRIDE;
  const positions = (side: number) => Math.floor((side - WINDOW) / stride) + 1;
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

const LINE_BYTES = WINDOW * 3;
/** Bytes of one crop, [224, 224, 3]. */
export const CROP_BYTES = WINDOW * LINE_BYTES;

/**
 * Crops that an image is scored by, [min(crops, windows), 224, 224, 3], RGB, in the order of `evaluationWindows`.
 * @throws {RangeError} for an image below 224 pixels on a side: resize it first
 */
export function evaluationCrops(image: Image, crops: number): Uint8Array {
  const windows = evaluationWindows(image.rows, image.cols, crops);
  const out = new Uint8Array(windows.length * CROP_BYTES);
  windows.forEach((window, i) => {
    cutWindow(image, { ...window, isFlipped: false }, out.subarray(i * CROP_BYTES));
  });
  return out;
}

/**
 * Cuts random crops of a training image into `out`, [crops, 224, 224, 3] or longer: one flip for the image with
 * probability 1/2, then windows on the grid of the flipped image.
 */
export function cutTrainingCrops(
  image: SizedImage,
  { crops, random }: { readonly crops: number; readonly random: Random },
  out: Uint8Array,
): void {
  const isFlipped = random.uniform() < 0.5;
  trainingWindows(image.rows, image.cols, crops, random).forEach((window, i) => {
    const left = isFlipped ? image.cols - window.left - WINDOW : window.left;
    const part = cutRegion(image, { top: window.top, left, rows: WINDOW, cols: WINDOW });
    cutWindow(part.image, { ...part.corner, isFlipped }, out.subarray(i * CROP_BYTES));
  });
}

/** Pixels of a region: in the image itself, or in one that is made of the region alone. */
function cutRegion({ rows, cols, source }: SizedImage, region: Region): { image: Image; corner: Window } {
  if (rows === source.rows && cols === source.cols) return { image: source, corner: region };
  return { image: resizeBilinear(source, rows, cols, region), corner: { top: 0, left: 0 } };
}

/** Copies one window of the image, mirrored where `isFlipped`. */
function cutWindow(image: Image, window: Window & { readonly isFlipped: boolean }, out: Uint8Array): void {
  const { top, left, isFlipped } = window;
  const pixels = plainBytes(image.pixels);
  for (let row = 0; row < WINDOW; row++) {
    const from = ((top + row) * image.cols + left) * 3;
    const line = pixels.subarray(from, from + LINE_BYTES);
    if (isFlipped) copyLine.mirrored(line, out, row * LINE_BYTES);
    else out.set(line, row * LINE_BYTES);
  }
}
