/** Where an image is looked at: square windows on a regular grid. Runs in a browser too. */
import type { Random } from "../../base/random.js";
import { copyMirrored, plainBytes } from "./copyPixels.js";
import type { Image, Region, SizedImage } from "./image.js";
import { WINDOW } from "./image.js";
import { resizeBilinear } from "./resize.js";

/** Distance of neighbouring windows; the larger one where a side has at least `LARGE_STRIDE_FROM` pixels (the LIQE release). */
export const STRIDE = 32;
export const LARGE_STRIDE = 48;
export const LARGE_STRIDE_FROM = 1024;

/** The upper left corner of a window, in pixels. */
export interface Window {
  readonly top: number;
  readonly left: number;
}

/** How many windows an image of this size has. @throws {RangeError} below 224 pixels on a side */
export function countWindows(rows: number, cols: number): number {
  const grid = windowGrid(rows, cols);
  return grid.down * grid.across;
}

/**
 * The windows an image is scored by: 0, 1, ..., `crops` - 1 times floor(n / crops) of its n windows in row-major order,
 * all n of them where there are fewer.
 *
 * @throws {RangeError} below 224 pixels on a side, or for less than one crop
 */
export function evaluationWindows(rows: number, cols: number, crops: number): Window[] {
  requireCrops("evaluationWindows", crops);
  const grid = windowGrid(rows, cols);
  const count = grid.down * grid.across;
  const step = Math.max(1, Math.floor(count / crops));
  return Array.from({ length: Math.min(crops, count) }, (_, i) => windowAt(grid, i * step));
}

/**
 * The windows of one training image: drawn from the same grid, with replacement.
 *
 * @throws {RangeError} below 224 pixels on a side, or for less than one crop
 */
export function trainingWindows(rows: number, cols: number, crops: number, random: Random): Window[] {
  requireCrops("trainingWindows", crops);
  const grid = windowGrid(rows, cols);
  return Array.from({ length: crops }, () => windowAt(grid, random.integer(grid.down * grid.across)));
}

interface Grid {
  readonly down: number;
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
  return { down: positions(rows), across: positions(cols), stride };
}

/** The `index`-th window in row-major order. */
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
 * The crops an image is scored by, in the order of `evaluationWindows`.
 *
 * @returns [min(crops, windows), 224, 224, 3], RGB
 * @throws {RangeError} for an image below 224 pixels on a side: prepare it first
 */
export function evaluationCrops(image: Image, crops: number): Uint8Array {
  const windows = evaluationWindows(image.rows, image.cols, crops);
  const out = new Uint8Array(windows.length * CROP_BYTES);
  windows.forEach((window, i) => {
    cutWindow(image, window, false, out, i * CROP_BYTES);
  });
  return out;
}

/**
 * Cuts random crops of a training image into `out` at byte `offset`: one flip for the image with probability 1/2, then
 * windows on the grid of the flipped image.
 *
 * @param out  [..., 224, 224, 3], written to
 */
export function cutTrainingCrops(
  image: SizedImage,
  crops: number,
  random: Random,
  out: Uint8Array,
  offset: number,
): void {
  const isFlipped = random.uniform() < 0.5;
  trainingWindows(image.rows, image.cols, crops, random).forEach((window, i) => {
    const left = isFlipped ? image.cols - window.left - WINDOW : window.left;
    const part = cutRegion(image, { top: window.top, left, rows: WINDOW, cols: WINDOW });
    cutWindow(part.image, part, isFlipped, out, offset + i * CROP_BYTES);
  });
}

/** Where a region's pixels are: in the picture itself, or in one that was made of the region alone. */
function cutRegion({ rows, cols, source }: SizedImage, region: Region): Window & { readonly image: Image } {
  const { top, left } = region;
  if (rows === source.rows && cols === source.cols) return { image: source, top, left };
  return { image: resizeBilinear(source, rows, cols, region), top: 0, left: 0 };
}

/** Copies one window of the image, mirrored where `isFlipped`. */
function cutWindow(image: Image, { top, left }: Window, isFlipped: boolean, out: Uint8Array, offset: number) {
  const { cols } = image;
  const pixels = plainBytes(image.pixels);
  for (let row = 0; row < WINDOW; row++) {
    const from = ((top + row) * cols + left) * 3;
    const to = offset + row * LINE_BYTES;
    if (isFlipped) copyMirrored(pixels, from, LINE_BYTES, out, to);
    else out.set(pixels.subarray(from, from + LINE_BYTES), to);
  }
}
